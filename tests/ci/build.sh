#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Packs the collection and installs the archive elsewhere; fails when something of the checkout's own house got into it.
set -euo pipefail
out=$PWD/build/package
rm -rf "$out" && mkdir -p "$out/installed"
ansible-galaxy collection build --output-path "$out" >/dev/null
archive=$(find "$out" -maxdepth 1 -name 'vmops-migration-*.tar.gz')
ANSIBLE_COLLECTIONS_PATH="$out/installed" ansible-galaxy collection install --offline --collections-path "$out/installed" "$archive" >/dev/null
if tar --list --file "$archive" | grep -E '(^|/)(\.venv|\.venvs|build|\.ansible|__pycache__|\.[a-z_]+_cache|\.hypothesis)(/|$)'; then
    echo "These do not belong into the archive: add them to build_ignore in galaxy.yml." >&2
    exit 1
fi
echo "$(basename "$archive"): $(tar --list --file "$archive" | wc -l) entries, $(du -h "$archive" | cut -f1)"
