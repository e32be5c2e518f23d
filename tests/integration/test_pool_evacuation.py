# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage pools that are emptied under running guests, looked into, and taken out of use."""

from __future__ import annotations

import pytest

from tests.integration.killing import killed_before
from tests.integration.modules import Answer, begin_evacuate_pools, evacuate_pools, migrate
from tests.integration.world_simulator import SimulatorWorld
from tests.integration.worlds import World, WorldVm, everyone_lives, off_on, running_on, wait_until
from tests.matrix import IS_WHOLE, calls_to_die_before

ON_VSPHERE = True

pytestmark = pytest.mark.any_core

SHARED = "shared"
SLOW_MIB_S = 1
"""So that the copy of one disk takes some seconds, and what happens meanwhile can be seen."""


def pool_of(world: World, vm: WorldVm) -> str:
    """The pool of its only disk."""
    (pool,) = world.pools(vm).values()
    return pool


def left_in(answer: Answer) -> dict[str, str]:
    """Name of the volume -> whose it is, of everything that is still in the pools."""
    return {content["name"]: content["owner"] for content in answer["remaining"]}


def retire(world: World, *pools: str, **options: object) -> Answer:
    """Empty pools for good; their volumes go to the common pool."""
    return evacuate_pools(world, *pools, state="maintenance", storage_class="shared", **options)


