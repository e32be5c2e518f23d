#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Installs the Debian packages that a set of commands needs, as root where apt is there: packages.sh python|checks|kvm|vsphere
# Elsewhere it says what is missing and goes on; what cannot do without says so itself.
set -euo pipefail
case $1 in
python) # only where no usable Python is there already
    if "$(dirname "$0")/find_python.sh" 3.11 3.12 3.13 3.14 >/dev/null 2>&1; then exit 0; fi
    wanted=(python3 python3-venv)
    ;;
checks) wanted=(git shellcheck) ;;
kvm)
    wanted=(libvirt-daemon libvirt-daemon-driver-qemu qemu-system-x86 qemu-utils libvirt-dev libvirt-clients iproute2 openssl pkg-config gcc
        libc6-dev binutils openssh-server openssh-client python3-dev)
    ;;
vsphere) wanted=(golang-go golang-github-vmware-govmomi-dev openssl) ;; # the lab's API server is built from source
*) echo "There is no set of packages $1." >&2 && exit 2 ;;
esac
if ! command -v dpkg-query >/dev/null; then
    echo "Not a Debian system: install what corresponds to ${wanted[*]} yourself."
    exit 0
fi
missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "Not installed (apt needs root): ${missing[*]}"
    exit 0
fi
echo "Installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# A policy that starts no service: the lab runs its own daemons.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
fi
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
