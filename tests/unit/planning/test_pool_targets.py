# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets of volumes, and targets of VMs that take their storage along."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.measured import MeasuredMove
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode, NetworkRole
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.pool_target import PoolTarget
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.target import Target
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, VmKind
from ansible_collections.vmops.migration.plugins.module_utils.planning.pool_targets import find_pool_targets
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets, reasons_for
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rules.storage_world import GIB, TIB, data, mapped, refusals, root, site, storage_only, vm, with_storage
from tests.unit.strategies import examples

HYPERV = "cloudstack_hyperv"
PROFILES = ("generic", "cloudstack_vmware", "cloudstack_kvm", "cloudstack_hyperv", "pcd", "cas")


def _asked(intent: Intent | None = None, **wanted: object) -> PlanRequest:
    return PlanRequest(("id-web",), intent=intent, **wanted)  # type: ignore[arg-type]


def _pools(world: Site, *, include_excluded: bool = False, intent: Intent | None = None) -> dict[str, PoolTarget]:
    found = find_pool_targets(world, world.vms[0], world.vms[0].volumes[0], _asked(intent), include_excluded=include_excluded)
    return {target.pool: target for target in found}


def _hosts(world: Site, intent: Intent, **wanted: object) -> dict[str, Target]:
    return {target.host: target for target in find_targets(world, world.vms[0], _asked(intent, **wanted))}


@pytest.mark.rule("CSH-13", sign="+")
def test_live_the_shared_pools_of_the_cluster_are_listed() -> None:
    assert list(_pools(site(vm(), HYPERV, nfs_z={"free_bytes": TIB}))) == ["nfs-b", "nfs-z"]


@pytest.mark.rule("CSH-13", sign="-")
def test_other_pools_are_listed_on_demand_with_the_reason() -> None:
    found = _pools(site(vm(), HYPERV), include_excluded=True)
    assert set(found) == {"nfs-b", "nfs-z", "nfs-c", "kvm1/local", "kvm2/local", "far/local"}
    assert "local_volume_live_move" in {reason.code for reason in found["kvm1/local"].reasons}
    assert "cluster_mismatch" in {reason.code for reason in found["nfs-c"].reasons}


@pytest.mark.rule("CSH-14", sign="-")
def test_pools_without_the_tags_stay_in_the_list_as_unsuitable() -> None:
    found = _pools(site(vm(root(tags=frozenset({"fast"}))), HYPERV, nfs_z={"tags": frozenset({"fast"}), "free_bytes": TIB}))
    assert found["nfs-z"].suitable_for_migration
    assert found["nfs-z"].rank == 1
    assert not found["nfs-b"].suitable_for_migration
    assert [reason.code for reason in blocking(found["nfs-b"].reasons)] == ["storage_tag_mismatch"]


def test_all_reasons_are_told_and_rank_is_by_free_share_then_id() -> None:
    world = site(vm(root(tags=frozenset({"x"}))), nfs_b={"free_bytes": 1, "active": False})
    assert {reason.code for reason in blocking(_pools(world)["nfs-b"].reasons)} == {"storage_tag_mismatch", "insufficient_storage", "pool_not_on_host"}
    ranked = _pools(site(vm(), "cloudstack_vmware", nfs_z={"free_bytes": 2 * TIB}))
    assert [(pool, target.rank) for pool, target in ranked.items() if target.rank] == [("nfs-z", 1), ("nfs-b", 2)]
    assert ranked["nfs-b"].bytes_to_copy == 10 * GIB
    assert ranked["nfs-b"].expected_seconds > 0


def test_a_volume_goes_over_the_storage_network_at_the_speed_that_is_asked_for() -> None:
    world = site(vm())
    free = _pools(_with_links(world))["nfs-b"]
    assert (free.network, free.networks_used) == (NetworkRole.STORAGE, (NetworkRole.STORAGE,))
    slow = _pools(_with_links(world, 100))["nfs-b"]
    assert slow.expected_seconds > 50 * free.expected_seconds
    assert "slow_network" in {reason.code for reason in slow.reasons}
    capped = _pools(_with_links(world), intent=storage_only(speed_mib_s=20))["nfs-b"]
    assert capped.expected_seconds >= 10 * 1024 / 20 > free.expected_seconds


def test_earlier_results_count_for_volumes_too() -> None:
    world = _with_links(site(vm()))
    measured = tuple(MeasuredMove(1024 * number, 10_000.0, 60.0 * number, 0.0, 0) for number in range(1, 6))
    request = dataclasses.replace(_asked(storage_only()), measured=measured)
    found = {target.pool: target for target in find_pool_targets(world, world.vms[0], world.vms[0].volumes[0], request)}
    assert found["nfs-b"].expected_seconds > 2 * _pools(world)["nfs-b"].expected_seconds


