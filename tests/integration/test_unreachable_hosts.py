# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that do not answer: one that is not needed stops nobody; one that is named stops the run before anything is done."""

from __future__ import annotations

import pytest

from tests.integration.modules import evacuate, migrate, read_site
from tests.integration.worlds import World, everyone_lives, running_on

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


def test_a_third_host_that_does_not_answer_is_left_out_and_stops_nobody(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(2)]
    stranded = world.add_vm("stranded", third)
    world.go_dark(third)
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    assert [world.where(guest) for guest in guests] == [running_on(second)] * 2
    assert third in str(answer["warnings"]) or "uniqueness_unproven" in str(answer["warnings"])
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests, stranded)


def test_a_host_that_does_not_answer_is_named_as_such_in_the_site(world: World) -> None:
    first, second, third = world.hosts
    world.go_dark(third)
    answer = read_site(world)
    assert {host["name"]: host["state"] for host in answer["hosts"]} == {first: "up", second: "up", third: "unreachable"}


def test_the_host_to_be_emptied_must_answer(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    before = world.digest()
    world.go_dark(first)
    after_cut = world.digest()
    answer = evacuate(world, first, state="maintenance")
    assert answer.failed
    assert answer.code == "host_unreachable"
    assert first in answer.message
    assert world.digest() in (before, after_cut)
    assert everyone_lives(world, web)


def test_a_named_target_must_answer(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.go_dark(second)
    before = world.digest()
    for answer in (migrate(world, web, target_host=second), evacuate(world, first, target_hosts=[second])):
        assert answer.failed
        assert answer.code == "host_unreachable"
        assert second in answer.message
    assert world.digest() == before
    assert world.where(web) == running_on(first)
