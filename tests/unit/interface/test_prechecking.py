# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode asks the hypervisors' own pre-checks, and answers as a run with its retries would."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Driver
from ansible_collections.vmops.migration.plugins.module_utils.interface.prechecking import prechecks
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import PeerUnreachable
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, blocking, hard, warning
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

MOVE = Migration("m1", "1", "web", "kvm1", "kvm2", next_targets=("kvm3", "kvm4"))
REFUSED = hard("cpu_incompatible", "The CPU lacks avx512f.")
WARNED = warning("clock_skew", "The clocks differ by 2 s.")


class Hypervisors:
    """Answers per target host: reasons, or an error to raise."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def check(self, migration: Migration, _options: MoveOptions) -> tuple[Reason, ...]:
        self.asked.append(migration.target_host)
        answer = self._answers.get(migration.target_host, ())
        if isinstance(answer, Exception):
            raise answer
        return cast(tuple[Reason, ...], answer)


def check(answers: dict[str, Any], retries: int = 2) -> tuple[Any, list[str]]:
    hypervisors = Hypervisors(answers)
    (found,) = prechecks(cast(Driver, hypervisors), Plan("p", (MOVE,)), MoveOptions(retries=retries))
    return found, hypervisors.asked


def test_a_move_that_is_welcome_asks_one_host_and_keeps_its_warnings() -> None:
    found, asked = check({"kvm2": (WARNED,)})
    assert (found.refused, found.reasons, asked) == (False, (WARNED,), ["kvm2"])


def test_a_refusal_is_a_warning_where_the_next_target_will_do() -> None:
    found, asked = check({"kvm2": (REFUSED,)})
    assert (found.refused, asked) == (False, ["kvm2", "kvm3"])
    assert [reason.code for reason in found.reasons] == ["cpu_incompatible"]
    assert blocking(found.reasons) == ()


def test_a_move_that_nobody_takes_is_refused() -> None:
    found, asked = check({"kvm2": (REFUSED,), "kvm3": (REFUSED,), "kvm4": (REFUSED,)})
    assert (found.refused, found.reasons, asked) == (True, (REFUSED,), ["kvm2", "kvm3", "kvm4"])


@pytest.mark.parametrize(("retries", "asked"), [(0, ["kvm2"]), (1, ["kvm2", "kvm3"])])
def test_no_more_hosts_are_asked_than_a_run_would_try(retries: int, asked: list[str]) -> None:
    assert check({"kvm2": (REFUSED,), "kvm3": (REFUSED,)}, retries)[1] == asked


def test_an_error_of_the_check_is_a_refusal_with_its_code() -> None:
    error = PeerUnreachable("kvm1", "kvm2", "Host kvm1 cannot open kvm2: no client certificate.", hint="Install one.")
    found, _asked = check({"kvm2": error}, retries=0)
    assert found.refused
    assert [(reason.code, reason.hint) for reason in found.reasons] == [("peer_unreachable", "Install one.")]


def test_answers_come_in_the_order_of_the_plan() -> None:
    moves = tuple(Migration(f"m{number}", str(number), f"vm{number}", "kvm1", "kvm2") for number in range(50))
    found = prechecks(cast(Driver, Hypervisors({})), Plan("p", moves), MoveOptions())
    assert [check.migration.id for check in found] == [move.id for move in moves]
