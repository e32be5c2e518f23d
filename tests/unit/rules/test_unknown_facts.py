# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No rule that forbids passes over a fact that is not known: each one asks for it, or refuses all the same. A fact is unknown where it is None or empty.

Every rule is asked in a world in which it would forbid, were everything known; then one of the facts that it declares is taken away.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostNetwork, HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, VolumeFormat
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, PowerState, Vm, VmKind
from ansible_collections.vmops.migration.plugins.module_utils.rules.option_case import OptionCase
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite
from ansible_collections.vmops.migration.plugins.module_utils.rules.rule import About, Case, Finding, Level, Profile, Rule, VmCase
from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK
from ansible_collections.vmops.migration.plugins.module_utils.rules.volume_case import VolumeCase

from tests.unit.rules import storage_world as storage
from tests.unit.rules.world import host, reasons, site, web

OF = {"vm": Vm, "host": Host, "source": Host, "pool": Pool, "volume": Volume}
HARD = {rule.name: rule for rule in RULEBOOK if any(rule.setting(profile).level is Level.HARD for profile in Profile)}


def _may_be_unknown(fact: str) -> bool:
    kind, _dot, name = fact.partition(".")
    return kind in OF and OF[kind].__dataclass_fields__[name].default in (None, "")  # type: ignore[attr-defined]


PAIRS = [(name, fact) for name, rule in HARD.items() for fact in rule.facts if _may_be_unknown(fact)]
WORDS = "only words of the message"
NO_POOL = "a volume outside any pool is refused by volume_outside_pools"
KIND = "hypervisor_mismatch asks for it"
VERSION = "hypervisor_version_older asks for it"
SILENT = {
    ("block_job_active", "vm.operation"): "None: nothing is being done with it",
    ("operation_in_progress", "vm.operation"): "None: nothing is being done with it",
    ("max_vms_reached", "host.max_vms"): "None: no limit",
    ("pool_closed", "pool.closed_because"): "empty: it is not closed",
    ("network_type_mismatch", "host.networks"): "network_missing asks for them",
    ("network_type_mismatch", "host.hypervisor"): KIND,
    ("storage_class_conflict", "volume.pool"): NO_POOL,
    ("local_volume_live_move", "volume.pool"): NO_POOL,
    ("post_copy_hugepage_1g", "vm.hugepage_kib"): "post_copy_hugepage_size asks for it",
    ("post_copy_mixed_versions", "source.architecture"): "arch_mismatch asks for it",
    ("post_copy_mixed_versions", "source.hypervisor_version"): VERSION,
    ("post_copy_mixed_versions", "host.hypervisor_version"): VERSION,
    ("hw_version_unsupported", "host.hypervisor"): KIND,
    ("vmotion_not_enabled", "source.hypervisor"): KIND,
    ("vmotion_not_enabled", "host.hypervisor"): KIND,
    ("hypervisor_too_old", "source.hypervisor"): KIND,
    ("hypervisor_too_old", "host.hypervisor"): KIND,
    ("hypervisor_too_old", "source.hypervisor_version"): VERSION,
    ("hypervisor_too_old", "host.hypervisor_version"): VERSION,
}
ESXI = {"hypervisor": "esxi", "hypervisor_version": "6.5"}
HUGE = {"migration_address": "10.0.0.1", "migration_link_mbps": 1000, "management_link_mbps": 1000}
# What makes a rule forbid: facts of the VM, of both hosts or of one, of the volume and of the pools, and what is asked for.
FORBIDDEN: dict[str, dict[str, Any]] = {
    "has_snapshots": {"vm": {"snapshots": 1}},
    "operation_in_progress": {"vm": {"operation": OperationKind.BACKUP}},
    "host_unreachable": {"host": {"state": HostState.UNREACHABLE}},
    "host_state": {"host": {"state": HostState.DISABLED}},
    "hypervisor_mismatch": {"host": {"hypervisor": "esxi"}},
    "arch_mismatch": {"host": {"architecture": "aarch64"}},
    "cpu_incompatible": {"host": {"cpu_features": frozenset()}},
    "machine_type_unsupported": {"host": {"machine_types": frozenset({"virt"})}},
    "hypervisor_version_older": {"host": {"hypervisor_version": "6.0"}},
    "os_version_mismatch": {"host": {"os_version": "11"}},
    "network_missing": {"host": {"networks": (HostNetwork("dmz"),)}},
    "system_vm_pod_mismatch": {"vm": {"kind": VmKind.ROUTER}, "host": {"pod": "p2"}},
    "insufficient_memory": {"host": {"memory_mib": 1}},
    "name_taken": {"twin": True},
    "k8s_node_cross_cluster": {"vm": {"labels": frozenset({"kubernetes_node"})}, "host": {"cluster": "c2"}},
    "environment_mismatch": {"host": {"zone": "z2"}},
    "zone_mismatch": {"host": {"zone": "z2"}},
    "own_cluster_only": {"host": {"cluster": "c2"}},
    "hw_version_unsupported": {"vm": {"hardware_version": 18}, "host": {**ESXI, "max_hardware_version": 13}},
    "vmotion_not_enabled": {"host": {**ESXI, "has_vmotion": False}, "source": {**ESXI, "has_vmotion": False}},
    "insufficient_cpu": {"host": {"cpu_count": 1}, "vm": {"vcpus": 4}},
    "volume_outside_pools": {"volume": {"pool": None}},
    "pool_closed": {"pools": {"nfs_c": {"closed_because": "a host has mounted it read-only"}}},
    "insufficient_storage": {"pools": {"nfs_c": {"free_bytes": 15 * storage.GIB}}, "intent": {"volume_format": VolumeFormat.RAW}},
    "system_vm_pool_pod": {"vm": {"kind": VmKind.ROUTER}},
    "snapshot_pool_kind": {"vm": {"snapshots": 1}, "pools": {"nfs_a": {"kind": "rbd"}, "nfs_c": {"kind": "rbd", "identity": "rbd://other/c"}}},
    "pool_type_unsupported": {"pools": {"nfs_a": {"kind": "iscsi"}}},
    "rbd_online_storage": {"pools": {"nfs_a": {"kind": "rbd"}}},
    "format_change_with_backing": {"volume": {"backing": ("/x/t",)}, "intent": {"volume_format": VolumeFormat.RAW}},
    "format_pool_type": {"pools": {"nfs_c": {"kind": "rbd"}}, "intent": {"volume_format": VolumeFormat.RAW}},
    "cluster_mismatch": {"intent": {"type": MigrationType.HOST_STORAGE}},
    "post_copy_hugepage_size": {"vm": {"hugepage_kib": 2048}, "source": {"hugepage_kib": 2048}, "host": {"hugepage_kib": 4}},
    "post_copy_hugepage_1g": {"vm": {"hugepage_kib": 2048}, "source": HUGE, "host": HUGE},
    "host_restart_pending": {"host": {"restart_pending": True}, "source": {"restart_pending": True}},
}
NO_ADDRESS = {"migration_address": None}
SPECIAL: dict[tuple[str, str], dict[str, Any]] = {
    ("post_copy_hugepage_1g", "source.management_link_mbps"): {"source": NO_ADDRESS, "host": NO_ADDRESS},
    ("post_copy_hugepage_1g", "host.management_link_mbps"): {"source": NO_ADDRESS, "host": NO_ADDRESS},
    ("hw_version_unsupported", "host.hypervisor_version"): {"host": {"max_hardware_version": None}},
    ("snapshot_pool_kind", "pool.kind"): {"pools": {"nfs_a": {"kind": "dir"}}},
}


