# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as a whole: its identity, explanations, checks and comparison."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import OrderConstraint, Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.planning import planner
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.compare import difference
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan, plan_id

from tests.unit.planning.world import apart, drain, host, move_of, site, vm


def _world() -> Site:
    return site([host("src"), host("a", 8000), host("b", 16384), host("c", 12288)], [vm("web", "src"), vm("db", "src", 4096)])


def test_a_plan_has_all_that_a_start_needs() -> None:
    world = _world()
    move = move_of(make_plan(world, drain(world, "src")), "db")
    assert (move.source_host, move.target_host, move.memory_mib) == ("src", "b", 4096)
    assert move.expected_seconds > 30
    assert move.bytes_to_copy >= 4096 * 2**20
    assert move.next_targets[0] == "c"
    assert move.why.startswith("b keeps ")


@pytest.mark.rule("PCD-22", sign="+")
def test_every_migration_names_a_concrete_host() -> None:
    world = _world()
    assert all(move.target_host in world.host_by_name for move in make_plan(world, drain(world, "src")).migrations)


def test_equal_moves_have_equal_ids_and_others_do_not() -> None:
    world = _world()
    plan = make_plan(world, drain(world, "src"))
    assert len(plan.plan_id) == 12
    assert int(plan.plan_id, 16) >= 0
    assert plan_id(reversed(plan.migrations)) == plan.plan_id
    assert plan_id(dataclasses.replace(move, expected_seconds=1.0, id="x") for move in plan.migrations) == plan.plan_id
    for change in ({"target_host": "c"}, {"mode": Mode.COLD}, {"source_host": "c"}, {"vm": "x"}):
        assert plan_id([dataclasses.replace(plan.migrations[0], **change), *plan.migrations[1:]]) != plan.plan_id  # type: ignore[arg-type]


def test_nothing_to_move_is_an_empty_plan() -> None:
    plan = make_plan(_world(), PlanRequest(()))
    assert plan.is_complete
    assert (plan.migrations, plan.makespan_seconds, plan.lower_bound_seconds, plan.binding, plan.explanation) == ((), 0, 0, None, "")


@pytest.mark.parametrize(
    ("request_", "option", "code"),
    [
        (PlanRequest(("nobody",)), "vms", "vm_unknown"),
        (PlanRequest(("web",), target_hosts=frozenset({"nowhere"})), "target_hosts", "host_unknown"),
        (PlanRequest(("web",), avoid_hosts=frozenset({"nowhere"})), "avoid_hosts", "host_unknown"),
        (PlanRequest(("web",), scope="galaxy"), "scope", "invalid_input"),
    ],
)
def test_what_does_not_exist_is_named(request_: PlanRequest, option: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        make_plan(_world(), request_)
    assert (caught.value.option, caught.value.code) == (option, code)


def test_the_explanation_gives_totals_the_largest_hole_and_what_rules_candidates_out() -> None:
    closed = host("closed", maintenance=Maintenance(MaintenanceState.MAINTENANCE))
    world = site([host("src", 65536), host("a", 3000), host("b", 2500), closed], [vm("web", "src"), vm("db", "src", 8192), vm("snap", "src", snapshots=1)])
    plan = make_plan(world, drain(world, "src"))
    assert plan.explanation == (
        "1 of 3 VMs have a place. 1 cannot be moved anywhere (has_snapshots (1)). 1 without a place needs 8192 MiB of memory, the largest 8192 MiB (db); "
        "where only room is missing (2 hosts), 3452 MiB are free after the rest of the plan, the largest hole is 2500 MiB on b. "
        "What rules candidates out: insufficient_memory (2), host_in_maintenance (1)."
    )


def test_the_explanation_names_the_consent_that_would_help() -> None:
    world = site([host("src"), host("a")], [vm("web", "src"), vm("db", "a")], affinity_groups=(apart("pair", "web", "db", required=False),))
    assert make_plan(world, drain(world, "src")).explanation.endswith("With allow_soft_affinity, a host would take web.")


def test_the_explanation_does_not_speak_of_memory_where_it_would_not_help() -> None:
    local = vm("web", "src", volumes=(Volume("root", pool="src/local"),))
    world = site([host("src", pools=frozenset({"src/local"})), host("a")], [local], pools=(Pool("src/local", "local"),))
    assert "no candidate would take any of them as things stand, whatever its memory" in make_plan(world, drain(world, "src")).explanation


@pytest.mark.rule("PCD-22", sign="-")
def test_no_candidate_at_all_is_a_reason() -> None:
    world = site([host("src")], [vm("web", "src")])
    plan = make_plan(world, drain(world, "src"))
    assert [reason.code for reason in plan.unplaced[0].candidates["src"]] == ["same_host"]


def test_many_vms_without_a_place_are_not_explained_pair_by_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.vmops.migration.plugins.module_utils.planning.explain.PAIRS", 4)
    world = site([host("src", 65536), host("a", 1024)], [vm(f"vm{number}", "src") for number in range(5)])
    unplaced = make_plan(world, drain(world, "src")).unplaced
    assert [bool(entry.candidates) for entry in unplaced] == [True, True, False, False, False]
    assert [reason.code for reason in unplaced[4].reasons] == ["no_suitable_target"]


# The checker: each fault that is put into a good plan must be found.


def _checked(change: dict[str, object], **of_move: object) -> tuple[str, ...]:
    world = _world()
    request = drain(world, "src")
    plan = make_plan(world, request)
    first = dataclasses.replace(plan.migrations[0], **of_move)  # type: ignore[arg-type]
    return check_plan(world, dataclasses.replace(plan, **({"migrations": (first, *plan.migrations[1:])} | change)), request)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of_move", "said"),
    [
        ({"target_host": ""}, "does not exist"),
        ({"target_host": "src"}, "not a target that the request allows"),
        ({"source_host": "c"}, "not on c"),
        ({"vm": "web"}, "planned 2 times"),
        ({"id": "m002"}, "given 2 times"),
    ],
)
def test_the_checker_finds_a_wrong_migration(of_move: dict[str, object], said: str) -> None:
    assert any(said in fault for fault in _checked({}, **of_move))


