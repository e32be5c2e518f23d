#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Makes the environment of one version of ansible-core and prints its folder: core_environment.sh main|core-2.16|core-newest
# Ends with 77 (skipped) where no Python for that version is on the machine.
set -euo pipefail
case $1 in
main)
    echo .venv
    exit 0
    ;;
core-2.16)
    python=$(tests/ci/find_python.sh 3.11 3.12) || exit 77
    core='ansible-core==2.16.*'
    ;;
core-newest)
    python=$(tests/ci/find_python.sh 3.14 3.13 3.12) || exit 77
    core='ansible-core>=2.21'
    ;;
*) echo "There is no version $1." >&2 && exit 2 ;;
esac
tests/ci/venv.sh ".venvs/$1" "$python" "$core" test >&2
echo ".venvs/$1"