def _findings(rule: Rule, fact: str = "") -> tuple[Finding, ...]:
    """What the rule says in its world without that fact."""
    asked = {"vm": {}, "host": {}, "source": {}, "volume": {}, "pools": {}, "intent": {}, "twin": False}
    for spoiled in (FORBIDDEN.get(rule.name, {}), SPECIAL.get((rule.name, fact), {})):
        for kind, facts in spoiled.items():
            asked[kind] = asked[kind] | facts if isinstance(facts, dict) else facts  # type: ignore[operator]
    kind, _dot, name = fact.partition(".")
    if kind in ("vm", "host", "source", "volume"):
        asked[kind][name] = OF[kind].__dataclass_fields__[name].default  # type: ignore[attr-defined,index]
    if kind == "pool":
        for pool in ("nfs_a", "nfs_c"):
            default = Pool.__dataclass_fields__[name].default
            asked["pools"][pool] = asked["pools"].get(pool, {}) | {name: default}  # type: ignore[attr-defined,index]
    case: Any = _of_volume(asked) if rule.about is About.VOLUME else _of_options(asked) if rule.about is About.OPTIONS else _of_place(rule, asked)
    setting = next(rule.setting(profile) for profile in Profile if rule.setting(profile).level is Level.HARD)
    return rule.check(case, **setting.parameters)


