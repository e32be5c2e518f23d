# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is killed in the middle of a drain. No VM suffers, and the same task, run again at once, finishes what was begun."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.modules import Answer, begin_evacuate, begin_migrate, evacuate, migrate
from tests.integration.playbooks import RunningPlaybook
from tests.integration.worlds import RESTLESS_MIB_S, WITHIN_SECONDS, World, WorldVm, everyone_lives, running_on, wait_until

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


def begin_drain(world: World, folder: Path, count: int, dirty_mib_s: float = 0.0, **options: object) -> tuple[RunningPlaybook, list[WorldVm]]:
    """A playbook drains the first host of some VMs; the first of them is on its way."""
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first, dirty_mib_s=dirty_mib_s, autostart=number == 0) for number in range(count)]
    world.slow_links()
    run = RunningPlaybook(folder, "host_evacuate", {"site": world.site_options(), "hosts": [first], "state": "maintenance", **options})
    wait_until(lambda: len(world.in_flight()) > 0 or "PLAY RECAP" in run.output(), "the first move")
    assert world.in_flight(), run.output()
    return run, guests


def assert_drained(world: World, guests: list[WorldVm], answer: Answer) -> None:
    """Everything as if nothing had happened."""
    first, second, third = world.hosts
    assert not answer.failed, str(answer)
    for guest in guests:
        (host,) = world.where(guest).defined_on
        assert host in (second, third)
        assert world.where(guest) == running_on(host)
    assert everyone_lives(world, *guests)
    assert [world.autostart(guest) for guest in guests] == [number == 0 for number in range(len(guests))]
    assert {world.home(guest) for guest in guests} == {first}
    assert world.maintenance(first) == "maintenance"
    assert world.left_behind() == []


@pytest.mark.parametrize("way", ["group", "all"])
def test_a_killed_drain_is_finished_by_the_same_task_run_again_at_once(world: World, tmp_path: Path, way: str) -> None:
    first, _second, _third = world.hosts
    run, guests = begin_drain(world, tmp_path / "play", 3, parallel=2)
    flying = world.in_flight()
    (run.kill_group if way == "group" else run.kill_all)()
    answer = evacuate(world, first, state="maintenance")
    assert_drained(world, guests, answer)
    adopted = {entry["vm_name"] for entry in answer["migrations"] if entry["adopted"]}
    assert adopted & flying, str(answer)
    again = evacuate(world, first, state="maintenance")
    assert not again.changed, str(again)


def test_an_orphaned_module_starts_nothing_new_and_is_gone_within_seconds(world: World, tmp_path: Path) -> None:
    first, _second, _third = world.hosts
    run, guests = begin_drain(world, tmp_path / "play", 3, dirty_mib_s=RESTLESS_MIB_S, parallel=1)
    modules = run.modules()
    assert modules
    flying = world.in_flight()
    run.kill_group()
    wait_until(lambda: not any(process.is_alive() for process in modules), "the module to be gone", WITHIN_SECONDS)
    assert world.in_flight() == flying
    assert world.maintenance(first) == "preparing"
    world.fast_links()
    wait_until(lambda: not world.in_flight(), "the move that goes on alone")
    assert {guest.name for guest in guests if first not in world.where(guest).defined_on} == flying
    assert everyone_lives(world, *guests)
    answer = evacuate(world, first, state="maintenance")
    assert_drained(world, guests, answer)
    assert {entry["vm_name"] for entry in answer["migrations"] if entry["adopted"]} == flying


def test_a_playbook_that_is_left_alone_shows_its_progress_and_ends_well(world: World, tmp_path: Path) -> None:
    first, _second, _third = world.hosts
    run, guests = begin_drain(world, tmp_path / "play", 2)
    assert run.wait() == 0, run.output()
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)
    for guest in guests:
        assert f"{guest.name}  {first} -> " in run.output()
    assert "Traceback" not in run.output()


def test_no_traceback_is_shown_however_verbose(world: World, tmp_path: Path) -> None:
    first, _second, _third = world.hosts
    world.add_vm("web1", first)
    for number, options in enumerate(({"hosts": ["nowhere"]}, {"hosts": [first], "select": "name =="})):
        run = RunningPlaybook(tmp_path / str(number), "host_evacuate", {"site": world.site_options(), **options}, "-vvv")
        assert run.wait() != 0
        assert "fatal" in run.output() or "FAILED" in run.output() or "failed" in run.output()
        assert "Traceback" not in run.output()


@pytest.mark.parametrize("after_seconds", [0.4, 0.6, 0.8, 1.0, 1.3, 1.6])
@pytest.mark.matrix
def test_whenever_a_drain_is_killed_the_next_one_finishes_it(world: World, after_seconds: float) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first, autostart=number == 0) for number in range(2)]
    run = begin_evacuate(world, first, state="maintenance")
    time.sleep(after_seconds)
    run.kill()
    assert_drained(world, guests, evacuate(world, first, state="maintenance"))


def claimed(world: World, _web: WorldVm) -> bool:
    return any("claim" in thing for thing in world.left_behind())


def noted(world: World, _web: WorldVm) -> bool:
    return any("note" in thing for thing in world.left_behind())


def arrived(world: World, web: WorldVm) -> bool:
    return world.hosts[0] not in world.where(web).defined_on


@pytest.mark.parametrize("moment", [claimed, noted, arrived])
def test_a_move_that_is_killed_between_two_steps_is_finished_by_the_next_one(world: World, moment: Callable[[World, WorldVm], bool]) -> None:
    """As close behind the step as this test can look; whatever the killed run has done by then, nothing of it is left afterwards."""
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    run = begin_migrate(world, web, target_host=second)
    until = time.monotonic() + WITHIN_SECONDS
    while run.is_running() and not moment(world, web) and time.monotonic() < until:
        pass
    run.kill()
    answer = migrate(world, web, target_host=second)
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert world.autostart(web)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_a_killed_move_is_adopted_by_the_next_move_of_that_vm(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    world.slow_links()
    run = begin_migrate(world, web, target_host=second)
    wait_until(lambda: "web1" in world.in_flight(), "the move")
    run.kill()
    answer = migrate(world, web, target_host=second)
    assert not answer.failed, str(answer)
    assert answer.migration_of(web)["adopted"]
    assert world.where(web) == running_on(second)
    assert world.autostart(web)
    assert everyone_lives(world, web)
    assert world.left_behind() == []
    assert not migrate(world, web, target_host=second).changed
    world.fast_links()
    assert migrate(world, web, target_host=third).changed


def test_a_killed_move_to_a_target_that_is_no_longer_wanted_is_finished_and_then_moved_on(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    world.slow_links()
    run = begin_migrate(world, web, target_host=second)
    wait_until(lambda: "web1" in world.in_flight(), "the move")
    run.kill()
    answer = migrate(world, web, target_host=third)
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(third)
    assert world.autostart(web)
    assert everyone_lives(world, web)
    assert world.left_behind() == []
