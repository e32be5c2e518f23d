# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several controllers at work at once never over-commit a host, never move one VM twice, and say what they did not get."""

from __future__ import annotations

import pytest

from tests.integration.modules import begin_evacuate, begin_migrate, evacuate
from tests.integration.worlds import LONG_SECONDS, World, everyone_lives, running_on, wait_until

ON_VSPHERE = True

pytestmark = pytest.mark.any_core

GUEST_MIB = 64


def test_two_drains_into_a_host_that_holds_only_half_never_over_commit_it(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"{group}{number}", host, memory_mib=GUEST_MIB) for number in range(3) for group, host in (("web", first), ("db", second))]
    capacity_mib = 3 * GUEST_MIB
    world.set_host_memory(third, capacity_mib)
    world.slow_links()
    runs = [begin_evacuate(world, host, target_hosts=[third], allow_partial=True) for host in (first, second)]
    highest_mib = 0

    def both_ended() -> bool:
        nonlocal highest_mib
        highest_mib = max(highest_mib, world.memory_used_mib(third))
        return not any(run.is_running() for run in runs)

    wait_until(both_ended, "the end of both drains", LONG_SECONDS)
    answers = [run.answer() for run in runs]
    assert 0 < highest_mib <= capacity_mib
    arrived = [guest for guest in guests if world.where(guest) == running_on(third)]
    assert len(arrived) == 3
    for host, answer in zip((first, second), answers, strict=True):
        stayed = {guest.name for guest in guests if world.where(guest) == running_on(host)}
        assert answer.failed == bool(stayed)
        assert {remaining["vm_name"] for remaining in answer["remaining"]} == stayed
        for remaining in answer["remaining"]:
            assert "insufficient_memory" in str(remaining["reasons"])
    assert any(answer.failed for answer in answers)
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_of_four_controllers_that_want_the_last_place_in_the_same_moment_one_gets_it(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", (first, second)[number % 2], memory_mib=GUEST_MIB) for number in range(4)]
    world.set_host_memory(third, GUEST_MIB + GUEST_MIB // 2)
    runs = [begin_migrate(world, guest, target_host=third) for guest in guests]
    answers = [run.answer() for run in runs]
    arrived = [guest for guest in guests if world.where(guest) == running_on(third)]
    assert len(arrived) == 1
    assert [answer.failed for answer in answers] == [guest not in arrived for guest in guests]
    assert all("insufficient_memory" in answer.message for answer in answers if answer.failed)
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_two_controllers_never_bring_together_what_must_be_apart(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm("web1", first), world.add_vm("web2", second)]
    for guest in guests:
        world.describe_vm(guest, affinity=[{"group": "web", "kind": "anti_affinity"}])
    runs = [begin_migrate(world, guest, target_host=third) for guest in guests]
    answers = [run.answer() for run in runs]
    arrived = [guest for guest in guests if world.where(guest) == running_on(third)]
    assert len(arrived) == 1
    assert [answer.failed for answer in answers] == [guest not in arrived for guest in guests]
    assert all("anti_affinity" in answer.message for answer in answers if answer.failed)
    assert everyone_lives(world, *guests)


def test_two_controllers_that_drain_one_host_come_one_after_the_other(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(2)]
    world.slow_links()
    earlier = begin_evacuate(world, first, state="maintenance")
    wait_until(lambda: len(world.in_flight()) > 0, "the first move")
    later = begin_evacuate(world, first, state="maintenance")
    answers = earlier.answer(), later.answer()
    assert [answer.failed for answer in answers] == [False, False]
    assert [answer.changed for answer in answers] == [True, False]
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_the_second_drain_of_a_host_gives_up_after_the_time_that_it_was_given(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(2)]
    world.slow_links()
    earlier = begin_evacuate(world, first, state="maintenance", parallel=1)
    wait_until(lambda: len(world.in_flight()) > 0, "the first move")
    later = evacuate(world, first, state="maintenance", claim_wait_seconds=1)
    assert later.failed
    assert later.code == "operation_in_progress"
    assert first in later.message
    opened = evacuate(world, first, state="available")
    assert opened.failed
    assert opened.code == "operation_in_progress"
    assert not earlier.answer().failed
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)


@pytest.mark.rule("PCD-03", sign="+")
def test_two_controllers_that_move_one_vm_move_it_once(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    runs = [begin_migrate(world, web, source_host=first) for _controller in range(2)]
    answers = [run.answer() for run in runs]
    assert not any(answer.failed for answer in answers), "\n".join(map(str, answers))
    (host,) = world.where(web).defined_on
    assert host in (second, third)
    assert world.where(web) == running_on(host)
    assert sorted(answer.changed for answer in answers) == [False, True]
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_a_drain_and_a_move_of_one_of_its_vms_do_not_fight(world: World) -> None:
    first, second, third = world.hosts
    web, other = world.add_vm("web1", first), world.add_vm("web2", first)
    world.slow_links()
    mover = begin_migrate(world, web, target_host=third)
    wait_until(lambda: "web1" in world.in_flight(), "the move of web1")
    drained = evacuate(world, first, state="maintenance", target_hosts=[second, third])
    moved = mover.answer()
    assert not moved.failed, str(moved)
    assert not drained.failed, str(drained)
    assert world.where(web) == running_on(third)
    assert world.where(other).defined_on.isdisjoint({first})
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, web, other)
    assert world.left_behind() == []