def _of_place(rule: Rule, asked: dict[str, Any]) -> VmCase | Case:
    subject = web(**asked["vm"])
    source, target = host("kvm1", **asked["source"]), host("kvm2", **asked["host"])
    others = (Vm("id-twin", subject.name, "kvm2", power_state=PowerState.OFF),) if asked["twin"] else ()
    world = site(target, subject, hosts=(source, target), vms=(subject, *others))
    return VmCase(world, subject, source) if rule.about is About.VM else Case(PlannedSite(world), subject, target, source)


def _of_volume(asked: dict[str, Any]) -> VolumeCase:
    """ROOT of the running VM, from nfs-a to nfs-c of another pod and cluster."""
    subject = storage.vm(dataclasses.replace(storage.root(), **asked["volume"]), **asked["vm"])
    world = storage.site(subject, **asked["pools"])
    source, target = dataclasses.replace(world.hosts[0], **asked["source"]), dataclasses.replace(world.hosts[2], **asked["host"])
    intent = Intent(**({"type": MigrationType.STORAGE} | asked["intent"]))
    to = target if intent.type is MigrationType.HOST_STORAGE else dataclasses.replace(source, **asked["host"])
    volume = subject.volumes[0]
    return VolumeCase(world, subject, volume, world.pool_by_id.get(volume.pool or ""), world.pool_by_id["nfs-c"], source, to, intent)


def _of_options(asked: dict[str, Any]) -> OptionCase:
    subject = web(**({"hugepage_kib": 0} | asked["vm"]))
    source, target = host("kvm1", **asked["source"]), host("kvm2", **asked["host"])
    return OptionCase(site(target, subject), subject, source, target, Intent(**({"post_copy": True} | asked["intent"])))


@pytest.mark.parametrize(("name", "fact"), [pair for pair in PAIRS if pair not in SILENT], ids=lambda text: text)
def test_a_fact_that_is_not_known_is_asked_for_or_the_move_is_refused(name: str, fact: str) -> None:
    assert _findings(HARD[name], fact), f"{name} passes over {fact}"


@pytest.mark.parametrize("name", sorted({name for name, _fact in PAIRS} & set(FORBIDDEN)))
def test_with_all_facts_each_of_these_rules_forbids(name: str) -> None:
    assert any(not finding.unknown for finding in _findings(HARD[name]))


def test_the_exceptions_are_pairs_of_the_rulebook() -> None:
    assert set(SILENT) <= set(PAIRS)


OF_EVERY_TYPE: dict[str, dict[str, object]] = {
    "pool_type_unsupported": {},
    "rbd_online_storage": {},
    "storage_class_conflict": {},
    "snapshot_pool_kind": {"snapshots": 1},
}


@pytest.mark.parametrize(
    ("name", "facts", "kind"),
    [
        *((name, facts, kind) for kind in (MigrationType.STORAGE, MigrationType.HOST_STORAGE) for name, facts in OF_EVERY_TYPE.items()),
        ("local_volume_live_move", {}, MigrationType.STORAGE),  # the rule is for volumes whose VM stays on its host
    ],
)
def test_a_pool_that_the_site_does_not_hold_is_asked_for(name: str, facts: dict[str, object], kind: MigrationType) -> None:
    intent = Intent(type=kind)
    subject = storage.vm(storage.root("nfs-q"), **facts)
    world = storage.site(subject)
    case = VolumeCase(world, subject, subject.volumes[0], None, world.pool_by_id["nfs-b"], world.hosts[0], world.hosts[0], intent)
    findings = HARD[name].check(case)
    assert findings
    assert all("nfs-q" in finding.unknown for finding in findings) or name == "snapshot_pool_kind"


@pytest.mark.parametrize("fact", ["identity", "scope", "cluster", "pod"])
def test_where_to_put_a_fact_of_a_pool_is_told(fact: str) -> None:
    unproven = dataclasses.replace(site().pools[0], identity=None, scope=PoolScope.CLUSTER)
    assert "sharing_unproven" in reasons(site(pools=(unproven,)))
    subject = storage.vm(storage.root("nfs-q" if fact == "scope" else "nfs-a"), kind=VmKind.ROUTER, snapshots=1)
    rbd = {"kind": "rbd", "identity": None} if fact == "identity" else {}
    world = storage.site(subject, "cas" if fact == "identity" else "cloudstack_hyperv", nfs_a=rbd, nfs_b={**rbd, "pod": "", "cluster": ""})
    found = storage.mapped(world, storage.storage_only(root_pool="nfs-b"))
    pool = "nfs-q" if fact == "scope" else "nfs-b"
    assert any(reason.hint == f"Give it as site.pools.{pool}.{fact} in the overlay." for reason in found.reasons), found.reasons
