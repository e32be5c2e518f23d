# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab needs from the machine, and what of it is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

# program -> Debian package
PROGRAMS = {
    "/usr/sbin/libvirtd": "libvirt-daemon libvirt-daemon-driver-qemu",
    "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
    "/usr/sbin/sshd": "openssh-server",
    "virsh": "libvirt-clients",
    "ip": "iproute2",
    "tc": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "ssh": "openssh-client",
    "as": "binutils",
    "ld": "binutils",
    "gcc": "gcc",
}
SYS_ADMIN_BIT = 21  # linux/capability.h, CAP_SYS_ADMIN


def missing_requirements() -> list[str]:
    """What is missing, in words; empty when the lab can be brought up."""
    missing = []
    if os.geteuid() != 0:
        missing.append("root")
    elif not _has_sys_admin():
        missing.append("the capability CAP_SYS_ADMIN")
    missing += [f"{program} (package {package})" for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not Path("/dev/net/tun").exists():
        missing.append("/dev/net/tun")
    if importlib.util.find_spec("libvirt") is None:
        missing.append("the Python package libvirt-python")
    return missing


def _has_sys_admin() -> bool:
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    return bool(effective >> SYS_ADMIN_BIT & 1)
