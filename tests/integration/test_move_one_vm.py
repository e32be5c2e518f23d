# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One VM is moved: live, to a named host or away from one, and it is kept as it was. A second run finds nothing to do."""

from __future__ import annotations

from tests.integration.modules import evacuate, migrate
from tests.integration.worlds import World, everyone_lives, off_on, paused_on, running_on

ON_VSPHERE = True


def test_a_vm_moves_live_to_the_named_host_and_a_second_run_changes_nothing(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    answer = migrate(world, web, target_host=second)
    assert answer.changed, str(answer)
    assert not answer.failed, str(answer)
    assert answer.moved() == {"web1": second}
    assert world.where(web) == running_on(second)
    assert everyone_lives(world, web)
    assert world.left_behind() == []
    before = world.digest()
    again = migrate(world, web, target_host=second)
    assert not again.changed, str(again)
    assert not again.failed, str(again)
    assert world.digest() == before


def test_a_vm_leaves_the_host_that_is_named_and_a_second_run_changes_nothing(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    answer = migrate(world, web, source_host=first)
    assert answer.changed, str(answer)
    (target,) = world.where(web).defined_on
    assert target != first
    assert world.where(web) == running_on(target)
    assert not migrate(world, web, source_host=first).changed
    assert everyone_lives(world, web)


def test_a_vm_avoids_the_hosts_that_are_named(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    assert migrate(world, web, avoid=[first, second]).changed
    assert world.where(web) == running_on(third)
    assert not migrate(world, web, avoid=[first, second]).changed


def test_a_vm_that_dirties_its_memory_arrives_alive(world: World) -> None:
    first, second, _third = world.hosts
    busy = world.add_vm("busy", first, dirty_mib_s=8)
    assert migrate(world, busy, target_host=second).changed
    assert world.where(busy) == running_on(second)
    assert everyone_lives(world, busy)


def test_a_paused_vm_stays_paused(world: World) -> None:
    first, second, _third = world.hosts
    held = world.add_vm("held", first, power="paused")
    answer = migrate(world, held, target_host=second)
    assert answer.changed, str(answer)
    assert world.where(held) == paused_on(second)
    assert world.left_behind() == []


def test_a_vm_that_is_off_is_not_moved_live_and_the_answer_says_so(world: World) -> None:
    first, second, _third = world.hosts
    cold = world.add_vm("cold", first, power="off")
    before = world.digest()
    answer = migrate(world, cold, target_host=second)
    assert answer.failed
    assert "cold" in answer.message
    assert world.where(cold) == off_on(first)
    assert world.digest() == before


def test_a_vm_comes_back_the_way_it_went(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    for target in (second, first, second):
        assert migrate(world, web, target_host=target).changed
        assert world.where(web) == running_on(target)
    assert world.autostart(web)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


def test_a_move_onto_a_full_host_is_refused_with_the_figures_and_changes_nothing(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, memory_mib=64)
    world.set_host_memory(second, 32)
    before = world.digest()
    answer = migrate(world, web, target_host=second)
    assert answer.failed
    assert "insufficient_memory" in answer.message
    assert second in answer.message
    assert world.where(web) == running_on(first)
    assert world.digest() == before


def test_a_closed_host_may_be_left_but_not_entered(world: World) -> None:
    first, second, _third = world.hosts
    web, tied = world.add_vm("web1", first), world.add_vm("tied", first, local_disk=True)
    evacuate(world, first, state="maintenance", allow_partial=True, on_failure="keep_closed")
    assert world.where(web).defined_on != {first}
    assert world.maintenance(first) == "preparing"
    refused = migrate(world, web, target_host=first)
    assert refused.failed
    assert refused.code == "target_closed"
    assert migrate(world, tied, target_host=second).failed
    assert everyone_lives(world, web, tied)
