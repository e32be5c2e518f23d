# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run died between two of its calls, each in turn. The next run finds what it left, finishes or undoes it, and leaves nothing of it."""

from __future__ import annotations

import pytest

from tests.integration.dead_runs import STEPS, die_after, vanished_controller
from tests.integration.modules import evacuate, migrate
from tests.integration.worlds import World, everyone_lives, running_on

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


@pytest.mark.rule("CSH-31", sign="+")
@pytest.mark.parametrize("step", STEPS)
def test_a_drain_is_taken_up_where_the_dead_one_ended(world: World, step: str) -> None:
    first, second, third = world.hosts
    web, other = world.add_vm("web1", first, autostart=True), world.add_vm("web2", first)
    if step == "in_flight":
        world.slow_links()
    die_after(world, step, web, first, second)
    predicted = evacuate(world, first, state="maintenance", check=True)
    assert not predicted.failed, str(predicted)
    assert predicted.changed
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    for vm in (web, other):
        (host,) = world.where(vm).defined_on
        assert host in (second, third)
        assert world.where(vm) == running_on(host)
        assert world.home(vm) == first
    if step in ("in_flight", "arrived"):
        assert world.where(web) == running_on(second)
        assert answer.migration_of(web)["adopted"]
    assert (world.autostart(web), world.autostart(other)) == (True, False)
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, web, other)
    assert world.left_behind() == []
    assert not evacuate(world, first, state="maintenance").changed


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.matrix
def test_a_move_is_taken_up_where_the_dead_drain_ended(world: World, step: str) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    if step == "in_flight":
        world.slow_links()
    die_after(world, step, web, first, second)
    answer = migrate(world, web, target_host=third)
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(third)
    assert world.autostart(web)
    assert everyone_lives(world, web)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.matrix
def test_the_host_can_be_opened_after_a_dead_drain(world: World, step: str) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    die_after(world, step, web, first, second)
    opened = evacuate(world, first, state="available")
    assert not opened.failed, str(opened)
    assert opened.changed
    assert world.maintenance(first) == "available"
    assert everyone_lives(world, web)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.matrix
def test_a_dead_drain_claims_no_memory_for_long(world: World, step: str) -> None:
    """Its claim on the target counts no more than what is there: a VM that needs all the rest gets it at once."""
    first, second, third = world.hosts
    web, large = world.add_vm("web1", first, memory_mib=64), world.add_vm("large", third, memory_mib=128)
    world.set_host_memory(second, 192 if step in ("in_flight", "arrived") else 128)
    die_after(world, step, web, first, second)
    answer = migrate(world, large, target_host=second)
    assert not answer.failed, str(answer)
    assert world.where(large) == running_on(second)


@pytest.mark.parametrize("step", ["noted", "in_flight", "arrived"])
@pytest.mark.matrix
def test_a_drain_of_another_machine_that_vanished_is_finished_too(world: World, step: str) -> None:
    """Its claims look alive at first, because nobody can look up its process from here; that must not make its move look finished."""
    first, second, third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    if step == "in_flight":
        world.slow_links()
    die_after(world, step, web, first, second, vanished_controller())
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, answer
    (host,) = world.where(web).defined_on
    assert host in ((second, third) if step == "noted" else (second,))
    assert world.autostart(web)
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, web)
    # Its claim of memory on the target goes unrenewed and counts no more; nothing else of it is left.
    assert [left for left in world.left_behind() if "memory" not in left] == []


def test_a_vm_that_a_vanished_run_has_brought_to_its_target_is_finished_there(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    die_after(world, "arrived", web, first, second, vanished_controller())
    predicted = migrate(world, web, target_host=second, check=True)
    answer = migrate(world, web, target_host=second)
    assert not answer.failed, answer
    assert (predicted.changed, answer.changed) == (True, True)
    assert world.where(web) == running_on(second)
    assert world.autostart(web)
