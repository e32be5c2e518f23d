#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Brings one virtual environment up to date: venv.sh FOLDER PYTHON REQUIREMENT...
# A requirement is a file under requirements/ (run, test, ...) or a specifier (ansible-core==2.16.*). Each is installed once and
# again when its file changed. Two callers at once wait for each other.
set -euo pipefail
folder=$1 python=$2
shift 2
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
if ! "$folder/bin/python" -c '' 2>/dev/null; then
    [ -n "$python" ] || exit 1 # find_python.sh said why
    echo "Making $folder with $("$python" --version)"
    "$python" -m venv "$folder"
fi
wanted=() marks=()
for requirement in "$@"; do
    file="requirements/$requirement.txt"
    mark="$folder/.installed-${requirement//[^A-Za-z0-9.-]/_}"
    if [ -f "$file" ]; then
        cmp -s "$file" "$mark" || { wanted+=(-r "$file") && marks+=("$mark" "$file"); }
    elif ! [ -e "$mark" ]; then
        wanted+=("$requirement") && marks+=("$mark" /dev/null)
    fi
done
if [ ${#wanted[@]} -gt 0 ]; then
    echo "Installing into $folder: ${wanted[*]}"
    "$folder/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-input "${wanted[@]}"
    for ((i = 0; i < ${#marks[@]}; i += 2)); do cp "${marks[i + 1]}" "${marks[i]}"; done
fi
# Ansible, mypy and pytest find the checkout under its collection name, wherever it lies.
here="$folder/collections/ansible_collections/vmops/migration"
mkdir -p "$(dirname "$here")"
[ "$(readlink "$here" || true)" = "$PWD" ] || ln -sfn "$PWD" "$here"
