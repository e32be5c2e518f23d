# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets of one VM: rank, reasons, and what a move would cost."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode, NetworkRole
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.target import Target
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets, reasons_for
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite

from tests.unit.planning.world import apart, host, site, vm
from tests.unit.rules import storage_world as storage


def _by_host(found: tuple[Target, ...]) -> dict[str, Target]:
    return {target.host: target for target in found}


def test_rank_is_by_free_share_then_load_then_name() -> None:
    hosts = [
        host("a", 8192),
        host("roomy", 32768),
        host("busy", 16384, cpu_load_percent=90.0),
        host("idle", 16384, cpu_load_percent=5.0),
        host("equal-b", 4096),
        host("equal-a", 4096),
    ]
    found = find_targets(site(hosts, [vm("web", "a", 1024)]), vm("web", "a", 1024), PlanRequest(("web",)))
    assert [(target.rank, target.host) for target in found] == [(1, "roomy"), (2, "idle"), (3, "busy"), (4, "equal-a"), (5, "equal-b"), (0, "a")]
    assert found[0].score == pytest.approx(0.9688)


def test_unsuitable_hosts_are_listed_with_every_reason() -> None:
    world = site([host("a"), host("b", 1024, architecture="aarch64")], [vm("web", "a")])
    target = _by_host(find_targets(world, world.vms[0], PlanRequest(("web",))))["b"]
    assert not target.suitable_for_migration
    assert {reason.code for reason in target.reasons} == {"arch_mismatch", "insufficient_memory"}
    assert not target.has_enough_capacity


def test_the_vms_own_host_and_hosts_to_avoid_say_so() -> None:
    world = site([host("a"), host("b"), host("c")], [vm("web", "a")])
    found = _by_host(find_targets(world, world.vms[0], PlanRequest(("web",), avoid_hosts=frozenset({"b"}))))
    assert [reason.code for reason in found["a"].reasons] == ["same_host"]
    assert [reason.code for reason in found["b"].reasons] == ["host_avoided"]
    assert found["c"].rank == 1


@pytest.mark.rule("CSV-06", sign="+")
@pytest.mark.parametrize(("scope", "suitable"), [("cluster", {"b"}), ("pod", {"b", "c"}), ("zone", {"b", "c", "d"}), ("site", {"b", "c", "d", "e"})])
def test_scope_bounds_the_candidates(scope: str, suitable: set[str]) -> None:
    places = {"a": ("z1", "p1", "c1"), "b": ("z1", "p1", "c1"), "c": ("z1", "p1", "c2"), "d": ("z1", "p2", "c1"), "e": ("z2", "p1", "c1")}
    world = site([host(name, zone=zone, pod=pod, cluster=cluster) for name, (zone, pod, cluster) in places.items()], [vm("web", "a")])
    found = find_targets(world, world.vms[0], PlanRequest(("web",), scope=scope))
    assert {target.host for target in found if target.suitable_for_migration} == suitable
    assert all("outside_scope" in {reason.code for reason in target.reasons} for target in found if target.host not in suitable | {"a"})


def test_only_named_targets_come_into_question() -> None:
    world = site([host("a"), host("b"), host("c")], [vm("web", "a")])
    assert [target.host for target in find_targets(world, world.vms[0], PlanRequest(("web",), target_hosts=frozenset({"c"})))] == ["c"]


@pytest.mark.rule("CSH-17", sign="-")
def test_a_local_disk_asks_for_storage_motion() -> None:
    local = vm("web", "a", volumes=(Volume("root", VolumeKind.ROOT, pool="a/local"),))
    world = site([host("a", pools=frozenset({"a/local"})), host("b")], [local], pools=(Pool("a/local", "local"),))
    target = _by_host(find_targets(world, local, PlanRequest(("web",))))["b"]
    assert target.requires_storage_motion
    assert not target.suitable_for_migration
    assert [reason.code for reason in target.reasons] == ["local_storage"]


@pytest.mark.rule("CSH-17", sign="-")
def test_a_disk_in_a_pool_that_the_host_lacks_asks_for_storage_motion_and_an_image_does_not() -> None:
    pools = (Pool("nfs", "nfs", scope=PoolScope.CLUSTER, identity="x"),)
    for kind, motion in ((VolumeKind.DATA, True), (VolumeKind.ISO, False)):
        subject = vm("web", "a", volumes=(Volume("v", kind, pool="nfs"),))
        world = site([host("a", pools=frozenset({"nfs"})), host("b")], [subject], pools=pools)
        target = _by_host(find_targets(world, subject, PlanRequest(("web",))))["b"]
        assert [reason.code for reason in target.reasons] == ["pool_not_on_host"]
        assert target.requires_storage_motion is motion