def test_the_checker_finds_orders_that_cannot_be_kept() -> None:
    loop = (OrderConstraint("m001", "m002"), OrderConstraint("m002", "m001"))
    assert _checked({"order": loop}) == ("the order constraints make migrations wait for each other",)
    assert any("unknown migration" in fault for fault in _checked({"order": (OrderConstraint("m001", "m009"),)}))


def test_the_checker_finds_over_committed_memory() -> None:
    world = site([host("src"), host("a", 4096), host("b", 4096)], [vm("web", "src", 4096), vm("db", "src", 4096)])
    request = drain(world, "src")
    plan = make_plan(world, request)
    crowded = dataclasses.replace(plan, migrations=tuple(dataclasses.replace(move, target_host="a") for move in plan.migrations))
    assert any("over-committed" in fault for fault in check_plan(world, crowded, request))


def test_the_checker_finds_vms_that_may_not_move_and_refusals_without_reason() -> None:
    world = _world()
    request = drain(world, "src")
    plan = make_plan(world, request)
    pinned = dataclasses.replace(world, vms=tuple(dataclasses.replace(subject, snapshots=1) for subject in world.vms))
    assert any("has_snapshots" in fault for fault in check_plan(pinned, plan, request))
    full = site([host("src"), host("a", 1024)], [vm("web", "src")])
    refused = make_plan(full, drain(full, "src"))
    mute = dataclasses.replace(refused, unplaced=(dataclasses.replace(refused.unplaced[0], candidates={}),))
    assert check_plan(full, mute, drain(full, "src")) == ("VM web is refused without a reason",)


def test_a_plan_that_fails_its_check_is_never_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "jobs_of", lambda *_arguments: [])
    world = _world()
    with pytest.raises(planner.MigrationError) as caught:
        make_plan(world, drain(world, "src"))
    assert caught.value.code == "plan_invalid"


# Approved plan and present plan.


def _approved() -> tuple[Site, Plan]:
    world = _world()
    return world, make_plan(world, drain(world, "src"))


def test_equal_plans_do_not_differ() -> None:
    world, plan = _approved()
    assert difference(plan, plan, world) == ()


def test_moves_that_are_done_or_under_way_are_no_difference() -> None:
    world, plan = _approved()
    done = move_of(plan, "web").target_host
    after = dataclasses.replace(world, vms=(dataclasses.replace(world.vms[0], host=done), world.vms[1]))
    rest = dataclasses.replace(plan, migrations=tuple(move for move in plan.migrations if move.vm != "web"))
    assert difference(plan, rest, after) == ()
    flying = dataclasses.replace(world, vms=(dataclasses.replace(world.vms[0], operation_target=done), world.vms[1]))
    assert difference(plan, rest, flying) == ()


def test_each_move_that_differs_is_told() -> None:
    world, plan = _approved()
    web, db = move_of(plan, "web"), move_of(plan, "db")
    other = dataclasses.replace(plan, migrations=(dataclasses.replace(web, target_host="a"),))
    assert difference(plan, other, world) == (
        f"db from src to {db.target_host}: approved, but not planned now.",
        f"web from src to {web.target_host}: approved with target {web.target_host}, now planned with target a.",
    )
    assert difference(other, plan, world)[0] == f"db from src to {db.target_host}: not in the approved plan."
    gone = dataclasses.replace(world, vms=world.vms[1:])
    assert "not there any more" in difference(plan, plan, gone)[0]
