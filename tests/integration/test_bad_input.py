# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an operator may get wrong: each is refused before anything changes, in words that name the option, the value and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.modules import Answer, evacuate, find_targets, migrate, read_site, run_module
from tests.integration.worlds import World, WorldVm, everyone_lives, running_on

ON_VSPHERE = True

Ask = Callable[[World, WorldVm], Answer]


def refused(world: World, ask: Ask, code: str, *words: str) -> Answer:
    """The answer of something that must be refused, with nothing changed."""
    web = world.add_vm("web1", world.hosts[0])
    before = world.digest()
    answer = ask(world, web)
    assert answer.failed, str(answer)
    assert not answer.changed
    assert answer.code == code, str(answer)
    for word in words:
        assert word in answer.message, str(answer)
    assert world.digest() == before
    assert world.where(web) == running_on(world.hosts[0])
    return answer


@pytest.mark.parametrize(
    ("ask", "option"),
    [
        (lambda world, web: evacuate(world, "nowhere"), "hosts"),
        (lambda world, web: evacuate(world, world.hosts[0], "nowhere", state="maintenance"), "hosts"),
        (lambda world, web: evacuate(world, "nowhere", state="available"), "hosts"),
        (lambda world, web: evacuate(world, "nowhere", state="cancelled"), "hosts"),
        (lambda world, web: evacuate(world, world.hosts[0], target_hosts=["nowhere"]), "target_hosts"),
        (lambda world, web: migrate(world, web, target_host="nowhere"), "target_host"),
        (lambda world, web: migrate(world, web, source_host="nowhere"), "source_host"),
        (lambda world, web: migrate(world, web, avoid=["nowhere"]), "avoid"),
        (lambda world, web: find_targets(world, web, target_hosts=["nowhere"]), "target_hosts"),
        (lambda world, web: read_site(world, hosts=["nowhere"]), "hosts"),
        (lambda world, web: evacuate(world, "../../etc"), "hosts"),
    ],
)
def test_an_unknown_host(world: World, ask: Ask, option: str) -> None:
    answer = refused(world, ask, "host_unknown", option)
    assert "nowhere" in answer.message or "../../etc" in answer.message
    assert world.hosts[1] in answer.message


@pytest.mark.parametrize(
    "ask",
    [
        lambda world, web: migrate(world, "nobody", target_host=world.hosts[1]),
        lambda world, web: find_targets(world, "nobody"),
        lambda world, web: read_site(world, vms=["nobody"]),
    ],
)
def test_an_unknown_vm(world: World, ask: Ask) -> None:
    refused(world, ask, "vm_unknown", "nobody")


def test_an_unknown_driver(world: World) -> None:
    def ask(world: World, web: WorldVm) -> Answer:
        return run_module("vm_migrate", {"site": {**world.site_options(), "driver": "xen"}, "vm": web.name, "target_host": world.hosts[1]})

    refused(world, ask, "driver_unknown", "site.driver", "xen", "libvirt")


def test_an_unknown_profile(world: World) -> None:
    def ask(world: World, web: WorldVm) -> Answer:
        return run_module("vm_migrate", {"site": {**world.site_options(), "profile": "openstack"}, "vm": web.name, "target_host": world.hosts[1]})

    refused(world, ask, "profile_unknown", "site.profile", "openstack", "generic")


def test_an_unknown_field_of_a_host(world: World) -> None:
    world.describe_host(world.hosts[1], memory_gib=4)
    refused(world, lambda world, web: evacuate(world, world.hosts[0]), "invalid_input", f"site.hosts.{world.hosts[1]}.memory_gib")


@pytest.mark.parametrize("value", [-1, "much"])
def test_a_number_that_cannot_be(world: World, value: Any) -> None:
    world.describe_host(world.hosts[1], memory_mib=value)
    refused(world, lambda world, web: evacuate(world, world.hosts[0]), "invalid_input", f"site.hosts.{world.hosts[1]}.memory_mib")


def test_a_host_given_twice(world: World) -> None:
    refused(world, lambda world, web: evacuate(world, world.hosts[0], world.hosts[0]), "host_duplicate", "hosts[1]", world.hosts[0])


def test_a_target_that_is_to_be_emptied_itself(world: World) -> None:
    refused(world, lambda world, web: evacuate(world, world.hosts[0], target_hosts=[world.hosts[0]]), "invalid_input", "target_hosts")


def test_no_target_and_nothing_to_leave(world: World) -> None:
    refused(world, migrate, "no_target", "target_host", "source_host", "avoid")


def test_a_target_in_maintenance(world: World) -> None:
    _first, second, _third = world.hosts
    evacuate(world, second, state="maintenance", why="broken fan")
    refused(world, lambda world, web: migrate(world, web, target_host=second), "target_closed", second, "broken fan")


def test_a_drain_into_a_target_in_maintenance(world: World) -> None:
    first, second, _third = world.hosts
    evacuate(world, second, state="maintenance", why="broken fan")
    refused(world, lambda world, web: evacuate(world, first, target_hosts=[second]), "target_closed", second, "broken fan")


@pytest.mark.parametrize(
    ("option", "expression", "position"),
    [
        ("select", "name == 'web1' &&", "column 18"),
        ("select", "name == 'web1", "column 9"),
        ("select", "memory_mib > ]", "column 14"),
        ("select", "memory_gib > `1`", "column 1"),
        ("order_by", "-size(", "column 7"),
        ("order_by", "sise(name)", "column 1"),
    ],
)
def test_a_jmespath_that_does_not_parse_names_the_position(world: World, option: str, expression: str, position: str) -> None:
    refused(world, lambda world, web: evacuate(world, world.hosts[0], **{option: expression}), "expression_invalid", option, position)


@pytest.mark.parametrize("deadline", ["tomorrow", "2026-13-45T99:00:00Z", "2099-01-01T00:00:00"])
def test_a_deadline_that_is_none(world: World, deadline: str) -> None:
    refused(world, lambda world, web: evacuate(world, world.hosts[0], deadline=deadline), "invalid_input", "deadline", deadline)


@pytest.mark.parametrize("plan", ['{"plan_id": ', {"migrations": "all"}, {"plan_id": "1", "moves": []}])
def test_an_approved_plan_that_is_none(world: World, plan: Any) -> None:
    refused(world, lambda world, web: evacuate(world, world.hosts[0], approved_plan=plan), "invalid_input", "approved_plan")


def test_a_name_that_two_vms_have_is_resolved_by_the_id(world: World) -> None:
    first, second, third = world.hosts
    one, other = world.add_vm("twin", first), world.add_vm("twin", second)
    before = world.digest()
    for answer in (migrate(world, "twin", target_host=third), find_targets(world, "twin")):
        assert answer.failed
        assert answer.code == "vm_ambiguous"
        for vm, host in ((one, first), (other, second)):
            assert vm.id in answer.message
            assert host in answer.message
    assert world.digest() == before
    assert migrate(world, other.id, target_host=third).changed
    assert (world.where(one), world.where(other)) == (running_on(first), running_on(third))
    assert everyone_lives(world, one, other)
