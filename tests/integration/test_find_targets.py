# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where could this VM go? Every host of the site is a candidate, suitable or not, and none is left without a reason."""

from __future__ import annotations

import pytest

from tests.integration.modules import Answer, evacuate, find_targets, reason_codes
from tests.integration.worlds import World

ON_VSPHERE = True


def suitable(answer: Answer) -> dict[str, bool]:
    return {target["host"]: target["suitable_for_migration"] for target in answer["targets"]}


def codes(answer: Answer, host: str) -> set[str]:
    """Codes of the reasons that forbid a host."""
    (target,) = [target for target in answer["targets"] if target["host"] == host]
    return reason_codes(reason for reason in target["reasons"] if reason["severity"] == "hard" or reason["overridable"])


def test_an_ordinary_vm_may_go_to_both_other_hosts_and_the_emptier_one_comes_first(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.add_vm("big", second, memory_mib=128)
    for host in (second, third):
        world.set_host_memory(host, 512)
    answer = find_targets(world, web)
    assert not answer.changed
    assert suitable(answer)[second]
    assert suitable(answer)[third]
    assert answer["suitable_hosts"] == [third, second]
    assert [target["rank"] for target in answer["targets"] if target["suitable_for_migration"]] == [1, 2]
    assert answer["targets"][0]["memory_free_mib"] > answer["targets"][1]["memory_free_mib"]


def test_the_host_that_runs_the_vm_is_no_target(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    assert first not in find_targets(world, web)["suitable_hosts"]


def test_a_full_host_says_how_much_memory_is_missing(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first, memory_mib=64)
    world.set_host_memory(second, 63)
    answer = find_targets(world, web)
    assert suitable(answer) | {first: False} == {first: False, second: False, third: True}
    assert codes(answer, second) == {"insufficient_memory"}
    (target,) = [target for target in answer["targets"] if target["host"] == second]
    assert not target["has_enough_capacity"]
    assert "63 MiB" in str(target["reasons"])


def test_a_vm_on_local_storage_may_go_nowhere_and_every_host_says_why(world: World) -> None:
    first, second, third = world.hosts
    tied = world.add_vm("tied", first, local_disk=True)
    answer = find_targets(world, tied)
    assert answer["suitable_hosts"] == []
    for host in (second, third):
        assert "local_storage" in codes(answer, host)


def test_a_host_in_maintenance_is_refused_with_the_name_of_who_closed_it(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    assert not evacuate(world, second, state="maintenance", why="new memory").failed
    answer = find_targets(world, web)
    assert answer["suitable_hosts"] == [third]
    assert "host_in_maintenance" in codes(answer, second)
    assert "new memory" in str([target for target in answer["targets"] if target["host"] == second])


def test_a_host_that_does_not_answer_is_a_candidate_with_that_reason(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.go_dark(third)
    answer = find_targets(world, web)
    assert not answer.failed
    assert answer["suitable_hosts"] == [second]
    assert "host_unreachable" in codes(answer, third)


def test_hosts_of_another_cluster_are_candidates_only_within_the_scope(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    world.describe_host(third, cluster="c2")
    assert find_targets(world, web, scope="zone")["suitable_hosts"] != [second]
    assert find_targets(world, web, scope="cluster")["suitable_hosts"] == [second]


def test_required_host_tags_and_anti_affinity_are_kept(world: World) -> None:
    first, second, third = world.hosts
    web1, web2 = world.add_vm("web1", first), world.add_vm("web2", second)
    for vm in (web1, web2):
        world.describe_vm(vm, affinity=[{"group": "web", "kind": "anti_affinity"}])
    answer = find_targets(world, web1)
    assert answer["suitable_hosts"] == [third]
    assert "anti_affinity" in codes(answer, second)
    world.describe_vm(web1, required_host_tags=["ssd"])
    world.describe_host(second, tags=["ssd"])
    answer = find_targets(world, web1)
    assert answer["suitable_hosts"] == []
    assert "host_tag_mismatch" in codes(answer, third)


@pytest.mark.rule("PCD-23", sign="+")
@pytest.mark.rule("PCD-23", sign="-")
def test_on_request_only_the_hosts_that_suit_are_shown(world: World) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first, memory_mib=64)
    world.set_host_memory(second, 63)
    shown = find_targets(world, web, only_suitable=True)
    every = find_targets(world, web)
    assert [target["host"] for target in shown["targets"]] == [third] == every["suitable_hosts"]
    assert shown["candidate_count"] == every["candidate_count"]
    assert "insufficient_memory" in shown["reason_counts"]
    assert codes(every, second) == {"insufficient_memory"}
