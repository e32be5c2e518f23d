# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and outcomes as results: one entry per VM, warnings once each, the placement before and after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.result_form import RunResult
from ansible_collections.vmops.migration.plugins.module_utils.interface.results import (
    as_result,
    migration_results,
    placement_diff,
    placements,
    site_warnings,
    stats_of,
    unplaced_results,
    warning_texts,
    write_long_form,
)
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.outcome import Attempt, Outcome, Remaining
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan, Unplaced
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import hard, warning
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site

WEB = Migration("m1", "1", "web", "kvm1", "kvm2", expected_seconds=9.0, why="most free memory")
DB = Migration("m2", "2", "db", "kvm1", "kvm3")
PLAN = Plan("p1", (WEB, DB), makespan_seconds=30.0, lower_bound_seconds=20.0, gap_percent=50.0, bytes_to_copy=1000)
ATTEMPTS = (Attempt("kvm3", Phase.FAILED, 10.0, 12.0, (hard("refused", "No."),)), Attempt("kvm4", Phase.DONE, 12.0, 15.0))
OUTCOMES = (
    Outcome("m1", "1", "web", "kvm1", "kvm1", Phase.FAILED, started_at=10.0, ended_at=11.5, reasons=(hard("refused", "No."),)),
    Outcome(
        "m2", "2", "db", "kvm1", "kvm4", Phase.DONE, changed=True, attempts=ATTEMPTS, started_at=10.0, ended_at=15.0, downtime_ms=30.0, transferred_bytes=600
    ),
    Outcome("adopted-3", "3", "old", "kvm1", "kvm2", Phase.DONE, changed=True, adopted=True, downtime_ms=90.0, transferred_bytes=200),
)


def test_in_check_mode_every_move_is_planned_and_the_vm_where_it_was() -> None:
    web, db = migration_results(PLAN)
    assert (web.phase, web.host, web.target_host, web.expected_seconds, web.why) == (Phase.PLANNED, "kvm1", "kvm2", 9.0, "most free memory")
    assert (db.seconds, db.started_at, db.changed) == (None, None, False)


def test_after_a_run_every_vm_has_one_entry_and_adopted_ones_come_last() -> None:
    web, db, old = migration_results(PLAN, OUTCOMES)
    assert (web.phase, web.host, web.seconds, web.reasons[0].code) == (Phase.FAILED, "kvm1", 1.5, "refused")
    assert (db.phase, db.host, db.target_host, len(db.attempts)) == (Phase.DONE, "kvm4", "kvm4", 2)
    assert (old.vm_name, old.adopted, old.target_host, old.started_at) == ("old", True, "kvm2", None)


def test_figures_count_the_run_and_are_empty_without_one() -> None:
    ran = stats_of(PLAN, OUTCOMES, 1, (Remaining("1", "web", "kvm1"),), 5.0)
    assert (ran.planned_moves, ran.done, ran.failed, ran.adopted, ran.unplaced, ran.remaining) == (2, 2, 1, 1, 1, 1)
    assert (ran.makespan_seconds, ran.transferred_bytes, ran.longest_downtime_ms) == (5.0, 800, 90.0)
    planned = stats_of(PLAN)
    assert (planned.makespan_seconds, planned.transferred_bytes, planned.longest_downtime_ms) == (None, None, None)
    assert (planned.planned_makespan_seconds, planned.lower_bound_seconds, planned.gap_percent, planned.planned_bytes) == (30.0, 20.0, 50.0, 1000)


def test_a_foreign_move_that_failed_is_not_our_failure() -> None:
    assert stats_of(None, (Outcome("f", "1", "web", "kvm1", "kvm1", Phase.FAILED, foreign=True),), seconds=1.0).failed == 0


def test_the_diff_shows_only_what_differs() -> None:
    entries = migration_results(PLAN, OUTCOMES)
    diff = placement_diff([("host kvm1", "available", "available"), *placements(entries, predicted=False)])
    assert diff["before"] == "db: kvm1\nold: kvm1\n"
    assert diff["after"] == "db: kvm4\nold: kvm2\n"


def test_the_predicted_diff_shows_the_targets() -> None:
    assert placement_diff(placements(migration_results(PLAN), predicted=True))["after"] == "db: kvm3\nweb: kvm2\n"


def test_vms_of_one_name_are_told_apart_by_their_ids() -> None:
    twins = Plan("p", (Migration("m1", "1", "web", "kvm1", "kvm2"), Migration("m2", "2", "web", "kvm1", "kvm3")))
    assert placement_diff(placements(migration_results(twins), predicted=True))["after"] == "web (1): kvm2\nweb (2): kvm3\n"


def test_reasons_per_candidate_are_shown_for_few_and_counted_for_all() -> None:
    memory, local = hard("insufficient_memory", "No memory."), hard("local_storage", "A local disk.")
    candidates = {f"kvm{n}": (memory, local, warning("fact_unknown", "?")) if n % 2 else (memory,) for n in range(1, 21)}
    (entry,) = unplaced_results([Unplaced("1", "web", "kvm1", (), candidates)])
    assert len(entry.candidates) == 5
    assert "kvm1" not in entry.candidates
    assert entry.candidate_counts == {"insufficient_memory": 19, "local_storage": 9}
    assert entry.candidates_total == 19


def test_a_reason_that_holds_anywhere_is_not_repeated_per_host() -> None:
    (entry,) = unplaced_results([Unplaced("1", "web", "kvm1", (hard("pinned", "Pinned."),), {"kvm2": (hard("x", "X."),)})])
    assert entry.candidates == {}
    assert entry.candidates_total == 1


def test_a_plan_in_a_result_does_not_repeat_the_reasons_per_candidate() -> None:
    unplaced = Unplaced("1", "web", "kvm1", (), {"kvm2": (hard("x", "X."),)})
    result = as_result(RunResult(changed=False, plan=Plan("p", unplaced=(unplaced,)), unplaced=unplaced_results([unplaced])))
    assert result["plan"]["unplaced"][0]["candidates"] == {}
    assert result["unplaced"][0]["candidates"]["kvm2"][0]["code"] == "x"


def test_each_warning_is_told_once_and_many_of_a_kind_are_counted() -> None:
    reasons = [warning("fact_unknown", f"fact {n}", "Say it.") for n in range(12)] * 3 + [warning("other", "once")]
    texts = warning_texts(reasons)
    assert texts[0] == "fact_unknown: fact 0 Say it."
    assert texts[5] == "fact_unknown: and 7 more of this kind"
    assert texts[6:] == ["other: once"]


def test_a_host_that_does_not_answer_is_warned_of_once() -> None:
    silent = Host("kvm9", state=HostState.UNREACHABLE, state_reason="timed out")
    (told,) = site_warnings(Site(hosts=(Host("kvm1"), silent)))
    assert (told.code, "kvm9" in told.message, "timed out" in told.message) == ("host_unreachable", True, True)
    own = warning("host_unreachable", "Host kvm9 says nothing.")
    assert site_warnings(Site(hosts=(silent,), warnings=(own,))) == (own,)


def test_the_long_form_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_long_form(str(path), {"changed": True, "plan": {"plan_id": "é"}})
    assert json.loads(path.read_text()) == {"changed": True, "plan": {"plan_id": "é"}}
    assert [found.name for found in tmp_path.iterdir()] == ["result.json"]


def test_a_result_file_that_cannot_be_written_is_named() -> None:
    with pytest.raises(InputError, match=r"result_file: '/nowhere/result.json' cannot be written"):
        write_long_form("/nowhere/result.json", {})
