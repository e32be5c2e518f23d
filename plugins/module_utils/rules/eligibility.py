# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook's table about eligibility of VMs and hosts by product: managers, scope, virtual hardware, releases, capacity."""

from __future__ import annotations

from . import managers, memory, operation, scope, site_state, vsphere
from .levels import HARD, OFF, WARN, asks
from .rule import About, Profile, Rule

_CLOUDSTACK = (Profile.CLOUDSTACK_KVM, Profile.CLOUDSTACK_VMWARE, Profile.CLOUDSTACK_HYPERV)

# Columns as in rulebook.py.
ELIGIBILITY: tuple[Rule, ...] = (
    Rule("managed_by_other", About.VM, managers.managed_by_other, asks("allow_managed"), ("vm.managed_by",)),
    Rule("has_checkpoints", About.VM, operation.checkpoints, WARN, ("vm.checkpoints",)),
    Rule("local_storage_vms", About.VM, site_state.local_disks, OFF, ("vm.volumes", "pool.scope"), ("PCD-18",), {Profile.PCD: WARN}),
    Rule(
        "mixed_version_cluster",
        About.VM,
        site_state.mixed_cluster,
        OFF,
        ("site.hosts", "source.zone", "source.cluster"),
        ("PCD-35",),
        {Profile.PCD: WARN},
    ),
    Rule("environment_mismatch", About.PLACE, scope.same_zone, OFF, ("source.zone", "host.zone"), ("PCD-01",), {Profile.PCD: HARD}),
    Rule("zone_mismatch", About.PLACE, scope.same_zone, OFF, ("source.zone", "host.zone"), ("CSV-06",), dict.fromkeys(_CLOUDSTACK, HARD)),
    Rule(
        "own_cluster_only",
        About.PLACE,
        scope.cluster_of_live_moves,
        OFF,
        ("source.cluster", "host.cluster", "vm.power_state", "vm.volumes", "pool.scope", "intent.mode", "intent.type"),
        ("CSV-06", "CSV-07", "CSK-05"),
        {Profile.CLOUDSTACK_KVM: HARD},
        reason_code="cluster_mismatch",
    ),
    Rule(
        "other_cluster",
        About.PLACE,
        scope.same_cluster,
        OFF,
        ("source.cluster", "host.cluster"),
        ("PCD-02",),
        {Profile.PCD: asks("allow_other_cluster")},
        reason_code="cluster_mismatch",
    ),
    Rule(
        "hw_version_unsupported",
        About.PLACE,
        vsphere.hardware_version,
        HARD,
        ("vm.hardware_version", "host.hypervisor", "host.hypervisor_version", "host.max_hardware_version"),
        ("CSV-23",),
    ),
    Rule(
        "vmotion_not_enabled",
        About.PLACE,
        vsphere.vmotion,
        HARD,
        ("vm.power_state", "intent.mode", "source.hypervisor", "source.has_vmotion", "host.hypervisor", "host.has_vmotion"),
        ("CSV-22",),
    ),
    Rule(
        "hypervisor_too_old",
        About.PLACE,
        site_state.hyperv_version,
        OFF,
        ("source.hypervisor", "source.hypervisor_version", "host.hypervisor", "host.hypervisor_version"),
        ("CSH-27",),
        {Profile.CLOUDSTACK_HYPERV: HARD},
    ),
    Rule(
        "no_return",
        About.PLACE,
        site_state.no_return,
        OFF,
        ("source.os_name", "source.os_version", "host.os_name", "host.os_version"),
        ("PCD-33",),
        {Profile.PCD: WARN},
    ),
    Rule(
        "insufficient_cpu",
        About.PLACE,
        memory.enough_cpus,
        OFF,
        ("vm.vcpus", "host.cpu_count"),
        ("CAS-15",),
        {Profile.CAS: HARD, **dict.fromkeys(_CLOUDSTACK, HARD)},
    ),
    Rule(
        "insufficient_memory_to_start",
        About.PLANNED_STATE,
        memory.enough_to_start,
        WARN,
        ("vm.power_state", "vm.memory_mib", "host.memory_mib", "host.reserved_memory_mib"),
        ("CAS-15",),
        {Profile.CAS: asks("allow_insufficient_capacity")},
    ),
)
