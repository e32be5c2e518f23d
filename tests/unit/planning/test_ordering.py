# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Order constraints: moves that make room for one another."""

from __future__ import annotations

import dataclasses

from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan, plan_to

from tests.unit.planning.world import apart, drain, host, move_of, site, targets, together, vm


def test_a_drain_needs_no_order() -> None:
    world = site([host("src"), host("a")], [vm("web", "src"), vm("db", "src")])
    assert make_plan(world, drain(world, "src")).order == ()


def test_a_move_waits_for_the_room_that_another_one_makes() -> None:
    # c is free; b is full with db. web (on a) fits on b only after db has gone to c.
    hosts = [host("a", 4096, tags=frozenset({"x"})), host("b", 4096, tags=frozenset({"web"})), host("c", 4096)]
    web = vm("web", "a", 4096, required_host_tags=frozenset({"web"}))
    world = site(hosts, [web, vm("db", "b", 4096)])
    plan = make_plan(world, PlanRequest(("web", "db")))
    assert targets(plan) == {"web": "b", "db": "c"}
    assert [(order.before, order.after) for order in plan.order] == [(move_of(plan, "db").id, move_of(plan, "web").id)]
    assert "db leaves" in plan.order[0].why
    assert move_of(plan, "web").expected_start_seconds >= move_of(plan, "db").expected_seconds
    without = dataclasses.replace(plan, order=())
    assert any("insufficient_memory" in fault for fault in check_plan(world, without, PlanRequest(("web", "db"))))


def test_a_move_waits_for_a_member_of_its_anti_affinity_group_to_leave() -> None:
    hosts = [host("a"), host("b", tags=frozenset({"web"})), host("c")]
    web = vm("web", "a", required_host_tags=frozenset({"web"}))
    world = site(hosts, [web, vm("db", "b")], affinity_groups=(apart("pair", "web", "db"),))
    request = PlanRequest(("web", "db"))
    plan = make_plan(world, request)
    assert [(order.before, order.after) for order in plan.order] == [(move_of(plan, "db").id, move_of(plan, "web").id)]
    assert any("anti_affinity" in fault for fault in check_plan(world, dataclasses.replace(plan, order=()), request))


def test_vms_that_would_wait_for_each_other_are_told_so() -> None:
    # A swap without any room in between.
    hosts = [host("a", 4096, tags=frozenset({"a"})), host("b", 4096, tags=frozenset({"b"}))]
    vms = [vm("web", "a", 4096, required_host_tags=frozenset({"b"})), vm("db", "b", 4096, required_host_tags=frozenset({"a"}))]
    world = site(hosts, vms)
    plan = make_plan(world, PlanRequest(("web", "db")))
    assert plan.migrations == ()
    assert all("insufficient_memory" in {reason.code for reasons in entry.candidates.values() for reason in reasons} for entry in plan.unplaced)


def test_a_deadlock_does_not_hold_back_the_others() -> None:
    hosts = [host("a", 4096, tags=frozenset({"a"})), host("b", 4096, tags=frozenset({"b"})), host("c", 4096, tags=frozenset({"c"})), host("d", 4096)]
    vms = [
        vm("web", "a", 4096, required_host_tags=frozenset({"b"})),
        vm("db", "b", 4096, required_host_tags=frozenset({"a"})),
        vm("first", "c", 4096),
        vm("second", "d", 2048, required_host_tags=frozenset({"c"})),
    ]
    world = site(hosts, vms)
    plan = make_plan(world, PlanRequest(tuple(subject.id for subject in vms)))
    assert {entry.vm_name for entry in plan.unplaced} >= {"web", "db"}
    assert check_plan(world, plan, PlanRequest(tuple(subject.id for subject in vms))) == ()


def test_an_affinity_group_may_be_apart_only_while_it_is_under_way() -> None:
    world = site([host("src"), host("a")], [vm("app1", "src"), vm("app2", "src")], affinity_groups=(together("app", "app1", "app2"),))
    request = drain(world, "src")
    plan = make_plan(world, request)
    assert check_plan(world, plan, request) == ()
    half = dataclasses.replace(plan, migrations=plan.migrations[:1])
    assert any("neither placed nor refused" in fault for fault in check_plan(world, half, request))
    assert any("affinity" in fault for fault in check_plan(world, half, dataclasses.replace(request, vms=(plan.migrations[0].vm,))))


def test_given_targets_are_kept_and_only_ordered() -> None:
    hosts = [host("a", 4096), host("b", 4096), host("c", 4096)]
    world = site(hosts, [vm("web", "a", 4096), vm("db", "b", 4096)])
    request = PlanRequest(("web", "db"))
    plan = plan_to(world, request, {"web": "b", "db": "c"})
    assert targets(plan) == {"web": "b", "db": "c"}
    assert [(order.before, order.after) for order in plan.order] == [("m001", "m002")]
    swap = plan_to(world, request, {"web": "b", "db": "a"})
    assert swap.migrations == ()
    assert all("order_deadlock" in {reason.code for reason in entry.reasons} for entry in swap.unplaced)


def test_a_given_target_that_is_forbidden_leaves_its_vm_where_it_is() -> None:
    world = site([host("a"), host("b", architecture="aarch64"), host("c")], [vm("web", "a"), vm("db", "a")])
    plan = plan_to(world, PlanRequest(("web", "db")), {"web": "b", "db": "c"})
    assert targets(plan) == {"db": "c"}
    assert [entry.vm_name for entry in plan.unplaced] == ["web"]


def test_a_move_that_others_wait_for_does_not_share_its_way() -> None:
    # db must leave b before web comes; the two others that leave b at the same time would take bandwidth from it.
    hosts = [host("a", management_link_mbps=10000), host("b", 12288, management_link_mbps=1000), host("c", 65536, management_link_mbps=10000)]
    vms = [vm("web", "a", 4096), vm("db", "b", 4096), vm("app1", "b", 4096), vm("app2", "b", 4096)]
    given = {"web": "b", "db": "c", "app1": "c", "app2": "c"}
    world = site(hosts, vms)
    plan = plan_to(world, PlanRequest(tuple(given)), given)
    assert plan.gap_percent < 10
    assert check_plan(world, plan, PlanRequest(tuple(given))) == ()


def test_guests_that_rewrite_memory_fast_go_one_after_the_other() -> None:
    busy = [vm(f"busy{number}", "src", 4096, dirty_rate_mib_s=60.0) for number in range(4)]
    world = site([host("src"), host("a", 65536)], busy)
    plan = make_plan(world, drain(world, "src"))
    assert len(plan.order) == 3
    assert "ends sooner" in plan.order[0].why
    assert all("may_not_converge" not in {reason.code for reason in move.warnings} for move in plan.migrations)
    calm = site([host("src"), host("a", 65536)], [vm(f"calm{number}", "src", 4096) for number in range(4)])
    assert make_plan(calm, drain(calm, "src")).order == ()