@pytest.mark.rule("CAS-15", sign="-")
def test_vms_that_are_off_are_counted_together_where_they_are_to_be_started() -> None:
    world = site([host("a"), host("b", 4096)], [vm(name, "a", 3000, power_state=PowerState.OFF) for name in ("web", "db")], profile="cas")
    request = PlanRequest(("web", "db"), intent=Intent(mode=Mode.OFFLINE))
    alone = _by_host(find_targets(world, world.vms[0], request))["b"]
    assert (alone.suitable_for_migration, alone.has_enough_capacity) == (True, True)
    planned = PlannedSite(world)
    planned.place("db", "b")
    beside = _by_host(find_targets(world, world.vms[0], request, planned))["b"]
    assert "insufficient_memory_to_start" in {reason.code for reason in blocking(beside.reasons)}
    assert not beside.has_enough_capacity
    plan = make_plan(world, request)
    assert (len(plan.migrations), len(plan.unplaced)) == (1, 1)
    assert check_plan(world, plan, request) == ()


@pytest.mark.rule("CAS-15", sign="-")
def test_too_small_a_pool_is_a_lack_of_capacity() -> None:
    world = storage.site(storage.vm(), nfs_c={"free_bytes": 1}, nfs_z={"free_bytes": 1})
    target = _by_host(find_targets(world, world.vms[0], PlanRequest(("id-web",), intent=storage.with_storage(root_pool="nfs-c"))))["far"]
    assert "insufficient_storage" in {reason.code for reason in target.reasons}
    assert not target.has_enough_capacity


@pytest.mark.rule("CAS-13", sign="+")
@pytest.mark.rule("CAS-13", sign="-")
def test_the_migration_network_needs_both_ends() -> None:
    fast = {"migration_address": "10.0.0.1", "migration_link_mbps": 10000}
    world = site([host("a", **fast), host("b", **fast), host("c")], [vm("web", "a")])
    found = _by_host(find_targets(world, world.vms[0], PlanRequest(("web",))))
    assert found["b"].network is NetworkRole.MIGRATION
    assert found["b"].networks_used == (NetworkRole.MIGRATION, NetworkRole.MANAGEMENT)
    assert found["c"].network is NetworkRole.MANAGEMENT
    assert "migration_network_one_end" in {reason.code for reason in found["c"].reasons}
    assert found["b"].expected_seconds < found["c"].expected_seconds


def test_reasons_for_one_host_join_those_of_the_vm() -> None:
    world = site([host("a"), host("b", 1024)], [vm("web", "a", snapshots=1)])
    assert [reason.code for reason in reasons_for(world, world.vms[0], "b", PlanRequest(("web",)))] == ["has_snapshots", "insufficient_memory"]
    with pytest.raises(InputError, match="nowhere") as caught:
        reasons_for(world, world.vms[0], "nowhere", PlanRequest(("web",)))
    assert caught.value.code == "host_unknown"


def test_a_consent_opens_what_is_soft() -> None:
    world = site([host("a"), host("b")], [vm("web", "a"), vm("db", "b")], affinity_groups=(apart("pair", "web", "db", required=False),))
    refused = _by_host(find_targets(world, world.vms[0], PlanRequest(("web",))))["b"]
    allowed = _by_host(find_targets(world, world.vms[0], PlanRequest(("web",), consents=frozenset({"allow_soft_affinity"}))))["b"]
    assert (refused.suitable_for_migration, allowed.suitable_for_migration) == (False, True)
    assert [reason.code for reason in allowed.reasons] == ["anti_affinity_preferred"]


def test_a_guest_that_rewrites_memory_too_fast_is_warned_of() -> None:
    busy = vm("web", "a", 4096, dirty_rate_mib_s=5000.0)
    target = _by_host(find_targets(site([host("a"), host("b")], [busy]), busy, PlanRequest(("web",))))["b"]
    assert target.suitable_for_migration
    assert [reason.code for reason in target.reasons] == ["may_not_converge"]
