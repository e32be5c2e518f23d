# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Positions and memory as a plan grows."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.world import host, site, web
from tests.unit.strategies import sites


def _world() -> Site:
    return site(vms=(web(), Vm("id-db", "db", "kvm2", memory_mib=1000), Vm("id-old", "old", "kvm2", memory_mib=500, power_state=PowerState.OFF)))


def test_a_placed_vm_takes_its_memory_along() -> None:
    planned = PlannedSite(_world())
    planned.place("id-web", "kvm2")
    assert (planned.memory_used_mib("kvm1"), planned.memory_used_mib("kvm2")) == (0, 5096)
    assert planned.memory_free_mib("kvm2") == 16384 - 5096
    assert [vm.name for vm in planned.vms_on("kvm2")] == ["db", "old", "web"]
    assert planned.vms_on("kvm1") == ()


def test_while_it_moves_a_vm_holds_memory_on_both_ends() -> None:
    planned = PlannedSite(_world())
    planned.hold("id-web", "kvm2")
    assert planned.hosts_of("id-web") == ("kvm1", "kvm2")
    assert (planned.memory_used_mib("kvm1"), planned.memory_used_mib("kvm2")) == (4096, 5096)
    with pytest.raises(ValueError, match="already on its way"):
        planned.hold("id-web", "kvm2")
    planned.place("id-web", "kvm2")
    assert (planned.memory_used_mib("kvm1"), planned.memory_used_mib("kvm2")) == (0, 5096)


def test_a_vm_that_is_off_has_a_place_and_no_memory() -> None:
    planned = PlannedSite(_world())
    planned.place("id-old", "kvm1")
    assert planned.memory_used_mib("kvm1") == 4096
    assert planned.host_of("id-old") == "kvm1"


def test_a_copy_goes_its_own_way() -> None:
    planned = PlannedSite(_world())
    twin = planned.copy()
    twin.place("id-web", "kvm2")
    assert planned.host_of("id-web") == "kvm1"
    assert planned.memory_used_mib("kvm2") == 1000


def test_a_vm_on_a_host_that_the_site_does_not_hold_is_no_error() -> None:
    planned = PlannedSite(Site(hosts=(host("kvm1"),), vms=(Vm("id-x", "x", "gone", memory_mib=100),)))
    planned.place("id-x", "kvm1")
    assert planned.memory_used_mib("kvm1") == 100


@given(sites(), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.booleans()), max_size=20))
def test_memory_is_the_sum_of_what_is_there_whatever_was_done(world: Site, steps: list[tuple[int, int, bool]]) -> None:
    planned = PlannedSite(world)
    for number, place, finally_there in steps:
        vm, target = world.vms[number % len(world.vms)], world.hosts[place % len(world.hosts)]
        if finally_there or len(planned.hosts_of(vm.id)) > 1:
            planned.place(vm.id, target.name)
        else:
            planned.hold(vm.id, target.name)
    for name in world.host_by_name:
        there = [vm for vm in world.vms if vm.is_active and name in planned.hosts_of(vm.id)]
        assert planned.memory_used_mib(name) == sum(vm.memory_mib for vm in there)
        assert planned.active_ids_on(name) == {vm.id for vm in there}