@pytest.mark.rule("CAS-50", sign="+")
def test_a_detached_volume_between_rbd_pools_knows_no_speed() -> None:
    rbd = {"kind": "rbd"}
    world = _with_links(site(vm(), "cas", nfs_a=rbd, nfs_b=rbd))
    loose = Volume("loose", VolumeKind.DATA, pool="nfs-a", capacity_bytes=10 * GIB, format="raw")
    intent = storage_only(mode=Mode.OFFLINE, speed_mib_s=20)
    found = {target.pool: target for target in find_pool_targets(world, None, loose, _asked(intent))}
    elsewhere = {target.pool: target for target in find_pool_targets(dataclasses.replace(world, profile="generic"), None, loose, _asked(intent))}
    assert found["nfs-b"].networks_used == (NetworkRole.STORAGE,)
    assert elsewhere["nfs-b"].expected_seconds >= 10 * 1024 / 20 > found["nfs-b"].expected_seconds


def _with_links(world: Site, speed_mbps: int = 10_000) -> Site:
    return dataclasses.replace(world, hosts=tuple(dataclasses.replace(host, storage_link_mbps=speed_mbps) for host in world.hosts))


@pytest.mark.rule("CSV-12", sign="+")
@pytest.mark.rule("CSV-18", sign="+")
def test_a_detached_volume_is_copied_by_a_host_that_reaches_both_pools() -> None:
    loose = Volume("loose", VolumeKind.DATA, pool="nfs-z", capacity_bytes=GIB, format="qcow2")
    found = {target.pool: target for target in find_pool_targets(site(vm()), None, loose, _asked())}
    assert found["nfs-c"].suitable_for_migration
    assert (found["nfs-c"].worker_host, found["nfs-c"].staged, found["nfs-c"].source_pool) == ("far", False, "nfs-z")
    assert found["nfs-b"].worker_host == "kvm1"


@pytest.mark.rule("CSV-12", sign="-")
def test_without_a_host_that_reaches_both_pools_nothing_is_copied() -> None:
    loose = Volume("loose", VolumeKind.DATA, pool="nfs-a", capacity_bytes=GIB, format="qcow2")
    found = {target.pool: target for target in find_pool_targets(site(vm()), None, loose, _asked())}
    assert [reason.code for reason in blocking(found["nfs-c"].reasons)] == ["no_worker_host"]


@pytest.mark.rule("CSV-18", sign="+")
@pytest.mark.rule("CSV-18", sign="-")
def test_a_stopped_system_vm_tells_its_pool_and_the_pools_of_its_pod() -> None:
    router = vm(kind=VmKind.ROUTER, power_state=PowerState.OFF)
    found = _pools(site(router, "cloudstack_vmware"), intent=Intent(mode=Mode.OFFLINE))
    assert found["nfs-b"].suitable_for_migration
    assert found["nfs-b"].source_pool == "nfs-a"
    assert [reason.code for reason in blocking(found["nfs-c"].reasons)] == ["system_vm_pod_mismatch"]


@pytest.mark.rule("CSV-15", sign="+")
@pytest.mark.rule("CSH-17", sign="+")
@pytest.mark.rule("PCD-15", sign="+")
def test_a_host_of_another_cluster_asks_for_storage_motion_and_says_what_it_costs() -> None:
    found = _hosts(site(vm(root(), data()), "cloudstack_vmware"), with_storage())
    far = found["far"]
    assert far.suitable_for_migration, far.reasons
    assert (far.cluster, far.pod, far.zone) == ("c2", "p2", "z1")
    assert far.requires_storage_motion
    assert [(move.volume, move.target_pool, move.bytes_to_copy) for move in far.volume_map] == [("root", "nfs-c", 10 * GIB), ("data", "nfs-c", 20 * GIB)]
    assert far.bytes_to_copy >= 30 * GIB + 4096 * 2**20
    assert far.expected_seconds > found["kvm2"].expected_seconds


@pytest.mark.rule("CSH-17", sign="-")
@pytest.mark.rule("PCD-15", sign="-")
@pytest.mark.rule("PCD-16", sign="+")
def test_a_host_that_reaches_the_volumes_copies_none_of_them() -> None:
    near = _hosts(site(vm(root(), data()), "pcd"), with_storage())["kvm2"]
    assert not near.requires_storage_motion
    assert [(move.volume, move.source_pool, move.target_pool, move.bytes_to_copy) for move in near.volume_map] == [
        ("root", "nfs-a", "nfs-a", 0),
        ("data", "nfs-a", "nfs-a", 0),
    ]


@pytest.mark.rule("PCD-16", sign="-")
def test_a_host_that_reaches_not_every_volume_would_not_attach_the_same_ones() -> None:
    target = _hosts(site(vm(root("nfs-z"), data()), "pcd"), Intent())["far"]
    reason = next(reason for reason in blocking(target.reasons) if reason.code == "pool_not_on_host")
    assert "nfs-a" in reason.message


