# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run does what somebody approved, or says what has changed since."""

from __future__ import annotations

import pytest

from tests.integration.modules import begin_evacuate, evacuate
from tests.integration.worlds import World, running_on, wait_until

ON_VSPHERE = True


def test_the_approved_plan_is_carried_out(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(2)]
    approved = evacuate(world, first, check=True)["plan"]
    ran = evacuate(world, first, approved_plan=approved["plan_id"])
    assert not ran.failed, str(ran)
    targets = {entry["vm_name"]: entry["target_host"] for entry in approved["migrations"]}
    assert {guest.name: world.where(guest) for guest in guests} == {name: running_on(host) for name, host in targets.items()}


@pytest.mark.rule("PCD-03", sign="-")
def test_a_plan_that_has_changed_is_refused_move_by_move_and_nothing_is_done(world: World) -> None:
    first, second, third = world.hosts
    world.add_vm("web1", first)
    approved = evacuate(world, first, check=True)["plan"]
    target = approved["migrations"][0]["target_host"]
    other = third if target == second else second
    world.set_host_memory(target, 32)
    before = world.digest()
    refused = evacuate(world, first, approved_plan=approved)
    assert refused.failed
    assert refused.code == "plan_changed"
    assert "web1" in refused.message
    assert target in refused.message
    assert other in refused.message
    assert world.digest() == before
    assert evacuate(world, first, approved_plan=approved["plan_id"]).code == "plan_changed"
    assert world.digest() == before


def test_a_plan_that_has_changed_is_made_anew_where_that_is_allowed(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    approved = evacuate(world, first, check=True)["plan"]
    target = approved["migrations"][0]["target_host"]
    world.set_host_memory(target, 32)
    ran = evacuate(world, first, approved_plan=approved, on_plan_change="replan")
    assert not ran.failed, str(ran)
    assert "plan_changed" in str(ran["warnings"])
    assert world.where(web) == running_on(third if target == second else second)


def test_an_approved_plan_is_taken_up_again_after_a_part_of_it(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(3)]
    approved = evacuate(world, first, state="maintenance", check=True)["plan"]
    world.slow_links()
    run = begin_evacuate(world, first, state="maintenance", approved_plan=approved, parallel=1)
    wait_until(lambda: len(world.in_flight()) > 0, "the first move")
    run.kill()
    world.fast_links()
    for given in (approved, approved["plan_id"]):
        resumed = evacuate(world, first, state="maintenance", approved_plan=given)
        assert not resumed.failed, str(resumed)
    targets = {entry["vm_name"]: entry["target_host"] for entry in approved["migrations"]}
    assert {guest.name: world.where(guest) for guest in guests} == {name: running_on(host) for name, host in targets.items()}


def test_a_finished_plan_needs_no_approval(world: World) -> None:
    first, _second, _third = world.hosts
    world.add_vm("web1", first)
    approved = evacuate(world, first, check=True)["plan"]
    assert not evacuate(world, first, approved_plan=approved).failed
    again = evacuate(world, first, approved_plan=approved)
    assert not again.failed, str(again)
    assert not again.changed
