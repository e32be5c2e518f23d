#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs ansible-test sanity on all versions of ansible-core at once, because most of its tests use one processor: sanity_all.sh
# What each said comes one after the other in the end.
set -euo pipefail
mkdir -p build/sanity
declare -A running
cores=()
skipped=0
for core in main core-2.16 core-newest; do
    if tests/ci/core_environment.sh "$core" >/dev/null; then cores+=("$core"); else
        [ $? = 77 ] || exit 1
        echo "Left out: no Python for $core is on this machine." && skipped=77
    fi
done
for core in "${cores[@]}"; do
    tests/ci/sanity.sh "$core" >"build/sanity/$core.log" 2>&1 &
    running[$core]=$!
done
status=$skipped
for core in "${cores[@]}"; do
    result=passed
    wait "${running[$core]}" || { result=FAILED && status=1; }
    printf '\n--- sanity on %s: %s\n' "$core" "$result"
    cat "build/sanity/$core.log"
done
exit $status
