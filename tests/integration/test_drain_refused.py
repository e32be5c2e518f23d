# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Not every VM can leave: the drain is refused with the reasons and changes nothing, or moves the rest where the operator allows a part."""

from __future__ import annotations

import pytest

from tests.integration.modules import evacuate, reason_codes, run_module
from tests.integration.worlds import World, everyone_lives, running_on

ON_VSPHERE = True


@pytest.mark.rule("CSV-24", sign="-")
@pytest.mark.rule("PCD-02", sign="-")
def test_a_vm_that_cannot_move_refuses_the_whole_drain_with_the_reason_of_each_candidate(world: World) -> None:
    first, second, third = world.hosts
    web, tied = world.add_vm("web1", first), world.add_vm("tied", first, local_disk=True)
    before = world.digest()
    answer = evacuate(world, first, state="maintenance")
    assert answer.failed
    assert not answer.changed
    assert "tied" in answer.message
    (unplaced,) = answer["unplaced"]
    assert unplaced["vm_name"] == "tied"
    for host in (second, third):
        assert "local_storage" in reason_codes(unplaced["candidates"][host])
    assert [world.where(vm) for vm in (web, tied)] == [running_on(first)] * 2
    assert world.maintenance(first) == "available"
    assert world.digest() == before


@pytest.mark.rule("CSH-35", sign="-")
@pytest.mark.parametrize(("on_failure", "state"), [("reopen", "available"), ("keep_closed", "preparing")])
def test_a_part_is_moved_where_that_is_allowed_and_the_rest_is_still_a_failure(world: World, on_failure: str, state: str) -> None:
    first, _second, _third = world.hosts
    web, tied = world.add_vm("web1", first), world.add_vm("tied", first, local_disk=True)
    answer = evacuate(world, first, state="maintenance", allow_partial=True, on_failure=on_failure)
    assert answer.failed
    assert answer.changed
    assert "tied" in answer.message
    assert set(answer.moved()) == {"web1"}
    assert [remaining["vm_name"] for remaining in answer["remaining"]] == ["tied"]
    assert "local_storage" in reason_codes(answer["remaining"][0]["reasons"])
    assert world.where(web).defined_on.isdisjoint({first})
    assert world.where(tied) == running_on(first)
    assert world.maintenance(first) == state
    assert everyone_lives(world, web, tied)
    assert world.left_behind() == []


@pytest.mark.rule("CAS-07", sign="-")
def test_what_does_not_fit_into_memory_is_named_with_the_figures(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first, memory_mib=64) for number in range(3)]
    world.set_host_memory(second, 64)
    world.set_host_memory(third, 64)
    before = world.digest()
    answer = evacuate(world, first)
    assert answer.failed
    assert len(answer["unplaced"]) == 1
    assert "insufficient_memory" in str(answer["unplaced"])
    assert world.digest() == before
    part = evacuate(world, first, allow_partial=True)
    assert part.failed
    assert len(part.moved()) == 2
    assert world.memory_used_mib(second) == world.memory_used_mib(third) == 64
    assert everyone_lives(world, *guests)


def test_a_pinned_vm_is_never_moved(world: World) -> None:
    first, _second, _third = world.hosts
    pinned = world.add_vm("licence-server", first)
    world.describe_vm(pinned, policy={"pinned": True, "note": "dongle"})
    answer = evacuate(world, first)
    assert answer.failed
    assert "pinned" in str(answer["unplaced"])
    assert world.where(pinned) == running_on(first)


def test_no_candidate_is_left_when_all_other_hosts_are_closed(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    for host in (second, third):
        evacuate(world, host, state="maintenance")
    before = world.digest()
    answer = evacuate(world, first)
    assert answer.failed
    (unplaced,) = answer["unplaced"]
    for host in (second, third):
        assert "host_in_maintenance" in reason_codes(unplaced["candidates"][host])
    assert world.where(web) == running_on(first)
    assert world.digest() == before


@pytest.mark.rule("CAS-20", sign="+")
def test_in_bulk_a_kubernetes_node_is_left_out_and_listed_where_only_another_cluster_is_left(world: World) -> None:
    first, second, third = world.hosts
    for host, cluster in ((first, "one"), (second, "two"), (third, "two")):
        world.describe_host(host, cluster=cluster)
    web, node = world.add_vm("web1", first), world.add_vm("node1", first)
    world.describe_vm(node, labels=["kubernetes_node"])
    answer = run_module("host_evacuate", {"site": {**world.site_options(), "profile": "cas"}, "hosts": [first], "allow_partial": True, "scope": "site"})
    assert set(answer.moved()) == {"web1"}
    assert [remaining["vm_name"] for remaining in answer["remaining"]] == ["node1"]
    assert "k8s_node_cross_cluster" in reason_codes(answer["remaining"][0]["reasons"])
    assert world.where(node) == running_on(first)
    assert everyone_lives(world, web, node)
