#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Prints the first interpreter that really runs and can make a virtual environment: find_python.sh 3.11 3.12 ...
# A name on PATH proves nothing: version managers leave shims behind for versions that they do not run.
set -u
usable() { "$1" -c 'import ensurepip, sys, venv; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$2" >/dev/null 2>&1; }
for version in "$@"; do
    while IFS= read -r candidate; do
        if [ -n "$candidate" ] && usable "$candidate" "$version"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            exit 0
        fi
    done < <(type -aP "python$version" python3 2>/dev/null; printf '%s\n' "${PYENV_ROOT:-${HOME:-/}/.pyenv}"/versions/"$version".*/bin/python)
done
echo "No Python of version ${*} with the venv and ensurepip modules was found (on Debian and Ubuntu: apt install python3 python3-venv)." >&2
exit 1
