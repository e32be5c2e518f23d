# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations of single moves, ways between hosts, and the schedule of many."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Limits, Link
from ansible_collections.vmops.migration.plugins.module_utils.planning.durations import ASSUMED_DIRTY_RATE_MIB_S, Calibration, estimate
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.routes import ASSUMED_LINK_MBPS, Routes

from tests.unit.planning.world import drain, host, move_of, site, vm

IDEAL = Calibration(efficiency=1.0, setup_seconds=0.0)
GIGABIT_MIB_S = 1e9 / 8 / 2**20


def test_memory_that_stands_still_takes_size_over_bandwidth() -> None:
    course = estimate(4096, 0.0, None, 1000, IDEAL)
    assert course.seconds == pytest.approx(4096 / GIGABIT_MIB_S)
    assert course.bytes == 4096 * 2**20
    assert course.downtime_ms == 0


def test_a_rewriting_guest_takes_memory_over_bandwidth_less_dirty_rate() -> None:
    course = estimate(65536, 30.0, None, 1000, IDEAL)
    assert course.seconds == pytest.approx(65536 / (GIGABIT_MIB_S - 30), rel=0.01)
    assert course.converges


def test_the_working_set_bounds_what_is_copied_again() -> None:
    small, whole = estimate(65536, 100.0, 512, 1000, IDEAL), estimate(65536, 100.0, None, 1000, IDEAL)
    assert small.seconds < whole.seconds
    assert small.seconds > 65536 / GIGABIT_MIB_S


def test_a_guest_that_rewrites_faster_than_the_link_does_not_converge() -> None:
    course = estimate(4096, 500.0, None, 1000)
    assert not course.converges
    assert course.downtime_ms > 300
    assert estimate(4096, 500.0, 16, 1000).converges, "a working set that passes within the allowed downtime is no obstacle"


def test_more_bandwidth_or_less_memory_never_takes_longer() -> None:
    seconds = [estimate(8192, 20.0, None, mbps).seconds for mbps in (500, 1000, 2500, 10000, 40000)]
    assert seconds == sorted(seconds, reverse=True)
    sizes = [estimate(size, 20.0, None, 1000).seconds for size in (256, 1024, 4096, 65536)]
    assert sizes == sorted(sizes)


def test_an_unknown_dirty_rate_is_assumed_and_disks_are_added() -> None:
    still, assumed = estimate(4096, 0.0, None, 1000), estimate(4096, None, None, 1000)
    assert still.seconds < assumed.seconds < estimate(4096, ASSUMED_DIRTY_RATE_MIB_S, None, 1000).seconds + 1
    with_disk = estimate(4096, 0.0, None, 1000, IDEAL, disk_bytes=2**30)
    assert with_disk.seconds == pytest.approx(5120 / GIGABIT_MIB_S)
    with pytest.raises(ValueError, match="bandwidth"):
        estimate(4096, None, None, 0)


@pytest.mark.rule("CAS-42", sign="+")
def test_the_slower_end_and_the_cap_bound_the_way() -> None:
    world = site([host("a", management_link_mbps=10000), host("b", management_link_mbps=2500)], [])
    assert Routes(world, PlanRequest(())).between("a", "b").bandwidth_mbps == 2500
    assert Routes(world, PlanRequest((), bandwidth_mib_s=100)).between("a", "b").bandwidth_mbps == pytest.approx(838.86, abs=0.01)


@pytest.mark.rule("CAS-42", sign="-")
def test_an_unknown_speed_is_assumed_and_told() -> None:
    world = site([host("a"), host("b", management_link_mbps=None)], [vm("web", "a")])
    plan = make_plan(world, drain(world, "a"))
    assert move_of(plan, "web").bandwidth_mbps == ASSUMED_LINK_MBPS
    assert [reason.code for reason in plan.warnings] == ["fact_unknown"]
    assert "site.hosts.b.management_link_mbps" in plan.warnings[0].message


@pytest.mark.rule("CAS-12", sign="+")
def test_a_shared_link_is_counted_once_and_only_when_crossed() -> None:
    fast = {"management_link_mbps": 10000}
    hosts = [host("a", **fast), host("b", **fast), host("c", **fast)]
    world = site(hosts, [vm("web", "a")], links=(Link("rack", frozenset({"a", "b"}), 1000),))
    routes = Routes(world, PlanRequest(()))
    assert routes.between("a", "b").links == ()
    assert routes.between("a", "c").links == ("rack",)
    assert routes.between("a", "c").bandwidth_mbps == 1000
    assert routes.capacity_mbps[("link", "rack", "out")] == 1000


