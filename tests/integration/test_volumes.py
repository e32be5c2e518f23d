# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single volumes: of a VM that runs or is off, and of nobody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules import Answer, run_module
from tests.integration.worlds import World, everyone_lives, off_on, running_on

ON_VSPHERE = True


def loose(world: World) -> str:
    """The name of a volume that is the disk of no VM."""
    return f"old-data{world.suffix}"


def move(world: World, volume: str, *, check: bool = False, diff: bool = False, **options: Any) -> Answer:
    return run_module("volume_migrate", {"site": world.site_options(), "volume": volume, **options}, check=check, diff=diff)


@pytest.mark.rule("CSH-15", sign="+")
@pytest.mark.rule("CSH-28", sign="+")
@pytest.mark.rule("CSH-30", sign="+")
def test_the_disk_of_a_running_vm_moves_live_where_that_is_asked_for(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    answer = move(world, world.disk, vm="web1", storage_class="shared", live=True)
    assert not answer.failed, str(answer)
    assert answer.changed
    assert world.pools(web) == {world.disk: "shared"}
    assert (answer["volume"]["pool"], answer["volume"]["device"]) == ("shared", world.disk)
    assert "shared" in answer["volume"]["path"]
    assert answer["vm"]["power_state"] == "running"
    assert world.where(web) == running_on(first)
    assert everyone_lives(world, web)
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []
    assert not move(world, world.disk, vm="web1", target_pool="shared", live=True).changed


@pytest.mark.rule("CSH-37", sign="-")
@pytest.mark.rule("CSH-37", sign="+")
@pytest.mark.rule("CSH-15", sign="-")
@pytest.mark.rule("CSH-30", sign="-")
def test_a_volume_of_a_running_vm_is_not_moved_in_silence(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    before = world.written()
    for check in (True, False):
        refused = move(world, world.disk, vm="web1", storage_class="shared", check=check)
        assert refused.failed
        assert refused.code == "live_not_asked"
        assert "live: true" in refused.message
    assert world.written() == before
    assert not move(world, world.disk, vm="web1", storage_class="shared", live=True).failed
    assert world.pools(web) == {world.disk: "shared"}


def test_the_disk_of_a_vm_that_is_off_moves_and_the_vm_stays_off(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True, power="off")
    answer = move(world, world.disk, vm="web1", source_pool=world.local(first), storage_class="shared")
    assert not answer.failed, str(answer)
    assert world.pools(web) == {world.disk: "shared"}
    assert world.where(web) == off_on(first)
    assert world.left_behind() == []


@pytest.mark.rule("CSV-12", sign="+")
def test_a_volume_of_nobody_goes_to_the_pool_that_is_named_and_its_source_is_gone(world: World) -> None:
    first, _second, _third = world.hosts
    world.add_volume(loose(world), world.local(first))
    before = world.written()
    predicted = move(world, f"{world.local(first)}/{loose(world)}", target_pool="shared", check=True, diff=True)
    assert predicted.changed
    assert "shared" in predicted["diff"]["after"]
    assert world.written() == before
    answer = move(world, f"{world.local(first)}/{loose(world)}", target_pool="shared")
    assert not answer.failed, str(answer)
    assert answer.changed
    assert answer["volume"]["pool"] == "shared"
    assert loose(world) in world.volumes("shared")
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []
    again = move(world, f"{world.local(first)}/{loose(world)}", target_pool="shared")
    assert not again.failed, str(again)
    assert not again.changed


@pytest.mark.rule("CSV-12", sign="-")
def test_without_a_host_that_reaches_both_pools_nothing_is_copied(world: World) -> None:
    first, second, _third = world.hosts
    world.add_volume(loose(world), world.local(first))
    before = world.written()
    answer = move(world, f"{world.local(first)}/{loose(world)}", target_pool=world.local(second))
    assert answer.failed
    assert "no_worker_host" in str(answer)
    assert world.written() == before


def test_what_cannot_be_right_is_named_and_nothing_changes(world: World) -> None:
    first, _second, _third = world.hosts
    world.add_vm("web1", first)
    before = world.written()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"volume": world.disk, "vm": "web1"}, "no_target"),
        ({"volume": "hdz", "vm": "web1", "target_pool": "shared", "live": True}, "volume_unknown"),
        ({"volume": world.disk, "vm": "web1", "target_pool": "nowhere", "live": True}, "pool_unknown"),
        ({"volume": world.disk, "vm": "nobody", "target_pool": "shared"}, "vm_unknown"),
        ({"volume": f"shared/nothing{world.suffix}", "target_pool": world.local(first)}, "volume_unknown"),
        ({"volume": "elsewhere/nothing.raw", "target_pool": "shared"}, "pool_unknown"),
        ({"volume": world.disk, "vm": "web1", "target_pool": "shared", "source_pool": "shared"}, "invalid_input"),
    ]
    for options, code in cases:
        answer = run_module("volume_migrate", {"site": world.site_options(), **options})
        assert answer.failed, options
        assert answer.code == code, str(answer)
    assert world.written() == before
