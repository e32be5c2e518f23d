# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody else migrates a VM with the hypervisor's own tools in the same moment: that is waited for, reported, and left alone."""

from __future__ import annotations

import pytest

from tests.integration.modules import begin_evacuate, evacuate, migrate
from tests.integration.worlds import World, everyone_lives, running_on, wait_until

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


@pytest.mark.rule("CAS-27", sign="-")
def test_a_drain_waits_for_a_foreign_migration_and_leaves_it_alone(world: World) -> None:
    first, second, third = world.hosts
    theirs, ours = world.add_vm("theirs", first), world.add_vm("ours", first)
    world.slow_links()
    foreign = world.start_foreign_migration(theirs, third)
    answer = evacuate(world, first, state="maintenance", target_hosts=[second, third])
    assert foreign.wait()
    assert not answer.failed, str(answer)
    entry = answer.migration_of(theirs)
    assert entry["foreign"]
    assert "foreign_migration" in answer.reasons_of(theirs)
    assert world.where(theirs) == running_on(third)
    assert world.where(ours).defined_on.isdisjoint({first})
    assert world.home(theirs) == ""
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, theirs, ours)
    assert world.left_behind() == []


def test_a_foreign_migration_that_begins_during_the_drain_is_left_alone(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(3)]
    world.slow_links()
    run = begin_evacuate(world, first, state="maintenance", target_hosts=[second], parallel=1)
    wait_until(lambda: len(world.in_flight()) > 0, "the first move of the drain")
    theirs = next(guest for guest in reversed(guests) if guest.name not in world.in_flight())
    foreign = world.start_foreign_migration(theirs, third)
    answer = run.answer()
    assert foreign.wait()
    assert not answer.failed, str(answer)
    assert world.where(theirs) == running_on(third)
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_one_move_waits_for_a_foreign_migration_of_its_vm(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    foreign = world.start_foreign_migration(web, third)
    away = migrate(world, web, source_host=first)
    assert foreign.wait()
    assert not away.failed, str(away)
    assert world.where(web) == running_on(third)
    world.fast_links()
    assert migrate(world, web, target_host=second).changed
    assert world.where(web) == running_on(second)
    assert everyone_lives(world, web)
