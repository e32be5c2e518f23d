# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""System VMs: to a host while they run, to a pool while they are off, and never out of their pod."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules import Answer, migrate, run_module
from tests.integration.worlds import World, WorldVm, everyone_lives, off_on, running_on

ON_VSPHERE = True


def move(world: World, vm: str, *, check: bool = False, **options: Any) -> Answer:
    return run_module("systemvm_migrate", {"site": world.site_options(), "vm": vm, **options}, check=check)


def add_router(world: World, host: str, **facts: Any) -> WorldVm:
    router = world.add_vm("router", host, **facts)
    world.describe_vm(router, kind="router")
    for name in world.hosts:
        world.describe_host(name, pod="p1", cluster="c1", zone="z1")
    return router


@pytest.mark.rule("CSV-19", sign="+")
@pytest.mark.rule("CSV-18", sign="+")
@pytest.mark.rule("CSV-05", sign="+")
def test_one_that_runs_goes_to_the_host_that_is_named_with_the_disks_that_the_host_does_not_reach(world: World) -> None:
    first, second, _third = world.hosts
    router = add_router(world, first, local_disk=True)
    answer = move(world, "router", target_host=second)
    assert not answer.failed, str(answer)
    assert answer["kind"] == "router"
    assert [volume["pool"] for volume in answer["volumes"]] == [world.local(second)]
    assert world.where(router) == running_on(second)
    assert everyone_lives(world, router)
    assert world.left_behind() == []
    assert not move(world, "router", target_host=second).changed


@pytest.mark.rule("CSV-17", sign="+")
@pytest.mark.rule("CSV-05", sign="+")
def test_one_that_is_off_goes_to_the_pool_that_is_named(world: World) -> None:
    first, _second, _third = world.hosts
    router = add_router(world, first, local_disk=True, power="off")
    answer = move(world, "router", target_pool="shared")
    assert not answer.failed, str(answer)
    assert world.where(router) == off_on(first)
    assert world.pools(router) == {world.disk: "shared"}
    assert world.left_behind() == []
    assert not move(world, "router", target_pool="shared").changed


@pytest.mark.rule("CSV-20", sign="+")
def test_the_choice_of_a_host_leaves_the_one_that_is_named(world: World) -> None:
    first, second, third = world.hosts
    router = add_router(world, first)
    predicted = move(world, "router", source_host=first, check=True)
    assert predicted.changed
    answer = move(world, "router", source_host=first)
    assert not answer.failed, str(answer)
    assert world.where(router) in (running_on(second), running_on(third))
    assert not move(world, "router", source_host=first).changed


@pytest.mark.rule("CSV-05", sign="-")
def test_a_host_of_another_pod_is_refused_whatever_is_consented_to(world: World) -> None:
    first, second, _third = world.hosts
    router = add_router(world, first)
    world.describe_host(second, pod="p2")
    answer = move(world, "router", target_host=second)
    assert answer.failed
    assert "system_vm_pod_mismatch" in str(answer)
    assert world.where(router) == running_on(first)


@pytest.mark.rule("CSV-19", sign="-")
@pytest.mark.rule("CSV-20", sign="-")
def test_contradicting_targets_are_named_and_nothing_changes(world: World) -> None:
    first, second, _third = world.hosts
    add_router(world, first)
    before = world.written()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"target_host": second, "target_pool": "shared"}, "mutually_exclusive"),
        ({"target_host": second, "auto_select": True}, "mutually_exclusive"),
        ({"auto_select": False, "source_host": first}, "no_target"),
        ({}, "no_target"),
        ({"target_pool": "shared"}, "state_mismatch"),
        ({"target_host": "nowhere"}, "host_unknown"),
    ]
    for options, code in cases:
        answer = move(world, "router", **options)
        assert answer.failed, options
        assert answer.code == code, str(answer)
    assert world.written() == before


@pytest.mark.rule("CSV-17", sign="-")
def test_one_that_is_off_is_given_no_host_and_no_unknown_pool(world: World) -> None:
    first, second, _third = world.hosts
    add_router(world, first, power="off")
    before = world.written()
    for options, code in (({"target_host": second}, "state_mismatch"), ({"target_pool": "nowhere"}, "pool_unknown")):
        answer = move(world, "router", **options)
        assert answer.failed
        assert answer.code == code, str(answer)
    assert world.written() == before


@pytest.mark.rule("CSV-21", sign="-")
def test_a_users_vm_is_refused(world: World) -> None:
    first, second, _third = world.hosts
    world.add_vm("web1", first)
    answer = move(world, "web1", target_host=second)
    assert answer.failed
    assert answer.code == "not_a_system_vm"


@pytest.mark.rule("CSV-21", sign="+")
def test_the_module_for_users_vms_takes_a_system_vm_on_request_only(world: World) -> None:
    first, second, _third = world.hosts
    router = add_router(world, first)
    refused = migrate(world, router, target_host=second)
    assert refused.failed
    assert refused.code == "system_vm"
    assert world.where(router) == running_on(first)
    assert not migrate(world, router, target_host=second, allow_system_vm=True).failed
    assert world.where(router) == running_on(second)
