# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that move storage: alone, along with the VM, cold and of VMs that are off."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, VolumeFormat
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, MigrationType, Mode, NetworkRole
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.unit.rules.storage_world import GIB, TIB, data, root, site, storage_only, vm, with_storage
from tests.unit.strategies import examples


def plan_of(world: Site, intent: Intent, **wanted: object) -> Plan:
    return make_plan(world, PlanRequest(tuple(each.id for each in world.vms), intent=intent, **wanted))  # type: ignore[arg-type]


def several(world: Site, count: int) -> Site:
    """The world's VM so many times, each with volumes of its own."""
    first = world.vms[0]

    def twin(number: int) -> Vm:
        volumes = tuple(dataclasses.replace(volume, id=f"{volume.id}-{number}") for volume in first.volumes)
        return dataclasses.replace(first, id=f"id-{number}", name=f"web{number}", volumes=volumes)

    return dataclasses.replace(world, vms=tuple(twin(number) for number in range(count)))


def test_the_storage_alone_moves_and_the_vm_stays_where_it_is() -> None:
    plan = plan_of(site(vm(root(), data())), storage_only(root_pool="nfs-b"))
    (move,) = plan.migrations
    assert (move.type, move.source_host, move.target_host) == (MigrationType.STORAGE, "kvm1", "kvm1")
    assert [(way.device, way.target_pool) for way in move.volumes if way.moves] == [("vda", "nfs-b")]
    assert move.network is NetworkRole.STORAGE
    assert move.bytes_to_copy == 10 * GIB
    assert move.next_targets == ()
    assert "nfs-b" in move.why


def test_vms_that_run_and_vms_that_are_off_are_one_plan_each_in_its_mode() -> None:
    world = several(site(vm(root())), 2)
    off = dataclasses.replace(world.vms[1], power_state=PowerState.OFF)
    world = dataclasses.replace(world, vms=(world.vms[0], off))
    intent = storage_only(leave_pools=frozenset({"nfs-a"}))
    request = PlanRequest(tuple(each.id for each in world.vms), intent=intent, modes={off.id: Mode.OFFLINE})
    plan = make_plan(world, request)
    assert {move.vm: move.mode for move in plan.migrations} == {"id-0": Mode.LIVE, "id-1": Mode.OFFLINE}
    assert check_plan(world, plan, request) == ()
    alike = make_plan(world, dataclasses.replace(request, modes={}))
    assert [entry.vm for entry in alike.unplaced] == ["id-1"]


def test_volumes_that_leave_a_pool_go_into_the_named_pools_alone() -> None:
    world = site(vm(root(), data()))
    anywhere = plan_of(world, storage_only(leave_pools=frozenset({"nfs-a"})))
    (chosen,) = {way.target_pool for way in anywhere.migrations[0].volumes if way.moves}
    others = [pool.id for pool in world.pools if pool.id not in ("nfs-a", chosen) and pool.id in world.hosts[0].pools and not pool.is_local]
    for pool in others:
        plan = plan_of(world, storage_only(leave_pools=frozenset({"nfs-a"}), target_pools=frozenset({pool})))
        assert {way.target_pool for move in plan.migrations for way in move.volumes if way.moves} <= {pool}
    assert plan_of(world, storage_only(leave_pools=frozenset({"nfs-a"}), target_pools=frozenset({"nowhere"}))).migrations == ()


def test_host_and_storage_go_to_another_cluster_and_say_how_much_is_copied() -> None:
    plan = plan_of(site(vm(root(), data()), "cloudstack_vmware"), with_storage(), target_hosts=frozenset({"far"}))
    (move,) = plan.migrations
    assert (move.type, move.target_host, move.disk_copy) == (MigrationType.HOST_STORAGE, "far", DiskCopy.FULL)
    assert {way.target_pool for way in move.volumes} == {"nfs-c"}
    assert move.bytes_to_copy >= 30 * GIB + 4096 * 2**20
    assert plan.lower_bound_seconds > 0


def test_where_no_volume_has_to_move_the_host_alone_changes() -> None:
    (move,) = plan_of(site(vm(root())), with_storage(), target_hosts=frozenset({"kvm2"})).migrations
    assert move.type is MigrationType.HOST
    assert move.disk_copy is DiskCopy.NONE


def test_local_disks_follow_into_the_local_pool_of_the_target() -> None:
    plan = plan_of(site(vm(root("kvm1/local"))), with_storage())
    (move,) = plan.migrations
    assert [way.target_pool for way in move.volumes] == [f"{move.target_host}/local"]


def test_a_pool_that_takes_one_of_two_is_not_given_to_both() -> None:
    world = several(site(vm(root("kvm1/local")), kvm2_local={"free_bytes": 15 * GIB}, far_local={"free_bytes": 15 * GIB}), 3)
    plan = plan_of(world, with_storage())
    assert sorted(way.target_pool or "" for move in plan.migrations for way in move.volumes) == ["far/local", "kvm2/local"]
    (left,) = plan.unplaced
    assert blocking(left.reasons) or all(blocking(reasons) for reasons in left.candidates.values())


