#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Fails on Python files that have grown over 400 lines: one subject each.
set -euo pipefail
git ls-files -z --cached --others --exclude-standard '*.py' | while IFS= read -r -d '' file; do
    [ -e "$file" ] && printf '%s %s\n' "$(wc -l <"$file")" "$file"
done | awk '$1 > 400 {print $2 ": " $1 " lines, more than 400"; bad = 1} END {exit bad}'
