# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a maintenance the VMs go home to the host that they came from; who cannot is named, and nobody else is moved."""

from __future__ import annotations

import pytest

from tests.integration.modules import evacuate, reason_codes
from tests.integration.worlds import World, everyone_lives, running_on

ON_VSPHERE = True


@pytest.mark.rule("CAS-05", sign="+")
def test_vms_go_home_after_a_maintenance_and_others_stay(world: World) -> None:
    first, second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first, autostart=number == 0) for number in range(2)]
    neighbour = world.add_vm("neighbour", second)
    assert not evacuate(world, first, state="maintenance").failed
    before = world.written()
    predicted = evacuate(world, first, state="returned", check=True)
    assert predicted.changed, str(predicted)
    assert world.written() == before
    answer = evacuate(world, first, state="returned")
    assert not answer.failed, str(answer)
    assert answer.changed
    assert answer.planned() == predicted.planned()
    assert answer.moved() == {guest.name: first for guest in guests}
    assert [world.where(guest) for guest in (*guests, neighbour)] == [running_on(first), running_on(first), running_on(second)]
    assert [world.home(guest) for guest in guests] == ["", ""]
    assert [world.autostart(guest) for guest in guests] == [True, False]
    assert world.maintenance(first) == "available"
    assert everyone_lives(world, *guests, neighbour)
    assert world.left_behind() == []

    before = world.digest()
    again = evacuate(world, first, state="returned")
    assert not again.failed, str(again)
    assert not again.changed, str(again)
    assert world.digest() == before


@pytest.mark.rule("CAS-05", sign="-")
def test_who_cannot_go_home_is_named_and_the_others_go(world: World) -> None:
    first, _second, third = world.hosts
    large, small = world.add_vm("large", first, memory_mib=96), world.add_vm("small", first, memory_mib=48)
    assert not evacuate(world, first, state="maintenance", target_hosts=[third]).failed
    world.set_host_memory(first, 64)
    predicted = evacuate(world, first, state="returned", check=True)
    answer = evacuate(world, first, state="returned")
    assert answer.failed
    assert predicted.failed
    assert answer.code == predicted.code == "vms_unplaced"
    assert "large" in answer.message
    assert [world.where(vm) for vm in (large, small)] == [running_on(third), running_on(first)]
    assert world.home(large) == first
    (left,) = answer["remaining"]
    assert left["vm_name"] == "large"
    assert "insufficient_memory" in reason_codes(left["reasons"])
    assert world.maintenance(first) == "available"
    assert everyone_lives(world, large, small)


def test_a_vm_whose_home_refuses_it_stays_where_it_is_and_goes_nowhere_else(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    assert not evacuate(world, first, target_hosts=[second]).failed
    world.refuse_incoming(first)
    answer = evacuate(world, first, state="returned")
    assert answer.failed
    assert answer.code == "moves_failed"
    assert world.where(web) == running_on(second)
    assert world.home(web) == first
    assert everyone_lives(world, web)


def test_a_home_that_somebody_made_obsolete_is_forgotten_with_a_warning(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    assert not evacuate(world, first, state="maintenance", target_hosts=[second]).failed
    world.start_foreign_migration(web, third).wait()
    assert world.home(web) == first
    answer = evacuate(world, first, state="returned")
    assert not answer.failed, str(answer)
    assert answer.changed
    assert "home_dropped" in reason_codes(answer["warning_reasons"])
    assert world.where(web) == running_on(third)
    assert world.home(web) == ""
    again = evacuate(world, first, state="returned")
    assert not again.changed, str(again)


def test_only_selected_vms_go_home(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    assert not evacuate(world, first, state="maintenance", target_hosts=[second]).failed
    answer = evacuate(world, first, state="returned", select="name == 'other'")
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert world.home(web) == first


def test_targets_of_a_return_are_refused(world: World) -> None:
    first, second, _third = world.hosts
    before = world.written()
    answer = evacuate(world, first, state="returned", target_hosts=[second])
    assert answer.failed
    assert "target_hosts" in answer.message
    assert world.written() == before


def test_local_disks_go_home_with_their_vms_where_storage_may_move(world: World) -> None:
    first, second, _third = world.hosts
    tied, shared = world.add_vm("tied", first, local_disk=True), world.add_vm("shared1", first)
    assert not evacuate(world, first, state="maintenance", type="host_storage", target_hosts=[second]).failed
    assert set(world.pools(tied).values()) == {world.local(second)}
    by_host = evacuate(world, first, state="returned", check=True)
    assert by_host.failed
    assert [entry["vm_name"] for entry in by_host["remaining"]] == ["tied"]
    assert "local_storage" in reason_codes(by_host["remaining"][0]["reasons"])
    answer = evacuate(world, first, state="returned", type="host_storage")
    assert not answer.failed, str(answer)
    assert [world.where(vm) for vm in (tied, shared)] == [running_on(first)] * 2
    assert (set(world.pools(tied).values()), set(world.pools(shared).values())) == ({world.local(first)}, {"shared"})
    assert [world.home(vm) for vm in (tied, shared)] == ["", ""]
    assert world.volumes(world.local(second)) == frozenset()
    assert everyone_lives(world, tied, shared)
    assert world.left_behind() == []
    assert not evacuate(world, first, state="returned", type="host_storage").changed
