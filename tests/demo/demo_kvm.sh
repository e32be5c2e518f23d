#!/usr/bin/env bash
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Empties a KVM host with real guests by the playbook, in the lab of three libvirt hosts; root. Takes the lab down at the end, VMOPS_LAB_KEEP=1 leaves it.
set -euo pipefail
if [ "$(id -u)" != 0 ]; then
    echo 'demo-kvm: needs root, for network namespaces and libvirt daemons of its own.' >&2
    exit 1
fi
exec python -m tests.demo.demo_kvm "$@"
