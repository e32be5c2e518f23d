# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host is emptied for maintenance and opened again; every state of host and VMs is as the operator asked, and a second run changes nothing."""

from __future__ import annotations

import pytest

from tests.integration.modules import evacuate
from tests.integration.worlds import World, everyone_lives, off_on, paused_on, running_on

ON_VSPHERE = True


@pytest.mark.rule("CSV-24", sign="+")
@pytest.mark.rule("PCD-02", sign="+")
@pytest.mark.rule("CSH-35", sign="+")
def test_a_host_goes_into_maintenance_and_out_again(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first, dirty_mib_s=number) for number in range(3)]
    neighbour = world.add_vm("neighbour", second)
    answer = evacuate(world, first, state="maintenance", why="new memory")
    assert answer.changed, str(answer)
    assert not answer.failed, str(answer)
    assert set(answer.moved()) == {guest.name for guest in guests}
    for guest in guests:
        (host,) = world.where(guest).defined_on
        assert host in (second, third)
        assert world.where(guest) == running_on(host)
        assert world.home(guest) == first
    assert world.where(neighbour) == running_on(second)
    assert world.maintenance(first) == "maintenance"
    assert world.maintenance_note(first)["why"] == "new memory"
    assert everyone_lives(world, *guests, neighbour)
    assert world.left_behind() == []

    before = world.digest()
    again = evacuate(world, first, state="maintenance", why="new memory")
    assert not again.changed, str(again)
    assert not again.failed, str(again)
    assert world.digest() == before

    opened = evacuate(world, first, state="available")
    assert opened.changed, str(opened)
    assert world.maintenance(first) == "available"
    assert not evacuate(world, first, state="available").changed
    assert world.left_behind() == []


def test_an_evacuated_host_is_open_again_afterwards(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    answer = evacuate(world, first)
    assert answer.changed, str(answer)
    assert world.where(web).defined_on != {first}
    assert world.maintenance(first) == "available"
    again = evacuate(world, first)
    assert not again.changed, str(again)
    assert everyone_lives(world, web)


def test_an_empty_host_goes_into_maintenance_at_once(world: World) -> None:
    first, _second, _third = world.hosts
    answer = evacuate(world, first, state="maintenance")
    assert answer.changed
    assert world.maintenance(first) == "maintenance"
    assert not evacuate(world, first, state="maintenance").changed


@pytest.mark.rule("CAS-07", sign="+")
def test_two_hosts_are_emptied_into_the_third_in_one_plan(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", host) for number, host in enumerate((first, second, first, second))]
    answer = evacuate(world, first, second, state="maintenance")
    assert not answer.failed, str(answer)
    assert [world.where(guest) for guest in guests] == [running_on(third)] * 4
    assert [world.maintenance(host) for host in world.hosts] == ["maintenance", "maintenance", "available"]
    assert everyone_lives(world, *guests)


def test_paused_and_shut_off_vms_are_kept_as_they_are(world: World) -> None:
    first, second, _third = world.hosts
    held = world.add_vm("held", first, power="paused")
    cold = world.add_vm("cold", first, power="off", autostart=True)
    answer = evacuate(world, first, state="maintenance", target_hosts=[second])
    assert not answer.failed, str(answer)
    assert world.where(held) == paused_on(second)
    assert world.where(cold) == off_on(first)
    assert world.autostart(cold)
    assert "cold" in str(answer["warnings"])
    assert world.maintenance(first) == "maintenance"


def test_only_selected_vms_leave_in_the_order_that_was_asked_for(world: World) -> None:
    first, second, _third = world.hosts
    small, large, kept = world.add_vm("small", first, memory_mib=48), world.add_vm("large", first, memory_mib=96), world.add_vm("kept", first)
    answer = evacuate(world, first, select="name != 'kept'", order_by="-memory_mib", target_hosts=[second], parallel=1)
    assert not answer.failed, str(answer)
    assert [world.where(vm) for vm in (small, large, kept)] == [running_on(second), running_on(second), running_on(first)]
    begun = {entry["vm_name"]: entry["started_at"] for entry in answer["migrations"]}
    assert begun["large"] < begun["small"]


def test_maintenance_is_not_granted_while_an_unselected_vm_is_left(world: World) -> None:
    first, second, _third = world.hosts
    gone, kept = world.add_vm("gone", first), world.add_vm("kept", first)
    answer = evacuate(world, first, state="maintenance", select="name == 'gone'", target_hosts=[second])
    assert answer.failed
    assert "kept" in answer.message
    assert [world.where(vm) for vm in (gone, kept)] == [running_on(second), running_on(first)]
    assert world.maintenance(first) == "available"


def test_a_host_is_emptied_into_named_targets_only(world: World) -> None:
    first, _second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(2)]
    assert not evacuate(world, first, target_hosts=[third]).failed
    assert [world.where(guest) for guest in guests] == [running_on(third)] * 2


def test_anti_affinity_is_kept_by_a_drain(world: World) -> None:
    first, second, third = world.hosts
    web1, web2 = world.add_vm("web1", first), world.add_vm("web2", second)
    for vm in (web1, web2):
        world.describe_vm(vm, affinity=[{"group": "web", "kind": "anti_affinity"}])
    assert not evacuate(world, first, state="maintenance").failed
    assert (world.where(web1), world.where(web2)) == (running_on(third), running_on(second))