def test_a_vm_without_anything_to_move_is_refused_with_that_reason() -> None:
    plan = plan_of(site(vm(root("nfs-b"))), storage_only(root_pool="nfs-b"))
    assert [reason.code for entry in plan.unplaced for reason in blocking(entry.reasons)] == ["nothing_to_move"]


def test_leaving_a_pool_moves_what_is_in_it_and_nothing_else() -> None:
    plan = plan_of(site(vm(root("nfs-a"), data("nfs-z"))), storage_only(leave_pools=frozenset({"nfs-a"})))
    (move,) = plan.migrations
    assert [(way.volume, way.target_pool) for way in move.volumes if way.moves] == [("root", "nfs-b")]


@pytest.mark.parametrize(("state", "mode", "sent"), [(PowerState.OFF, Mode.OFFLINE, 0), (PowerState.RUNNING, Mode.SUSPENDED, 4096)])
def test_a_vm_that_is_off_has_no_memory_to_send(state: PowerState, mode: Mode, sent: int) -> None:
    world = site(vm(root("kvm1/local"), power_state=state))
    (move,) = plan_of(world, with_storage(mode=mode, allow_downtime=True)).migrations
    assert move.mode is mode
    assert move.bytes_to_copy >= 10 * GIB + sent * 2**20
    assert (move.bytes_to_copy == 10 * GIB) is (sent == 0)


def test_a_running_vm_is_not_stopped_without_consent() -> None:
    world = site(vm(root("kvm1/local")))
    refused = plan_of(world, with_storage(mode=Mode.COLD))
    assert [reason.code for entry in refused.unplaced for reason in blocking(entry.reasons)] == ["downtime_not_allowed"]
    assert plan_of(world, with_storage(mode=Mode.COLD, allow_downtime=True)).migrations


def test_a_new_format_is_in_the_plan_and_needs_twice_the_room() -> None:
    asked = storage_only(root_pool="nfs-b", volume_format=VolumeFormat.RAW)
    (move,) = plan_of(site(vm(root())), asked).migrations
    assert [way.format for way in move.volumes] == ["raw"]
    assert plan_of(site(vm(root()), nfs_b={"free_bytes": 15 * GIB}), asked).unplaced


def test_the_checker_notices_a_pool_that_would_be_over_full_and_one_that_the_host_lacks() -> None:
    world = several(site(vm(root())), 2)
    request = PlanRequest(tuple(each.id for each in world.vms), intent=storage_only(root_pool="nfs-b"))
    good = make_plan(world, request)
    assert check_plan(world, good, request) == ()
    full = dataclasses.replace(world, pools=tuple(dataclasses.replace(pool, free_bytes=20 * GIB) if pool.id == "nfs-b" else pool for pool in world.pools))
    assert any("nfs-b" in fault for fault in check_plan(full, good, request))
    first = good.migrations[0]
    astray = dataclasses.replace(first, volumes=tuple(dataclasses.replace(way, target_pool="nfs-c") for way in first.volumes))
    wrong = dataclasses.replace(good, migrations=(astray, *good.migrations[1:]))
    assert any("does not have pool nfs-c" in fault for fault in check_plan(world, wrong, request))


SIZES = st.sampled_from([GIB, 11 * GIB, 25 * GIB, TIB])


@pytest.mark.rule("CSH-39", sign="+")
@pytest.mark.rule("CSH-39", sign="-")
@settings(max_examples=examples(150), deadline=None)
@given(
    st.sampled_from(["nfs-a", "nfs-z", "kvm1/local"]),
    st.sampled_from([MigrationType.STORAGE, MigrationType.HOST_STORAGE]),
    st.sampled_from([Mode.LIVE, Mode.SUSPENDED, Mode.COLD]),
    st.sampled_from(["", "nfs-b", "nfs-c", "nfs-z", "kvm2/local"]),
    st.booleans(),
    st.tuples(SIZES, SIZES, SIZES),
    st.sampled_from(["generic", "cloudstack_vmware", "cloudstack_kvm", "cloudstack_hyperv", "pcd", "cas"]),
)
def test_finding_and_planning_are_of_one_mind_about_storage(
    where: str, kind: MigrationType, mode: Mode, pool: str, downtime: bool, free: tuple[int, int, int], profile: str
) -> None:
    names = ("nfs_b", "nfs_c", "kvm2_local")
    world = site(vm(root(where), data(where)), profile, **{name: {"free_bytes": size} for name, size in zip(names, free, strict=True)})
    intent = Intent(type=kind, mode=mode, root_pool=pool, allow_downtime=downtime)
    subject = world.vms[0]
    found = find_targets(world, subject, PlanRequest((subject.id,), scope="site", intent=intent))
    for target in found:
        hosts = frozenset() if kind is MigrationType.STORAGE else frozenset({target.host})
        request = PlanRequest((subject.id,), scope="site", target_hosts=hosts, intent=intent)
        plan = make_plan(world, request)
        event("suitable" if target.suitable_for_migration else "not suitable")
        moves = any(way.moves for way in target.volume_map) or kind is MigrationType.HOST_STORAGE
        assert bool(plan.migrations) is (target.suitable_for_migration and moves), (target, plan)
        if plan.migrations:
            assert plan.migrations[0].volumes == target.volume_map
        assert check_plan(world, plan, request) == ()
