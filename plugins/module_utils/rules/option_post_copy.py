# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about post-copy: the guest runs at the destination while its memory still comes, so a failure on the way may cost the VM."""

from __future__ import annotations

from ..model.migration import MigrationType
from ..model.vm import PowerState
from .option_case import OptionCase
from .rule import NOTHING, Finding, Findings, lacks
from .software import version_key

GIGABIT_MBPS = 1000
_ARM = frozenset({"aarch64", "armv7l"})
_WITHOUT = "Leave post_copy away."


def by_host_alone(case: OptionCase) -> Findings:
    """Only for a live move by host (CAS-33; libvirt: post-copy needs a live migration)."""
    if not case.intent.post_copy or (case.is_live and case.intent.type is MigrationType.HOST):
        return NOTHING
    text = f"Post-copy is for live moves by host, and VM {case.vm.name} is to be moved by {case.intent.type.value} in mode {case.intent.mode.value}."
    return (Finding(text, _WITHOUT),)


def running(case: OptionCase) -> Findings:
    """A paused guest does not ask for its memory (CAS-39; libvirt refuses it)."""
    if not case.intent.post_copy or case.vm.power_state is not PowerState.PAUSED:
        return NOTHING
    return (Finding(f"VM {case.vm.name} is paused, and post-copy is for running VMs.", _WITHOUT),)


def no_fast_path_nics(case: OptionCase) -> Findings:
    """DPDK switches and smart NICs write the guest's memory past the hypervisor (CAS-37)."""
    nics = [nic for nic in case.vm.nics if nic.kind in ("vhostuser", "hostdev")]
    if not case.intent.post_copy or not nics:
        return NOTHING
    named = ", ".join(f"{nic.mac} ({nic.kind})" for nic in nics)
    return (Finding(f"VM {case.vm.name} has NICs that write its memory themselves: {named}.", _WITHOUT),)


def no_virtual_gpu(case: OptionCase) -> Findings:
    """Virtual GPUs keep the guest's memory to themselves (CAS-38)."""
    devices = [device for device in case.vm.host_devices if device.startswith(("mdev", "vgpu"))]
    if not case.intent.post_copy or not devices:
        return NOTHING
    return (Finding(f"VM {case.vm.name} has a virtual GPU: {', '.join(devices)}.", _WITHOUT),)


def equal_huge_pages(case: OptionCase) -> Findings:
    """Memory is asked for page by page, so both ends must have pages of one size (CAS-40; QEMU compares them)."""
    vm, source, target = case.vm, case.source, case.target
    if not case.intent.post_copy or vm.hugepage_kib == 0 or source is None or target is None:
        return NOTHING
    if vm.hugepage_kib is None:
        return lacks(f"site.vms.{vm.name}.hugepage_kib")
    for end in (source, target):
        if end.hugepage_kib is None:
            return lacks(f"site.hosts.{end.name}.hugepage_kib")
    if source.hugepage_kib == target.hugepage_kib:
        return NOTHING
    text = f"VM {vm.name} lies in huge pages of {source.hugepage_kib} KiB on host {source.name}; host {target.name} has {target.hugepage_kib or 'none'}."
    return (Finding(text, f"Choose a host with pages of {source.hugepage_kib} KiB, or leave post_copy away."),)


def huge_pages_over_a_fast_link(case: OptionCase) -> Findings:
    """While one huge page comes, the guest waits: a gigabit link is too slow for that (CAS-41). What is unknown of the VM is told by equal_huge_pages."""
    if not case.intent.post_copy or not case.vm.hugepage_kib or case.target is None:
        return NOTHING
    speed, path = case.link
    if speed is None:
        return lacks(path)
    if speed > GIGABIT_MBPS:
        return NOTHING
    text = f"VM {case.vm.name} lies in huge pages, and the way to host {case.target.name} carries {speed} Mbit/s."
    return (Finding(text, f"Post-copy of huge pages needs more than {GIGABIT_MBPS} Mbit/s: use a faster migration network, or leave post_copy away."),)


def restart_done(case: OptionCase) -> Findings:
    """A host that was upgraded and not restarted runs other software than it has installed (CAS-35)."""
    if not case.intent.post_copy:
        return NOTHING
    ends = [end for end in (case.source, case.target) if end is not None]
    found = []
    for end in ends:
        if end.restart_pending is None:
            found.append(Finding("", unknown=f"site.hosts.{end.name}.restart_pending"))
        elif end.restart_pending:
            found.append(Finding(f"Host {end.name} was upgraded and waits for its restart.", f"Restart {end.name} first, or leave post_copy away."))
    return tuple(found)


def one_version_on_arm(case: OptionCase) -> Findings:
    """On ARM no post-copy while an upgrade is under way (CAS-36). Unknown versions are told of by hypervisor_version_older."""
    source, target = case.source, case.target
    if not case.intent.post_copy or source is None or target is None or source.architecture not in _ARM:
        return NOTHING
    versions = [end.hypervisor_version for end in (source, target) if end.hypervisor_version is not None]
    if len(versions) < 2 or version_key(versions[0]) == version_key(versions[1]):
        return NOTHING
    text = f"Host {source.name} has version {versions[0]} and host {target.name} {versions[1]}, both on {source.architecture}."
    return (Finding(text, "Finish the upgrade of all hosts first, or leave post_copy away."),)


def may_lose_the_vm(case: OptionCase) -> Findings:
    """After the switch there is no way back: each end then holds a part of the VM (CAS-34)."""
    if not case.intent.post_copy:
        return NOTHING
    text = f"With post-copy, VM {case.vm.name} is lost if the network, the storage or one of both hosts fails while its memory is under way."
    return (Finding(text, "Make sure that hosts, storage and networks of both ends are well; a cancel is not possible after the switch."),)
