#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs `make demo` from nothing in a copy of the checkout: in a path with a space, with an empty environment, and as an ordinary user
# where this one is root.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
copy="$place/a checkout elsewhere"
mkdir "$copy"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
done | tar --create --null --files-from - | tar --extract --no-same-owner --directory "$copy"
plain=(env -i "PATH=/usr/local/bin:/usr/bin:/bin")
# how pip reaches its index is the machine's business, not the user's
for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CERT PIP_FIND_LINKS; do
    [ -z "${!name:-}" ] || plain+=("$name=${!name}")
done
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$place"
    chown -R nobody: "$place"
    plain=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "${plain[@]}")
fi
"${plain[@]}" make -C "$copy" demo
