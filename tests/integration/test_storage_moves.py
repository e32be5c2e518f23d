# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VMs whose storage moves: along with them to another host, alone on their host, live, suspended, cold and switched off."""

from __future__ import annotations

import pytest

from tests.integration.modules import evacuate, find_targets, migrate, reason_codes
from tests.integration.worlds import World, WorldVm, everyone_lives, off_on, running_on

ON_VSPHERE = True

SHARED = "shared"
SPEED_MIB_S = 8
MIB = 1024 * 1024


def pool_of(world: World, vm: WorldVm) -> str:
    """The pool of its only disk."""
    (pool,) = world.pools(vm).values()
    return pool


def test_a_vm_goes_live_to_another_host_with_its_local_disk(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True, autostart=True)
    before = world.volumes(world.local(first))
    answer = migrate(world, web, type="host_storage", target_host=second)
    assert not answer.failed, str(answer)
    assert answer.changed
    assert world.where(web) == running_on(second)
    assert pool_of(world, web) == world.local(second)
    assert everyone_lives(world, web)
    assert world.autostart(web)
    assert world.volumes(world.local(second)) == before
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []
    assert not migrate(world, web, type="host_storage", target_host=second).changed


def test_the_storage_alone_moves_while_the_vm_runs_on(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    answer = migrate(world, web, type="storage", target_pool=SHARED, storage_class="shared")
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(first)
    assert pool_of(world, web) == SHARED
    assert everyone_lives(world, web)
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []
    assert not migrate(world, web, type="storage", target_pool=SHARED).changed
    back = migrate(world, web, type="storage", source_pool=SHARED, storage_class="local")
    assert not back.failed, str(back)
    assert pool_of(world, web) == world.local(first)
    assert everyone_lives(world, web)


def test_a_vm_that_is_off_takes_its_disk_along_and_stays_off(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True, power="off", autostart=True)
    answer = migrate(world, web, type="host_storage", mode="offline", target_host=second)
    assert not answer.failed, str(answer)
    assert world.where(web) == off_on(second)
    assert pool_of(world, web) == world.local(second)
    assert world.autostart(web)
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []
    assert not migrate(world, web, type="host_storage", mode="offline", target_host=second).changed


@pytest.mark.parametrize("mode", ["cold", "suspended"])
def test_a_running_vm_is_stopped_or_paused_with_consent_only(world: World, mode: str) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    before = world.digest()
    refused = migrate(world, web, type="host_storage", mode=mode, target_host=second)
    assert refused.failed
    assert "downtime_not_allowed" in refused.message
    assert world.digest() == before
    answer = migrate(world, web, type="host_storage", mode=mode, target_host=second, allow_downtime=True, shutdown_seconds=2)
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert pool_of(world, web) == world.local(second)
    assert world.is_alive(web)
    assert world.was_never_restarted(web) is (mode == "suspended")
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []


def test_a_drain_takes_local_disks_along_and_leaves_shared_ones(world: World) -> None:
    first, second, third = world.hosts
    tied, free = world.add_vm("tied", first, local_disk=True), world.add_vm("free", first)
    refused = evacuate(world, first, state="maintenance")
    assert refused.failed
    assert "local_storage" in refused.message
    answer = evacuate(world, first, state="maintenance", type="host_storage")
    assert not answer.failed, str(answer)
    assert world.maintenance(first) == "maintenance"
    for vm in (tied, free):
        assert world.where(vm) in (running_on(second), running_on(third))
    assert pool_of(world, free) == SHARED
    assert pool_of(world, tied) == world.local(next(iter(world.where(tied).defined_on)))
    assert everyone_lives(world, tied, free)
    assert world.left_behind() == []
    assert not evacuate(world, first, state="maintenance", type="host_storage").changed


def test_check_mode_and_find_tell_the_way_of_every_disk_and_write_nothing(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    before = world.written()
    found = find_targets(world, web, type="host_storage")
    predicted = migrate(world, web, type="host_storage", target_host=second, check=True, diff=True)
    assert not predicted.failed, str(predicted)
    assert world.written() == before
    assert second in found["suitable_hosts"]
    (move,) = predicted["migrations"][0]["volumes"]
    assert (move["source_pool"], move["target_pool"]) == (world.local(first), world.local(second))
    assert world.local(second) in predicted["diff"]["after"]


def test_a_copy_that_breaks_leaves_the_vm_where_it_was_and_nothing_behind(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    world.slow_links()
    with world.break_first_copy(web):
        answer = migrate(world, web, type="host_storage", target_host=second, retries=0)
    world.fast_links()
    assert answer.failed
    assert world.where(web) == running_on(first)
    assert everyone_lives(world, web)
    assert world.volumes(world.local(second)) == frozenset()
    assert world.left_behind() == []
    assert not migrate(world, web, type="host_storage", target_host=second).failed


@pytest.mark.rule("CAS-49", sign="+")
def test_a_speed_caps_the_copying_of_disks(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, memory_mib=128, local_disk=True)
    free = migrate(world, web, type="host_storage", target_host=second, check=True)["migrations"][0]
    answer = migrate(world, web, type="host_storage", target_host=second, speed=str(SPEED_MIB_S))
    assert not answer.failed, str(answer)
    (moved,) = answer["migrations"]
    sent_mib = moved["transferred_bytes"] / MIB
    assert moved["seconds"] > 0.8 * (sent_mib - web.memory_mib) / SPEED_MIB_S
    assert moved["expected_seconds"] > free["expected_seconds"]
    assert everyone_lives(world, web)


@pytest.mark.rule("CAS-49", sign="-")
def test_a_speed_has_no_effect_where_no_disk_is_copied_and_that_is_said(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    answer = migrate(world, web, target_host=second, speed="medium")
    assert not answer.failed, str(answer)
    assert "speed_type" in reason_codes(answer["plan"]["migrations"][0]["warnings"])
