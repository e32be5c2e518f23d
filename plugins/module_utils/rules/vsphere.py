# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about ESXi hosts: virtual hardware and vMotion. They are silent wherever the host in question runs another hypervisor."""

from __future__ import annotations

from ..model.host import Host
from ..model.migration import Mode
from .rule import NOTHING, Case, Finding, Findings, lacks
from .software import version_key

ESXI = "esxi"

# The newest virtual hardware of each ESXi release, as (with no update, with the last one); VMware knowledge base 2007240 and 1003746.
_HARDWARE = {(5,): (8, 8), (5, 1): (9, 9), (5, 5): (10, 10), (6,): (11, 11), (6, 5): (13, 13), (6, 7): (14, 15), (7,): (17, 19), (8,): (20, 21)}


def newest_hardware(host: Host) -> tuple[int, int] | None:
    """What the host surely runs and the most that it may run; equal where that is certain, None where nothing is known."""
    if host.max_hardware_version is not None:
        return host.max_hardware_version, host.max_hardware_version
    numbers = version_key(host.hypervisor_version or "")[:2]
    return _HARDWARE.get(tuple(numbers[:1]) if numbers[1:] == (0,) else numbers)


def hardware_version(case: Case) -> Findings:
    """Virtual hardware that is newer than the ESXi host understands cannot run there (CSV-23: hardware 14, from 6.7 to 6.5)."""
    vm, host = case.vm, case.host
    if host.hypervisor != ESXI:
        return NOTHING
    if vm.hardware_version is None:
        return lacks(f"site.vms.{vm.name}.hardware_version")
    newest = newest_hardware(host)
    if newest is None or newest[0] < vm.hardware_version <= newest[1]:
        return lacks(f"site.hosts.{host.name}.max_hardware_version")
    if vm.hardware_version <= newest[0]:
        return NOTHING
    version = f" (ESXi {host.hypervisor_version})" if host.hypervisor_version else ""
    text = f"VM {vm.name} has virtual hardware vmx-{vm.hardware_version}; host {host.name}{version} runs vmx-{newest[1]} at the most."
    return (Finding(text, f"Choose a host that runs vmx-{vm.hardware_version}, or upgrade {host.name}."),)


def vmotion(case: Case) -> Findings:
    """A live move between ESXi hosts needs a VMkernel adapter with vMotion on both (CSV-22); a cold relocation does not."""
    if not case.vm.is_active or case.intent.mode is not Mode.LIVE:
        return NOTHING
    found: list[Finding] = []
    for name, host in ((case.vm.host, case.source), (case.host.name, case.host)):
        if host is None or host.hypervisor != ESXI or host.has_vmotion:
            continue
        if host.has_vmotion is None:
            found += lacks(f"site.hosts.{name}.has_vmotion")
        else:
            found.append(Finding(f"Host {name} has no VMkernel adapter that is enabled for vMotion.", f"Enable vMotion on {name}."))
    return tuple(found)
