# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of every plan and every answer, over random sites."""

from __future__ import annotations

import dataclasses
import random

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets, reasons_for
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.strategies import examples, hosts, sites_with_requests


def _shuffled(site: Site, seed: int) -> Site:
    chance = random.Random(seed)

    def mixed(items: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(chance.sample(items, len(items)))

    return dataclasses.replace(
        site,
        hosts=mixed(site.hosts),
        pools=mixed(site.pools),
        vms=mixed(site.vms),
        links=mixed(site.links),
        affinity_groups=mixed(site.affinity_groups),
    )


@settings(max_examples=examples(150))
@given(sites_with_requests())
def test_every_plan_passes_the_checker_in_many_orders(world: tuple[Site, PlanRequest]) -> None:
    site, request = world
    plan = make_plan(site, request)
    assert check_plan(site, plan, request, orders=30, seed=7) == ()


@settings(max_examples=examples(100))
@given(sites_with_requests(), st.integers(0, 1000))
def test_the_order_of_the_input_changes_nothing(world: tuple[Site, PlanRequest], seed: int) -> None:
    site, request = world
    assert make_plan(_shuffled(site, seed), request) == make_plan(site, request)


@settings(max_examples=examples(100))
@given(sites_with_requests())
def test_nothing_is_refused_without_a_reason(world: tuple[Site, PlanRequest]) -> None:
    site, request = world
    plan = make_plan(site, request)
    assert bool(plan.explanation) == bool(plan.unplaced)
    for entry in plan.unplaced:
        assert blocking(entry.reasons) or all(blocking(reasons) for reasons in entry.candidates.values())
        assert blocking(entry.reasons) or entry.candidates
    for vm in site.vms:
        for target in find_targets(site, vm, request):
            assert target.suitable_for_migration is not bool(blocking(target.reasons))
            assert all(reason.code and reason.message for reason in target.reasons)


@settings(max_examples=examples(100))
@given(sites_with_requests(), hosts("kvm9"))
def test_one_more_host_makes_no_other_unsuitable(world: tuple[Site, PlanRequest], more: Host) -> None:
    site, request = world
    larger = dataclasses.replace(site, hosts=(*site.hosts, more))
    for vm in site.vms:
        before = {target.host for target in find_targets(site, vm, request) if target.suitable_for_migration}
        after = {target.host for target in find_targets(larger, vm, request) if target.suitable_for_migration}
        assert before <= after


@settings(max_examples=examples(150))
@given(sites_with_requests())
def test_a_suitable_target_is_one_that_a_plan_accepts_and_the_reverse(world: tuple[Site, PlanRequest]) -> None:
    site, request = world
    for vm in site.vms:
        alone = dataclasses.replace(request, vms=(vm.id,), keep_order=False)
        for target in find_targets(site, vm, alone):
            plan = make_plan(site, dataclasses.replace(alone, target_hosts=frozenset({target.host})))
            assert plan.is_complete is target.suitable_for_migration
            assert bool(blocking(reasons_for(site, vm, target.host, alone))) is not target.suitable_for_migration


@settings(max_examples=examples(150))
@given(sites_with_requests(), st.integers(0, 10000))
def test_memory_is_never_over_committed_in_any_admission_order(world: tuple[Site, PlanRequest], seed: int) -> None:
    site, request = world
    plan = make_plan(site, request)
    chance = random.Random(seed)
    used = {host.name: sum(vm.memory_mib for vm in site.vms if vm.host == host.name and vm.is_active) for host in site.hosts}
    moves = {move.id: move for move in plan.migrations}
    left, running, done = set(moves), set(), set()
    while left or running:
        open_ids = sorted(name for name in left if all(order.before in done for order in plan.order if order.after == name))
        assert open_ids or running, "the plan stands still"
        if open_ids and (not running or chance.random() < 0.7):
            name = chance.choice(open_ids)
            left.remove(name)
            running.add(name)
            host = site.host_by_name[moves[name].target_host]
            used[host.name] += site.vm_by_id[moves[name].vm].memory_mib
            assert host.memory_mib is None or used[host.name] <= host.memory_mib - host.reserved_memory_mib
        else:
            name = chance.choice(sorted(running))
            running.remove(name)
            done.add(name)
            used[moves[name].source_host] -= site.vm_by_id[moves[name].vm].memory_mib


@settings(max_examples=examples(100))
@given(sites_with_requests())
def test_no_time_line_beats_the_lower_bound_and_none_exceeds_its_slots(world: tuple[Site, PlanRequest]) -> None:
    site, request = world
    plan = make_plan(site, request)
    assert plan.makespan_seconds >= plan.lower_bound_seconds - 0.2
    assert (plan.binding is None) is (not plan.migrations)
    _within_slots(site, request, plan)


def _within_slots(site: Site, request: PlanRequest, plan: Plan) -> None:
    for moment in (move.expected_start_seconds for move in plan.migrations):
        running = [move for move in plan.migrations if move.expected_start_seconds <= moment < move.expected_start_seconds + move.expected_seconds - 0.2]
        assert not request.parallel or len(running) <= request.parallel
        for host in site.hosts:
            busy = sum(host.name in (move.source_host, move.target_host) for move in running)
            assert busy <= site.limits.hosts.get(host.name, site.limits.migrations_per_host)