def test_a_pool_is_emptied_under_a_running_guest_and_a_second_run_changes_nothing(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    web, spare = world.add_vm("web1", first, local_disk=True), world.add_vm("spare1", first, local_disk=True, power="off", autostart=True)
    free = world.add_vm("free1", first)
    answer = retire(world, local, why="the disk is failing")
    assert not answer.failed, str(answer)
    assert answer.changed
    assert {vm.name: pool_of(world, vm) for vm in (web, spare, free)} == {"web1": SHARED, "spare1": SHARED, "free1": SHARED}
    assert world.where(web) == running_on(first)
    assert world.where(spare) == off_on(first)
    assert world.autostart(spare)
    assert everyone_lives(world, web, free)
    assert world.volumes(local) == frozenset()
    assert world.pool_maintenance(local) == "maintenance"
    assert world.pool_maintenance_note(local)["why"] == "the disk is failing"
    assert world.left_behind() == []
    assert {entry["vm_name"]: entry["mode"] for entry in answer["migrations"]} == {"web1": "live", "spare1": "offline"}
    before = world.digest()
    again = retire(world, local, why="the disk is failing")
    assert not again.failed
    assert not again.changed
    assert world.digest() == before


def test_a_pool_in_maintenance_takes_nothing_until_it_is_opened(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    web = world.add_vm("web1", first)
    assert not retire(world, local).failed
    refused = migrate(world, web, type="storage", target_pool=local, storage_class="local")
    assert refused.failed
    assert "pool_in_maintenance" in refused.message
    assert pool_of(world, web) == SHARED
    opened = evacuate_pools(world, local, state="available")
    assert opened.changed
    assert world.pool_maintenance(local) == "available"
    assert not evacuate_pools(world, local, state="available").changed
    assert not migrate(world, web, type="storage", target_pool=local, storage_class="local").failed
    assert pool_of(world, web) == local


def test_volumes_of_nobody_are_named_with_their_size_and_stay(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    web = world.add_vm("web1", first, local_disk=True)
    world.add_volume(f"old-export{world.suffix}", local)
    world.add_volume("rescue.iso", local)
    answer = retire(world, local, diff=True)
    assert not answer.failed, str(answer)
    assert left_in(answer) == {f"old-export{world.suffix}": "orphan", "rescue.iso": "iso"}
    assert world.volumes(local) == {f"old-export{world.suffix}", "rescue.iso"}
    assert world.pool_maintenance(local) == "maintenance"
    (pool,) = answer["pools"]
    assert (pool["volumes_left"], pool["volumes_needed"]) == (2, 0)
    assert pool["bytes_left"] > 0
    assert {reason["code"] for reason in answer["warning_reasons"]} >= {"volumes_left"}
    assert everyone_lives(world, web)
    assert f"pool {local}: maintenance" in answer["diff"]["after"]


def test_volumes_of_nobody_are_deleted_only_where_they_are_named_and_nobody_needs_them(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    web = world.add_vm("web1", first, local_disk=True)
    world.add_volume(f"old-export{world.suffix}", local)
    world.add_volume(f"keep-me{world.suffix}", local)
    before = world.digest()
    (disk,) = world.volumes(local) - {f"old-export{world.suffix}", f"keep-me{world.suffix}"}
    refused = retire(world, local, orphans="delete", delete_orphans=[f"{local}/{disk}"])
    assert (refused.failed, refused.code) == (True, "volume_in_use"), str(refused)
    assert "web1" in refused.message
    assert retire(world, local, orphans="delete").code == "orphans_unnamed"
    assert retire(world, local, delete_orphans=[f"{local}/old-export{world.suffix}"]).code == "orphans_unnamed"
    predicted = retire(world, local, check=True, orphans="delete", delete_orphans=[f"{local}/old-export{world.suffix}"])
    assert predicted["deleted"] == [f"{local}/old-export{world.suffix}"]
    assert left_in(predicted) == {f"keep-me{world.suffix}": "orphan"}
    assert world.digest() == before
    assert disk in world.volumes(local)
    answer = retire(world, local, orphans="delete", delete_orphans=[f"{local}/old-export{world.suffix}"])
    assert not answer.failed, str(answer)
    assert answer["deleted"] == [f"{local}/old-export{world.suffix}"]
    assert world.volumes(local) == {f"keep-me{world.suffix}"}
    assert everyone_lives(world, web)
    assert world.left_behind() == []
    assert not retire(world, local, orphans="delete", delete_orphans=[f"{local}/old-export{world.suffix}"]).changed


def test_check_mode_shows_the_plan_and_writes_nothing(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    world.add_vm("web1", first, local_disk=True)
    world.add_vm("spare1", first, local_disk=True, power="off")
    world.add_volume(f"old-export{world.suffix}", local)
    before = world.written()
    predicted = retire(world, local, check=True, diff=True)
    assert not predicted.failed, str(predicted)
    assert predicted.changed
    assert world.written() == before
    assert {entry["vm_name"]: entry["mode"] for entry in predicted["migrations"]} == {"web1": "live", "spare1": "offline"}
    assert left_in(predicted) == {f"old-export{world.suffix}": "orphan"}
    assert predicted["pools"][0]["state"] == "maintenance"
    assert f"pool {local}: maintenance" in predicted["diff"]["after"]
    run = retire(world, local, approved_plan=predicted["plan"])
    assert not run.failed, str(run)
    assert left_in(run) == left_in(predicted)


def test_the_pools_of_two_hosts_are_emptied_in_one_plan(world: World) -> None:
    first, second, _third = world.hosts
    one, two = world.add_vm("one", first, local_disk=True), world.add_vm("two", second, local_disk=True)
    answer = retire(world, world.local(first), world.local(second))
    assert not answer.failed, str(answer)
    assert {pool_of(world, one), pool_of(world, two)} == {SHARED}
    assert (world.where(one), world.where(two)) == (running_on(first), running_on(second))
    assert everyone_lives(world, one, two)
    assert {pool["id"]: pool["state"] for pool in answer["pools"]} == {world.local(first): "maintenance", world.local(second): "maintenance"}


def test_vms_go_along_with_their_volumes_where_the_host_has_no_other_pool(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    web = world.add_vm("web1", first, local_disk=True)
    alone = evacuate_pools(world, local, state="maintenance")
    assert alone.failed
    assert alone.code == "vms_unplaced"
    assert world.pool_maintenance(local) == "available"
    answer = evacuate_pools(world, local, state="maintenance", type="host_storage")
    assert not answer.failed, str(answer)
    (host,) = world.where(web).defined_on
    assert host != first
    assert pool_of(world, web) == world.local(host)
    assert everyone_lives(world, web)
    assert world.volumes(local) == frozenset()


def test_what_is_not_selected_stays_is_named_and_keeps_the_pool_in_use(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    small, large = world.add_vm("small", first, local_disk=True), world.add_vm("large", first, local_disk=True, memory_mib=128)
    answer = retire(world, local, select="memory_mib < `100`")
    assert answer.failed
    assert "large" in answer.message
    assert "not_selected" in answer.message
    assert pool_of(world, small) == SHARED
    assert pool_of(world, large) == local
    assert everyone_lives(world, small, large)
    assert world.pool_maintenance(local) == "available"
    kept = retire(world, local, select="memory_mib < `100`", on_failure="keep_closed")
    assert kept.failed
    assert world.pool_maintenance(local) == "preparing"


@pytest.mark.simulator
def test_a_copy_that_breaks_leaves_its_vm_where_it_was_and_the_next_run_goes_on(simulator_world: SimulatorWorld) -> None:
    world = simulator_world
    first, _second, _third = world.hosts
    local = world.local(first)
    web, other = world.add_vm("web1", first, local_disk=True), world.add_vm("other1", first, local_disk=True)
    with world.break_first_copy(web):
        answer = retire(world, local, on_failure="keep_closed", retries=0)
    assert answer.failed
    assert world.pool_maintenance(local) == "preparing"
    assert pool_of(world, other) == SHARED
    assert everyone_lives(world, web, other)
    again = retire(world, local)
    assert not again.failed, str(again)
    assert pool_of(world, web) == SHARED
    assert everyone_lives(world, web, other)
    assert world.volumes(local) == frozenset()
    assert world.left_behind() == []


def test_a_run_that_was_killed_is_ended_by_the_next_one(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    web, spare = world.add_vm("web1", first, local_disk=True), world.add_vm("spare1", first, local_disk=True, power="off", autostart=True)
    world.slow_copies()
    run = begin_evacuate_pools(world, local, state="maintenance", storage_class="shared", parallel=1, bandwidth_mib_s=SLOW_MIB_S)
    wait_until(lambda: bool(world.in_flight()) or pool_of(world, web) == SHARED or not run.is_running(), "a move under way")
    run.kill()
    assert world.pool_maintenance(local) == "preparing"
    answer = retire(world, local)
    assert not answer.failed, str(answer)
    assert (pool_of(world, web), pool_of(world, spare)) == (SHARED, SHARED)
    assert world.where(web) == running_on(first)
    assert world.where(spare) == off_on(first)
    assert world.autostart(spare)
    assert everyone_lives(world, web)
    assert world.volumes(local) == frozenset()
    assert world.pool_maintenance(local) == "maintenance"
    assert world.left_behind() == []


def test_two_runs_do_not_empty_one_pool_at_once_and_one_can_be_asked_to_stop(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    vms = [world.add_vm(f"web{number}", first, local_disk=True) for number in range(6)]
    world.slow_copies()
    run = begin_evacuate_pools(world, local, state="maintenance", storage_class="shared", parallel=1, bandwidth_mib_s=SLOW_MIB_S)
    wait_until(lambda: world.pool_maintenance(local) == "preparing", "the pool's closing")
    other = retire(world, local, claim_wait_seconds=0)
    assert other.failed
    assert other.code == "operation_in_progress"
    opened = evacuate_pools(world, local, state="available")
    assert opened.code == "operation_in_progress"
    asked = evacuate_pools(world, local, state="cancelled")
    assert asked.changed
    assert "Asked to stop" in asked.message
    answer = run.answer()
    assert answer.failed
    assert answer["stopped_by"] == "stop_request"
    assert world.pool_maintenance(local) == "available"
    assert everyone_lives(world, *vms)
    assert world.left_behind() == []
    idle = evacuate_pools(world, local, state="cancelled")
    assert not idle.changed
    assert "Not being emptied" in idle.message


@pytest.mark.rule("CSH-28", sign="+")
@pytest.mark.timeout(900)
def test_whichever_call_the_run_dies_before_the_next_one_ends_the_work(world: World) -> None:
    first, _second, _third = world.hosts
    local = world.local(first)
    web, spare = world.add_vm("web1", first, local_disk=True), world.add_vm("spare1", first, local_disk=True, power="off", autostart=True)
    died_before = []
    for number in calls_to_die_before():
        world.add_volume(f"old-{number}{world.suffix}", local)
        wanted = {
            "state": "maintenance",
            "storage_class": "shared",
            "parallel": 1,
            "orphans": "delete",
            "delete_orphans": [f"{local}/old-{number}{world.suffix}"],
        }
        call = killed_before(number, "pool_evacuate", {"site": world.site_options(), "pools": [local], **wanted})
        if not call:
            break
        died_before.append(call)
        answer = evacuate_pools(world, local, **wanted)
        assert not answer.failed, f"killed before call {number} ({call}): {answer!r}"
        assert (pool_of(world, web), pool_of(world, spare)) == (SHARED, SHARED), call
        assert (world.where(web), world.where(spare)) == (running_on(first), off_on(first)), call
        assert world.autostart(spare), call
        assert everyone_lives(world, web), call
        assert world.volumes(local) == frozenset(), call
        assert world.pool_maintenance(local) == "maintenance", call
        assert world.left_behind() == [], call
        assert evacuate_pools(world, local, state="available").changed
        for vm, mode in ((web, "live"), (spare, "offline")):
            back = migrate(world, vm, type="storage", mode=mode, target_pool=local, storage_class="local")
            assert not back.failed, str(back)
    assert len(died_before) >= 5
    assert not IS_WHOLE or {"claim", "set_pool_maintenance", "write_note", "start", "finish", "delete_volume", "release"} <= set(died_before)
    assert not IS_WHOLE or died_before.count("set_pool_maintenance") == 2
