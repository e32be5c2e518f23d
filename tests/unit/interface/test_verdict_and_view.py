# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a drain is no success, in one sentence; and the plan as a table for people."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.interface.plan_view import MOVES_SHOWN, amount, plan_lines, printable
from ansible_collections.vmops.migration.plugins.module_utils.interface.results import migration_results
from ansible_collections.vmops.migration.plugins.module_utils.interface.verdict import failure_of
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.outcome import Outcome, Remaining
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Binding, Plan, Unplaced
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, Severity, hard

WEB = Migration("m1", "1", "web", "kvm1", "kvm2", memory_mib=1536, expected_seconds=9.0)
PINNED = Unplaced("2", "db", "kvm1", (hard("pinned", "It is pinned.", "Unpin it."),))
FULL = Unplaced("3", "app", "kvm1", (), {"kvm1": (hard("same_host", "It is there."),), "kvm2": (hard("insufficient_memory", "No memory.", "Free some."),)})


def test_what_cannot_move_is_named_with_its_reason() -> None:
    failure = failure_of("kvm1: 2 VM(s) are still there", {"changed": False}, unplaced=(PINNED, FULL))
    assert failure.code == "vms_unplaced"
    assert failure.message == ("kvm1: 2 VM(s) are still there. Cannot move: db: pinned: It is pinned; app: not to kvm2: insufficient_memory: No memory.")
    assert failure.result == {"changed": False}


def test_a_consent_that_would_help_is_named() -> None:
    soft = Reason("affinity", Severity.SOFT, "Apart.", overridable="allow_soft_affinity")
    failure = failure_of("x", {}, unplaced=(Unplaced("1", "web", "kvm1", (), {"kvm2": (soft,), "kvm3": (soft,)}),))
    assert "consents: [allow_soft_affinity]" in failure.hint


def test_only_a_few_names_are_told() -> None:
    many = [Unplaced(str(n), f"vm{n}", "kvm1", (hard("pinned", "Pinned."),)) for n in range(20)]
    message = failure_of("x", {}, unplaced=many).message
    assert "vm4" in message
    assert "vm5" not in message
    assert "and 15 more" in message


def test_moves_that_failed_are_named() -> None:
    outcome = Outcome("m1", "1", "web", "kvm1", "kvm1", Phase.FAILED, reasons=(hard("move_timeout", "Too slow."),))
    failure = failure_of("kvm1 is not empty", {}, migrations=migration_results(Plan("p", (WEB,)), (outcome,)), remaining=(Remaining("1", "web", "kvm1"),))
    assert (failure.code, failure.message) == ("moves_failed", "kvm1 is not empty. Failed: web: move_timeout: Too slow.")


def test_vms_that_nobody_wanted_to_move_are_named() -> None:
    failure = failure_of("kvm1 is not empty", {}, remaining=(Remaining("1", "web", "kvm1", (hard("not_selected", "Not selected."),)),))
    assert (failure.code, failure.message) == ("vms_remaining", "kvm1 is not empty. Still there: web: not_selected: Not selected.")


def test_what_stopped_a_run_comes_first() -> None:
    failure = failure_of("kvm1 is not empty", {}, stopped_by="deadline", unplaced=(PINNED,))
    assert failure.code == "stopped_by_deadline"
    assert failure.message.startswith("The deadline came before the end. kvm1 is not empty.")


# ------------------------------------------------------------ the table


def test_the_table_shows_every_move_with_its_way_and_duration() -> None:
    plan = Plan("4f1c", (WEB,), makespan_seconds=80.0, lower_bound_seconds=75.0, bytes_to_copy=1536 * 2**20, binding=Binding("link", "rack1", 75.0))
    lines = plan_lines(plan)
    assert lines[0] == "Plan 4f1c: 1 move, 1.5 GiB to copy, about 1 min 20 s, at least 1 min 15 s (link rack1 binds)"
    assert lines[1].split() == ["VM", "FROM", "TO", "MEMORY", "START", "TIME"]
    assert lines[2].split() == ["web", "kvm1", "kvm2", "1.5", "GiB", "0", "s", "9", "s"]


def test_moves_stand_in_the_order_of_their_start() -> None:
    later, first = Migration("m1", "1", "later", "a", "b", expected_start_seconds=5.0), Migration("m2", "2", "first", "a", "b")
    assert [line.split()[0] for line in plan_lines(Plan("p", (later, first)))[2:]] == ["first", "later"]


def test_a_long_plan_is_cut_and_counted() -> None:
    lines = plan_lines(Plan("p", tuple(Migration(f"m{n:03}", str(n), f"vm{n}", "a", "b") for n in range(MOVES_SHOWN + 7))))
    assert lines[-1] == "  ... and 7 more moves"


def test_what_cannot_move_is_below_the_table() -> None:
    lines = plan_lines(Plan("p", unplaced=(PINNED, FULL), explanation="No host has memory left."))
    assert lines[0] == "Plan p: no moves"
    assert lines[1:] == (
        "Cannot move (2):",
        "  db on kvm1: pinned: It is pinned",
        "  app on kvm1: not to kvm2: insufficient_memory: No memory",
        "  No host has memory left.",
    )


def test_names_cannot_move_the_cursor_of_a_terminal() -> None:
    hostile = Migration("m1", "1", "a\x1b[2J\nb\r\u202e", "kvm1", "kvm2")
    text = "".join(plan_lines(Plan("p", (hostile,))))
    assert text.isprintable()
    assert printable("plain é '\"<&; ../") == "plain é '\"<&; ../"


def test_amounts_are_told_in_binary_units() -> None:
    assert [amount(count) for count in (0, 512, 2**20, 3 * 2**29, 200 * 2**30, 5000 * 2**40)] == ["0 B", "512 B", "1 MiB", "1.5 GiB", "200 GiB", "5000 TiB"]