@pytest.mark.rule("CAS-42", sign="-")
def test_a_guest_of_unknown_dirty_rate_makes_the_plan_say_what_it_assumed() -> None:
    world = site([host("a"), host("b")], [vm("web", "a", dirty_rate_mib_s=None)])
    assert [reason.code for reason in make_plan(world, drain(world, "a")).warnings] == ["duration_assumed"]


def test_moves_share_the_sources_link() -> None:
    world = site([host("src"), host("a"), host("b")], [vm("web", "src"), vm("db", "src")])
    both = make_plan(world, drain(world, "src"))
    one = make_plan(world, drain(world, "src", parallel=1))
    assert [move.expected_start_seconds for move in both.migrations] == [0, 0]
    assert [move.bandwidth_mbps for move in both.migrations] == [500, 500]
    assert [move.bandwidth_mbps for move in one.migrations] == [1000, 1000]
    assert one.migrations[1].expected_start_seconds == pytest.approx(one.migrations[0].expected_seconds)
    assert both.makespan_seconds == pytest.approx(one.makespan_seconds, rel=0.1)


@pytest.mark.parametrize(
    ("limits", "at_once"),
    [(Limits(migrations_per_host=1), 1), (Limits(migrations_per_host=2), 2), (Limits(hosts={"src": 3}), 3), (Limits(links={"rack": 1}), 1)],
)
def test_units_of_hosts_and_links_bound_what_runs_at_once(limits: Limits, at_once: int) -> None:
    hosts = [host("src"), *(host(f"h{number}") for number in range(6))]
    world = site(hosts, [vm(f"vm{number}", "src") for number in range(6)], limits=limits, links=(Link("rack", frozenset({"src"}), 1000),))
    plan = make_plan(world, drain(world, "src"))
    assert len([move for move in plan.migrations if move.expected_start_seconds == 0]) == at_once


def test_a_limit_below_one_is_refused_by_its_name() -> None:
    world = site([host("src"), host("a")], [vm("web", "src")], limits=Limits(hosts={"a": 0}))
    with pytest.raises(InputError, match=r"site\.limits\.hosts\.a"):
        make_plan(world, drain(world, "src"))


def test_the_lower_bound_names_what_binds() -> None:
    spread = [host(f"h{number}", management_link_mbps=10000) for number in range(6)]
    many = site([host("src", management_link_mbps=1000), *spread], [vm(f"vm{number}", "src") for number in range(6)])
    plan = make_plan(many, drain(many, "src"))
    assert plan.binding is not None
    assert (plan.binding.kind, plan.binding.name) == ("host", "src")
    racks = site([host("src", management_link_mbps=10000), *spread], many.vms, links=(Link("rack", frozenset({"src"}), 500),))  # type: ignore[arg-type]
    plan = make_plan(racks, drain(racks, "src"))
    assert plan.binding is not None
    assert (plan.binding.kind, plan.binding.name) == ("link", "rack")
    single = site([host("src"), host("a")], [vm("web", "src", 8192)])
    plan = make_plan(single, drain(single, "src"))
    assert plan.binding is not None
    assert plan.binding.name in ("web", "src", "a", "all moves (parallel)")
    assert plan.gap_percent == pytest.approx(0, abs=0.1)


def test_the_longest_moves_start_first_unless_the_order_is_to_be_kept() -> None:
    sizes = {"small": 512, "middle": 2048, "large": 8192}
    world = site([host("src"), host("a", 65536)], [vm(name, "src", size) for name, size in sizes.items()], limits=Limits(migrations_per_host=1))
    assert make_plan(world, drain(world, "src")).migrations[0].vm_name == "large"
    kept = make_plan(world, drain(world, "src", keep_order=True))
    assert [move.vm_name for move in kept.migrations] == ["small", "middle", "large"]


def test_ids_follow_the_order_of_admission() -> None:
    world = site([host("src"), host("a")], [vm(f"vm{number}", "src", 512) for number in range(12)])
    plan = make_plan(world, drain(world, "src"))
    assert [move.id for move in plan.migrations] == [f"m{number:03}" for number in range(1, 13)]
    assert [move.expected_start_seconds for move in plan.migrations] == sorted(move.expected_start_seconds for move in plan.migrations)
