# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placement of many VMs."""

from __future__ import annotations

import random

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan

from tests.unit.planning.world import apart, drain, host, move_of, site, targets, together, vm


def test_vms_are_spread_over_the_free_hosts() -> None:
    world = site([host("src"), host("a"), host("b"), host("c")], [vm(f"vm{number}", "src") for number in range(6)])
    plan = make_plan(world, drain(world, "src"))
    assert sorted(targets(plan).values()) == ["a", "a", "b", "b", "c", "c"]


@pytest.mark.rule("CAS-02", sign="+")
def test_what_is_planned_already_counts() -> None:
    world = site([host("src"), host("a", 5000), host("b", 5000)], [vm("big", "src", 4096), vm("other", "src", 4096)])
    assert set(targets(make_plan(world, drain(world, "src"))).values()) == {"a", "b"}


def test_room_is_made_where_spreading_alone_leaves_none() -> None:
    # Spread puts the small ones on the larger host first; only with both small ones together the large one fits.
    world = site([host("src"), host("a", 4096), host("b", 6144)], [vm("small1", "src", 2048), vm("small2", "src", 2048), vm("large", "src", 6144)])
    plan = make_plan(world, drain(world, "src"))
    assert targets(plan) == {"small1": "a", "small2": "a", "large": "b"}


@pytest.mark.parametrize("seed", range(25))
def test_a_plan_is_found_wherever_the_vms_just_fit(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.randint(1, 9) * 512 for _turn in range(chance.randint(4, 10))]
    holes = [0] * chance.randint(2, 4)
    for size in sizes:
        holes[chance.randrange(len(holes))] += size
    hosts = [host("src"), *(host(f"h{number}", hole) for number, hole in enumerate(holes))]
    world = site(hosts, [vm(f"vm{number}", "src", size) for number, size in enumerate(sizes)])
    assert make_plan(world, drain(world, "src")).is_complete


def test_anti_affinity_holds_among_the_vms_that_move() -> None:
    world = site([host("src"), host("a"), host("b", 65536)], [vm("db1", "src"), vm("db2", "src")], affinity_groups=(apart("dbs", "db1", "db2"),))
    assert set(targets(make_plan(world, drain(world, "src"))).values()) == {"a", "b"}


def test_an_affinity_group_goes_where_all_of_it_fits() -> None:
    group = together("app", "app1", "app2", "app3")
    vms = [vm("app1", "src", 2048), vm("app2", "src", 2048), vm("app3", "src", 2048)]
    world = site([host("src"), host("small", 5000), host("large", 7000)], vms, affinity_groups=(group,))
    assert set(targets(make_plan(world, drain(world, "src"))).values()) == {"large"}


def test_an_affinity_group_that_fits_nowhere_stays_whole() -> None:
    world = site([host("src"), host("a", 3000), host("b", 3000)], [vm("app1", "src"), vm("app2", "src")], affinity_groups=(together("app", "app1", "app2"),))
    plan = make_plan(world, drain(world, "src"))
    assert plan.migrations == ()
    assert [reason.code for entry in plan.unplaced for reason in entry.reasons] == ["group_has_no_host"] * 2
    assert "need 4096 MiB" in plan.unplaced[0].reasons[0].message


def test_a_member_that_cannot_move_keeps_its_affinity_group() -> None:
    world = site([host("src"), host("a")], [vm("app1", "src"), vm("app2", "src", snapshots=1)], affinity_groups=(together("app", "app1", "app2"),))
    plan = make_plan(world, drain(world, "src"))
    unplaced = {entry.vm_name: entry for entry in plan.unplaced}
    assert [reason.code for reason in unplaced["app1"].candidates["a"]] == ["affinity"]
    assert [reason.code for reason in unplaced["app2"].reasons] == ["has_snapshots"]


def test_with_consent_a_preferred_group_is_parted_only_where_it_must_be() -> None:
    groups = (apart("pair", "web1", "web2", required=False),)
    consent = frozenset({"allow_soft_affinity"})
    two = site([host("src"), host("a", 65536), host("b")], [vm("web1", "src"), vm("web2", "src")], affinity_groups=groups)
    assert set(targets(make_plan(two, drain(two, "src", consents=consent))).values()) == {"a", "b"}
    one = site([host("src"), host("a")], [vm("web1", "src"), vm("web2", "src")], affinity_groups=groups)
    assert len(make_plan(one, drain(one, "src")).migrations) == 1
    plan = make_plan(one, drain(one, "src", consents=consent))
    assert set(targets(plan).values()) == {"a"}
    assert "anti_affinity_preferred" in {reason.code for reason in move_of(plan, "web2").warnings}


def test_when_not_all_fit_as_many_as_possible_are_placed_and_the_first_named_first() -> None:
    vms = [vm("big", "src", 8000), *(vm(f"vm{number}", "src", 4000) for number in range(3))]
    world = site([host("src"), host("a", 8000)], vms)
    plan = make_plan(world, drain(world, "src"))
    assert sorted(targets(plan)) == ["vm0", "vm1"]
    assert {entry.vm_name for entry in plan.unplaced} == {"big", "vm2"}


def test_hosts_of_unknown_memory_come_last_and_with_a_warning() -> None:
    world = site([host("src"), host("dark", memory_mib=None), host("a", 4096)], [vm("web", "src"), vm("db", "src"), vm("app", "src")])  # type: ignore[arg-type]
    plan = make_plan(world, drain(world, "src"))
    assert sorted(targets(plan).values()) == ["a", "a", "dark"]
    dark = next(move for move in plan.migrations if move.target_host == "dark")
    assert "fact_unknown" in {reason.code for reason in dark.warnings}


def test_the_limit_of_vms_per_host_is_kept() -> None:
    world = site([host("src"), host("a", max_vms=1), host("b", max_vms=2)], [vm(f"vm{number}", "src", 512) for number in range(4)])
    plan = make_plan(world, drain(world, "src"))
    assert sorted(targets(plan).values()) == ["a", "b", "b"]
    assert plan.unplaced[0].candidates["a"][0].code == "max_vms_reached"
