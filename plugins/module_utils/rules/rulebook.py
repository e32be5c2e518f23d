# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook: rule x profile -> hard, soft or off. The only place that says how strictly a rule is taken."""

from __future__ import annotations

from ..model.errors import InputError
from . import affinity, cpu, device, host, memory, network, operation, software, storage, system_vm
from .eligibility import ELIGIBILITY
from .levels import HARD, OFF, WARN, asks
from .options_table import OPTION_RULES
from .rule import About, Level, Profile, Rule, Setting
from .storage_table import STORAGE_RULES


def required() -> Setting:
    """For groups that must be kept."""
    return Setting(Level.HARD, parameters={"required": True})


def preferred(consent: str) -> Setting:
    """For groups that should be kept."""
    return Setting(Level.SOFT, consent, {"required": False})


_VERSIONS = ("source.hypervisor_version", "host.hypervisor_version", "host.hypervisor")
_MEMORY = ("vm.memory_mib", "vm.power_state", "host.memory_mib", "host.reserved_memory_mib")
_SYSTEMS = ("source.os_name", "source.os_version", "host.os_name", "host.os_version")
_DISKS = ("vm.volumes", "host.pools")
_SHARING = ("pool.identity", "pool.scope")

# Columns: name, about, function, severity in generic, facts read, catalogue numbers, cells of profiles that differ from generic.
# A VM's own rules come first, then those of the place, then those that depend on what else is planned.
RULEBOOK: tuple[Rule, ...] = (
    Rule("known_in_detail", About.VM, operation.known_in_detail, WARN, ("vm.detailed",)),
    Rule("source_unreachable", About.VM, operation.source_answers, HARD, ("source.state",), reason_code="host_unreachable"),
    Rule("power_state", About.VM, operation.live, HARD, ("vm.power_state", "vm.managed_save"), ("PCD-06", "CAS-52")),
    Rule("has_snapshots", About.VM, operation.snapshots, HARD, ("vm.snapshots", "vm.snapshots_travel", "source.hypervisor")),
    Rule("host_device", About.VM, device.passed_through, HARD, ("vm.host_devices", "vm.nics")),
    Rule("block_job_active", About.VM, operation.block_job, HARD, ("vm.operation",)),
    Rule("operation_in_progress", About.VM, operation.nothing_else, HARD, ("vm.operation", "vm.operation_target"), ("CSH-32",)),
    Rule("pinned", About.VM, operation.pinned, HARD, ("vm.policy",)),
    Rule("also_defined_elsewhere", About.VM, operation.only_one, HARD, ("vm.also_on",), ("CAS-18",)),
    Rule("uniqueness_unproven", About.VM, operation.surely_only_one, WARN, ("vm.uniqueness_unproven_on",), ("CAS-18",)),
    Rule("host_unreachable", About.PLACE, host.unreachable, HARD, ("host.state", "host.state_reason"), ("CSK-08",)),
    Rule("host_state", About.PLACE, host.disabled, HARD, ("host.state", "host.state_reason"), ("CSK-08",)),
    Rule("host_in_maintenance", About.PLACE, host.in_maintenance, HARD, ("host.maintenance",), ("CSK-08",)),
    Rule("hypervisor_mismatch", About.PLACE, software.hypervisor_kind, HARD, ("source.hypervisor", "host.hypervisor")),
    Rule("arch_mismatch", About.PLACE, cpu.architecture, HARD, ("source.architecture", "vm.architecture", "host.architecture"), ("CAS-23",)),
    Rule(
        "cpu_incompatible", About.PLACE, cpu.features, HARD, ("vm.required_cpu_features", "host.cpu_features", "host.cpu_model"), ("PCD-09", "PCD-20", "PCD-26")
    ),
    Rule("machine_type_unsupported", About.PLACE, cpu.machine_type, HARD, ("vm.machine_type", "host.machine_types", "host.hypervisor")),
    Rule(
        "hypervisor_version_older",
        About.PLACE,
        software.older_hypervisor,
        asks("allow_older_hypervisor"),
        _VERSIONS,
        ("PCD-29",),
        {Profile.PCD: HARD},
        reason_code="hypervisor_version_mismatch",
    ),
    Rule("hypervisor_version_newer", About.PLACE, software.newer_hypervisor, WARN, _VERSIONS, ("PCD-29",), {Profile.PCD: asks("allow_os_upgrade")}),
    Rule(
        "os_version_mismatch",
        About.PLACE,
        software.operating_system,
        OFF,
        _SYSTEMS,
        ("PCD-10", "PCD-13", "PCD-21", "PCD-27", "PCD-30", "PCD-36"),
        {Profile.PCD: HARD},
    ),
    Rule(
        "os_version_newer",
        About.PLACE,
        software.newer_operating_system,
        OFF,
        _SYSTEMS,
        ("PCD-13", "PCD-33", "PCD-34"),
        {Profile.PCD: asks("allow_os_upgrade")},
        reason_code="os_version_mismatch",
    ),
    Rule("pool_not_on_host", About.PLACE, storage.pool_mounted, HARD, (*_DISKS, "pool.scope"), ("CAS-06", "CSK-08")),
    Rule("local_storage", About.PLACE, storage.local, HARD, (*_DISKS, "pool.scope"), ("CAS-06",)),
    Rule("volume_not_in_pool", About.PLACE, storage.in_a_pool, asks("allow_unproven_sharing"), (*_DISKS, *_SHARING, "pool.path")),
    Rule(
        "sharing_unproven",
        About.PLACE,
        storage.sharing_proven,
        WARN,
        (*_DISKS, *_SHARING),
        ("PCD-14", "CAS-28"),
        dict.fromkeys((Profile.PCD, Profile.CAS), asks("allow_unproven_sharing")),
    ),
    Rule("network_missing", About.PLACE, network.present, HARD, ("vm.nics", "host.networks"), ("CAS-32",)),
    Rule("network_type_mismatch", About.PLACE, network.same_type, HARD, ("vm.nics", "host.networks", "host.hypervisor", "intent.network_map"), ("CAS-32",)),
    Rule("host_tag_mismatch", About.PLACE, affinity.tags, HARD, ("vm.required_host_tags", "host.tags"), ("CSH-18",)),
    Rule("system_vm_pod_mismatch", About.PLACE, system_vm.same_pod, HARD, ("vm.kind", "source.pod", "host.pod"), ("CSV-06", "CSV-09", "CSV-10")),
    Rule("insufficient_memory", About.PLANNED_STATE, memory.enough, HARD, _MEMORY, ("CAS-02", "CAS-15")),
    Rule("max_vms_reached", About.PLANNED_STATE, memory.slots, HARD, ("vm.power_state", "host.max_vms")),
    Rule("name_taken", About.PLANNED_STATE, operation.name_free, HARD, ("site.vms", "host.hypervisor")),
    Rule("affinity", About.PLANNED_STATE, affinity.together, required(), ("site.affinity_groups",)),
    Rule("affinity_preferred", About.PLANNED_STATE, affinity.together, preferred("allow_soft_affinity"), ("site.affinity_groups",)),
    Rule("anti_affinity", About.PLANNED_STATE, affinity.apart, required(), ("site.affinity_groups",)),
    Rule("anti_affinity_preferred", About.PLANNED_STATE, affinity.apart, preferred("allow_soft_affinity"), ("site.affinity_groups",)),
    *STORAGE_RULES,
    *OPTION_RULES,
    *ELIGIBILITY,
)


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises InputError (``profile_unknown``)."""
    try:
        return Profile(name)
    except ValueError:
        raise InputError("site.profile", f"{name!r} is not a profile.", code="profile_unknown", hint=f"Known profiles: {', '.join(Profile)}.") from None


def consents() -> frozenset[str]:
    """Every option that turns a soft refusal of some profile into a warning."""
    return frozenset(rule.setting(profile).consent for rule in RULEBOOK for profile in Profile) - {""}
