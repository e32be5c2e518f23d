# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about devices of the host that a VM holds."""

from __future__ import annotations

from .rule import NOTHING, Finding, Findings, VmCase


def passed_through(case: VmCase) -> Findings:
    """A device of the host cannot come along (libvirt: migration blocker; CloudStack refuses PCI GPUs without saying why)."""
    devices = list(case.vm.host_devices) + [f"NIC {nic.mac}" for nic in case.vm.nics if nic.kind == "hostdev"]
    if not devices:
        return NOTHING
    text = f"VM {case.vm.name} holds devices of host {case.vm.host}: {', '.join(devices)}."
    return (Finding(text, "Detach them before the move, or leave the VM where it is."),)