@pytest.mark.rule("CSH-38", sign="+")
@pytest.mark.rule("CAS-06", sign="+")
@pytest.mark.rule("CAS-28", sign="+")
def test_a_local_disk_comes_along_with_host_storage() -> None:
    assert _hosts(site(vm(root("kvm1/local")), "cas"), with_storage())["kvm2"].suitable_for_migration
    assert _hosts(site(vm(), "cas"), Intent())["kvm2"].suitable_for_migration


@pytest.mark.rule("CSH-38", sign="-")
@pytest.mark.rule("CAS-06", sign="-")
@pytest.mark.rule("CAS-28", sign="-")
@pytest.mark.parametrize(("where", "code"), [("kvm1/local", "local_storage"), ("nfs-a", "pool_not_on_host")])
def test_a_move_by_host_alone_is_refused_when_storage_would_have_to_move(where: str, code: str) -> None:
    target = _hosts(site(vm(root(where)), "cas"), Intent())["far"]
    assert not target.suitable_for_migration
    assert code in {reason.code for reason in target.reasons}


@pytest.mark.rule("CAS-31", sign="-")
def test_the_storage_alone_has_no_target_host() -> None:
    target = _hosts(site(vm(), "cas"), storage_only(), target_hosts=frozenset({"kvm2"}))["kvm1"]
    assert [reason.code for reason in blocking(target.reasons)] == ["target_host_with_storage"]


@pytest.mark.rule("CAS-31", sign="+")
def test_the_storage_alone_moves_on_the_vms_host() -> None:
    found = _hosts(site(vm(), "cas"), storage_only())
    assert list(found) == ["kvm1"]
    assert found["kvm1"].suitable_for_migration, found["kvm1"].reasons
    assert found["kvm1"].networks_used == (NetworkRole.STORAGE,)
    assert [(move.volume, move.target_pool) for move in found["kvm1"].volume_map] == [("root", "nfs-b")]
    assert found["kvm1"].bytes_to_copy == 10 * GIB


def test_check_mode_and_find_are_of_one_mind_about_hosts() -> None:
    world = site(vm(root(), data("kvm1/local")), far_local=None)
    for host, target in _hosts(world, with_storage()).items():
        assert target.suitable_for_migration is not bool(blocking(reasons_for(world, world.vms[0], host, _asked(with_storage()))))


@st.composite
def storage_sites(draw: st.DrawFn) -> Site:
    """The small world with anything spoiled."""
    tags = st.frozensets(st.sampled_from("ab"), max_size=1)
    pools = {
        name: {
            "tags": draw(tags),
            "free_bytes": draw(st.sampled_from([None, GIB, 10 * GIB, 10 * GIB + 1, TIB])),
            "kind": draw(st.sampled_from(["netfs", "netfs", "rbd", ""])),
            "active": draw(st.sampled_from([True, True, True, False])),
        }
        for name in ("nfs_a", "nfs_b", "nfs_c", "nfs_z", "kvm1_local")
    }
    volume = root(draw(st.sampled_from(["nfs-a", "nfs-b", "kvm1/local", None])), tags=draw(tags), encrypted=draw(st.booleans()))
    kind = draw(st.sampled_from([VmKind.USER, VmKind.USER, VmKind.ROUTER]))
    subject = vm(volume, kind=kind, power_state=draw(st.sampled_from([PowerState.RUNNING, PowerState.OFF])), snapshots=draw(st.sampled_from([0, 0, 1])))
    return site(subject, draw(st.sampled_from(PROFILES)), **pools)


@pytest.mark.rule("CSH-39", sign="+")
@pytest.mark.rule("CSH-39", sign="-")
@settings(max_examples=examples(300), deadline=None)
@given(storage_sites(), st.sampled_from([Mode.LIVE, Mode.OFFLINE]))
def test_a_pool_that_is_called_suitable_is_accepted_as_a_mapping_and_no_other(world: Site, mode: Mode) -> None:
    subject = world.vms[0]
    intent = Intent(type=MigrationType.STORAGE, mode=mode)
    found = find_pool_targets(world, subject, subject.volumes[0], _asked(intent), include_excluded=True)
    assert {target.pool for target in found} == {pool.id for pool in world.pools} - {subject.volumes[0].pool}
    for target in found:
        assert target.suitable_for_migration or target.reasons
        wanted = dataclasses.replace(intent, volume="root", volume_pools={"root": target.pool})
        accepted = not blocking(reasons_for(world, subject, "kvm1", _asked(wanted)))
        assert accepted is target.suitable_for_migration, (target, refusals(mapped(world, wanted)))
