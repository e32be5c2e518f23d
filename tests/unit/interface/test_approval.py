# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""approved_plan: what passes, what is refused move by move, and what is replanned with a warning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.approval import Approval
from ansible_collections.vmops.migration.plugins.module_utils.interface.bounds import brief
from ansible_collections.vmops.migration.plugins.module_utils.interface.failure import Failure
from ansible_collections.vmops.migration.plugins.module_utils.interface.result_form import RunResult
from ansible_collections.vmops.migration.plugins.module_utils.interface.results import as_result, migration_results
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, Vm

HOSTS = tuple(Host(name) for name in ("kvm1", "kvm2", "kvm3"))
WEB, DB = Vm("1", "web", "kvm1"), Vm("2", "db", "kvm1")
SITE = Site(hosts=HOSTS, vms=(WEB, DB))
WEB_TO_2, DB_TO_3, DB_TO_2 = Migration("m1", "1", "web", "kvm1", "kvm2"), Migration("m2", "2", "db", "kvm1", "kvm3"), Migration("m2", "2", "db", "kvm1", "kvm2")
APPROVED, OTHER = Plan("aaaa", (WEB_TO_2, DB_TO_3)), Plan("bbbb", (WEB_TO_2, DB_TO_2))


def result_plan(plan: Plan) -> dict[str, Any]:
    """A plan as it stands in a result that went through a playbook."""
    shown: dict[str, Any] = json.loads(json.dumps(as_result(RunResult(changed=True, plan=plan, migrations=migration_results(plan)))))["plan"]
    return shown


def judged(given: Any, plan: Plan, site: Site = SITE, on_change: str = "fail", unfinished: str = "") -> tuple[list[Plan], Approval]:
    passed: list[Plan] = []
    approval = Approval(given, on_change, lambda found, _site: passed.append(found))
    approval(plan, site, unfinished)
    return passed, approval


@pytest.mark.parametrize("given", [None, "aaaa", " aaaa ", result_plan(APPROVED), json.dumps(result_plan(APPROVED))])
def test_the_approved_plan_passes(given: Any) -> None:
    passed, approval = judged(given, APPROVED)
    assert passed == [APPROVED]
    assert approval.warnings == ()


def test_another_plan_is_refused_and_the_difference_told_move_by_move() -> None:
    with pytest.raises(Failure) as caught:
        judged(result_plan(APPROVED), OTHER)
    assert caught.value.code == "plan_changed"
    (difference,) = caught.value.result["plan_differences"]
    assert "db" in difference
    assert "kvm3" in difference
    assert "web" not in difference
    assert caught.value.result["plan"]["plan_id"] == "bbbb"


def test_of_an_id_only_its_difference_can_be_told() -> None:
    with pytest.raises(Failure, match="the plan is bbbb now") as caught:
        judged("aaaa", OTHER)
    assert caught.value.code == "plan_changed"


def test_a_changed_plan_may_be_replanned_with_a_warning() -> None:
    passed, approval = judged(result_plan(APPROVED), OTHER, on_change="replan")
    assert passed == [OTHER]
    assert [reason.code for reason in approval.warnings] == ["plan_changed"]


def test_moves_that_are_done_or_under_way_are_no_difference() -> None:
    left = Plan("cccc", (DB_TO_3,))
    done = Site(hosts=HOSTS, vms=(Vm("1", "web", "kvm2"), DB))
    assert judged(result_plan(APPROVED), left, done)[0] == [left]
    flying = Site(hosts=HOSTS, vms=(Vm("1", "web", "kvm1", operation=OperationKind.MIGRATION_OUT, operation_target="kvm2"), DB))
    assert judged(result_plan(APPROVED), left, flying)[0] == [left]


def test_the_rest_of_an_approved_plan_that_was_begun_passes_by_its_id() -> None:
    passed, approval = judged("aaaa", Plan("cccc", (DB_TO_3,)), unfinished="aaaa")
    assert len(passed) == 1
    assert [reason.code for reason in approval.warnings] == ["plan_resumed"]


def test_nothing_to_do_needs_no_approval() -> None:
    assert judged("aaaa", Plan("0000"))[0] == [Plan("0000")]


def test_the_plan_of_a_shortened_result_is_known_by_its_id() -> None:
    shown = brief(as_result(RunResult(changed=True, plan=APPROVED, migrations=migration_results(APPROVED))))["plan"]
    assert judged(shown, APPROVED)[0] == [APPROVED]
    with pytest.raises(Failure):
        judged(shown, OTHER)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["aaaa"], "neither a plan nor a plan's id but list"),
        (5, "neither a plan nor a plan's id but int"),
        ({"plan": {"plan_id": "aaaa"}}, "a whole result"),
        ({"plan_id": "aaaa", "moves": []}, "approved_plan.moves: unknown field"),
        ({"plan_id": "aaaa", "migrations": [{"id": "m1"}]}, "approved_plan.migrations[0].vm: required field is missing"),
        ({"plan_id": ""}, "approved_plan.plan_id: it is empty"),
        ({}, "approved_plan.plan_id: required field is missing"),
        ('{"plan_id": ', "it is no JSON"),
        ("", "approved_plan: it is empty"),
        ("  ", "approved_plan: it is empty"),
    ],
)
def test_what_is_no_plan_is_refused_before_anything_is_asked(given: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        Approval(given, "fail", lambda _plan, _site: None)
    assert told in caught.value.message
