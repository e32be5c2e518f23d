# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the outcomes of several rounds come to, for a host or pool that is emptied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model.outcome import Outcome
from ..model.progress import Phase
from ..model.reason import Reason, blocking


def not_our_failure(outcome: Outcome) -> bool:
    """True where the VM is still to be moved by this run: a dead run's move that came to nothing, or somebody else's."""
    return outcome.phase is not Phase.UNKNOWN and (outcome.adopted or (outcome.foreign and not blocking(outcome.reasons)))


def is_settled(outcome: Outcome) -> bool:
    """True for a move without success whose VM is known to be where somebody wanted it.

    One that failed and changed something is astray, or is there and not as it should be.
    """
    is_wrong = outcome.phase is Phase.FAILED and outcome.changed
    return outcome.phase in (Phase.FAILED, Phase.CANCELLED) and bool(outcome.host) and not is_wrong


def first_of_each(candidates: Mapping[str, tuple[Reason, ...]]) -> tuple[Reason, ...]:
    """One reason per candidate host, each code once: the short form for people; the plan has them all."""
    seen: dict[str, Reason] = {}
    for reasons in candidates.values():
        for reason in reasons:
            if reason.blocks:
                seen.setdefault(reason.code, reason)
                break
    return tuple(seen.values())


def final_outcomes(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """The last outcome of each VM; a move that never started counts only where nothing else is known of the VM."""
    last: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.phase is not Phase.PLANNED or outcome.vm not in last:
            last[outcome.vm] = outcome
    return tuple(last.values())
