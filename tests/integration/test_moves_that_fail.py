# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves fail, and no VM suffers from it: it stays where it was, alive, and is tried on the next host."""

from __future__ import annotations

import pytest

from tests.integration.modules import evacuate, migrate
from tests.integration.world_simulator import SimulatorWorld
from tests.integration.worlds import World, everyone_lives, running_on

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


def test_a_destination_that_refuses_is_followed_by_the_next_one(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.add_vm("ballast", third, memory_mib=256)
    for host in (second, third):
        world.set_host_memory(host, 1024)
    world.refuse_incoming(second)
    answer = migrate(world, web, source_host=first)
    assert answer.changed, str(answer)
    assert [attempt["target_host"] for attempt in answer.migration_of(web)["attempts"]] == [second, third]
    assert world.where(web) == running_on(third)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_a_drain_goes_on_with_the_hosts_that_take_vms(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(3)]
    world.refuse_incoming(second)
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    assert [world.where(guest) for guest in guests] == [running_on(third)] * 3
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)


@pytest.mark.rule("CSH-31", sign="-")
def test_when_nobody_takes_it_the_vm_stays_and_every_attempt_is_told(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    world.refuse_incoming(second)
    world.refuse_incoming(third)
    answer = evacuate(world, first, state="maintenance")
    assert answer.failed
    assert "web1" in answer.message
    assert {attempt["target_host"] for attempt in answer.migration_of(web)["attempts"]} == {second, third}
    assert world.where(web) == running_on(first)
    assert world.autostart(web)
    assert world.maintenance(first) == "available"
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_without_retries_only_one_host_is_tried(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.refuse_incoming(second)
    world.refuse_incoming(third)
    answer = migrate(world, web, source_host=first, retries=0)
    assert answer.failed
    assert len(answer.migration_of(web)["attempts"]) == 1
    assert world.where(web) == running_on(first)


def test_a_copy_that_breaks_in_the_middle_is_made_again_elsewhere(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    with world.break_first_copy(web):
        answer = migrate(world, web, source_host=first)
    assert answer.changed, str(answer)
    attempts = answer.migration_of(web)["attempts"]
    assert [attempt["phase"] for attempt in attempts] == ["failed", "done"]
    assert {attempt["target_host"] for attempt in attempts} == {second, third}
    assert world.where(web) == running_on(attempts[-1]["target_host"])
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_a_destination_that_loses_power_in_the_middle_costs_nothing(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.set_host_memory(third, 80)
    world.slow_links()
    with world.lose_power_during_move(second):
        answer = evacuate(world, first, state="maintenance")
    assert [attempt["target_host"] for attempt in answer.migration_of(web)["attempts"]] == [second, third], str(answer)
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(third)
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, web)


@pytest.mark.simulator
def test_a_source_that_loses_power_is_told_as_what_it_is(simulator_world: SimulatorWorld) -> None:
    """On the simulator alone: a minute and a half pass before a silent source is given up, and its clock can run faster."""
    world = simulator_world
    first, second, third = world.hosts
    web, neighbour = world.add_vm("web1", first), world.add_vm("neighbour", second)
    world.slow_links(speed=15.0)
    with world.lose_power_during_move(first):
        answer = evacuate(world, first, state="maintenance")
    assert answer.failed
    assert answer.migration_of(web)["phase"] in ("failed", "unknown"), str(answer)
    assert first in answer.message
    assert {second, third}.isdisjoint(world.where(web).defined_on)
    assert world.maintenance(second) == "available"
    assert everyone_lives(world, neighbour)


def test_a_move_that_stands_still_is_aborted_and_the_vm_stays(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    with world.cut_link_during_move(first):
        answer = migrate(world, web, source_host=first, stall_seconds=3, retries=0)
    assert answer.failed
    assert "move_stalled" in answer.reasons_of(web)
    assert world.where(web) == running_on(first)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


@pytest.mark.rule("CSH-26", sign="-")
def test_a_move_that_takes_too_long_is_aborted_and_the_vm_stays(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    answer = migrate(world, web, source_host=first, timeout_seconds=1, retries=0)
    assert answer.failed
    assert "move_timeout" in answer.reasons_of(web)
    assert world.where(web) == running_on(first)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


@pytest.mark.rule("CSH-26", sign="+")
def test_a_timeout_may_be_let_pass(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    answer = migrate(world, web, target_host=second, timeout_seconds=1, on_timeout="continue")
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
