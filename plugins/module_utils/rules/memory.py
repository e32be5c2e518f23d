# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about a host's capacity: memory, CPUs and number of VMs, with everything that is planned already."""

from __future__ import annotations

from .rule import NOTHING, Case, Finding, Findings, lacks


def enough(case: Case) -> Findings:
    """The VM's memory must fit into what is free after the reserve and all that is planned; an exact fit is enough (CAS-02)."""
    vm, host = case.vm, case.host
    if not vm.is_active:
        return NOTHING
    if host.memory_mib is None:
        return lacks(f"site.hosts.{host.name}.memory_mib")
    if vm.memory_mib <= 0:
        return lacks(f"site.vms.{vm.name}.memory_mib")
    used_mib = case.planned.memory_used_mib(host.name)
    if vm.id in case.planned.active_ids_on(host.name):
        used_mib -= vm.memory_mib
    free_mib = host.memory_mib - host.reserved_memory_mib - used_mib
    if vm.memory_mib <= free_mib:
        return NOTHING
    held = f"{host.memory_mib} MiB in all, {used_mib} MiB used or planned, {host.reserved_memory_mib} MiB reserved"
    return (
        Finding(
            f"VM {vm.name} needs {vm.memory_mib} MiB of memory; host {host.name} has {free_mib} MiB free ({held}).",
            "Free memory there, add a target host, or move fewer VMs at once.",
        ),
    )


def slots(case: Case) -> Findings:
    """The destination must not hold more active VMs than it may (max guests), with all that is planned."""
    limit = case.host.max_vms
    if limit is None or not case.vm.is_active:
        return NOTHING
    others = len(case.planned.active_ids_on(case.host.name) - {case.vm.id})
    if others < limit:
        return NOTHING
    text = f"Host {case.host.name} may run {limit} VMs and has {others}, those planned included."
    return (Finding(text, f"Raise site.hosts.{case.host.name}.max_vms, or add a target host."),)


def enough_to_start(case: Case) -> Findings:
    """A VM that is off needs its memory where it is to be started, beside those that come with it: failure or a slow start otherwise (CAS-15)."""
    vm, host = case.vm, case.host
    if vm.is_active:
        return NOTHING
    free_mib = case.planned.memory_free_mib(host.name)
    if free_mib is None:
        return lacks(f"site.hosts.{host.name}.memory_mib")
    others_mib = case.planned.memory_to_start_mib(host.name, vm.id)
    if vm.memory_mib + others_mib <= free_mib:
        return NOTHING
    others = f" besides {others_mib} MiB of others that come to it" if others_mib else ""
    text = f"VM {vm.name} is not running, but will need {vm.memory_mib} MiB of memory{others}; host {host.name} has {free_mib} MiB free."
    return (Finding(text, "Choose a host where it can be started, or free memory there first."),)


def enough_cpus(case: Case) -> Findings:
    """The host must have as many CPUs as the VM (CAS-15): more of them cannot run at once."""
    vm, host = case.vm, case.host
    if host.cpu_count is None:
        return lacks(f"site.hosts.{host.name}.cpu_count")
    if vm.vcpus <= host.cpu_count:
        return NOTHING
    return (Finding(f"VM {vm.name} has {vm.vcpus} CPUs, host {host.name} has {host.cpu_count}.", f"Choose a host with {vm.vcpus} CPUs or more."),)
