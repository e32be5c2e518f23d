# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a drain or a move is no success, in one sentence for people: who is left, and for what reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.errors import InputError
from ..model.outcome import Remaining
from ..model.plan import Unplaced
from ..model.progress import Phase
from ..model.reason import Reason
from .failure import Failure
from .plan_view import why_unplaced
from .result_form import MigrationResult
from .results import write_long_form

NAMES_SHOWN = 5

_STOPPED = {
    "deadline": ("The deadline came before the end.", "Run the task again with a later deadline; it goes on where this one ended."),
    "stop_request": ("Somebody asked this run to stop.", "Run the task again to go on."),
    "signal": ("This run was ended by a signal.", "Run the task again; it adopts what is still under way."),
    "controller_gone": ("ansible-playbook is gone, so this run ended.", "Run the task again; it adopts what is still under way."),
}


def failure_of(
    what: str,
    result: dict[str, Any],
    *,
    stopped_by: str = "",
    unplaced: Sequence[Unplaced] = (),
    migrations: Sequence[MigrationResult] = (),
    remaining: Sequence[Remaining] = (),
    unsettled: Sequence[Reason] = (),
    predicted: bool = False,
) -> Failure:
    """The failure with its result. ``what`` begins the sentence, such as ``kvm1 is not empty``; the most telling reason gives code and hint."""
    sentences, code, hint = [f"{what}."], "vms_remaining", "See remaining and migrations in the result."
    failed = [entry for entry in migrations if entry.phase in (Phase.FAILED, Phase.CANCELLED, Phase.UNKNOWN) and not entry.foreign]
    if remaining and not unplaced and not failed:
        sentences.append(_listed("Still there", [(entry.vm_name or entry.vm, _first(entry.reasons)) for entry in remaining]))
    if failed:
        code, hint = "moves_failed", "See migrations in the result for every attempt; no VM was stopped."
        sentences.append(_listed("Would be refused" if predicted else "Failed", [(entry.vm_name or entry.vm, _first(entry.reasons)) for entry in failed]))
    if unsettled:
        code, hint = unsettled[0].code, unsettled[0].hint
        sentences += [reason.message for reason in unsettled[:NAMES_SHOWN]]
    if unplaced:
        code, hint = "vms_unplaced", _unplaced_hint(unplaced)
        sentences.append(_listed("Cannot move", [(entry.vm_name or entry.vm, why_unplaced(entry)) for entry in unplaced]))
    if stopped_by:
        code = f"stopped_by_{stopped_by}"
        text, hint = _STOPPED.get(stopped_by, (f"The run was stopped ({stopped_by}).", "Run the task again to go on."))
        sentences.insert(0, text)
    return Failure(" ".join(sentences), code=code, hint=hint, result=result)


def keep_long_form(path: str | None, result: dict[str, Any]) -> None:
    """Write the long form where the operator wants it. Raises Failure with the result: what was done is told also where the file cannot be written."""
    if not path:
        return
    try:
        write_long_form(path, result)
    except InputError as error:
        raise Failure(error.message, code=error.code, hint=f"The moves were made as the result says. {error.hint}".strip(), result=result) from None


def _unplaced_hint(unplaced: Sequence[Unplaced]) -> str:
    every = [reason for entry in unplaced for reasons in (entry.reasons, *entry.candidates.values()) for reason in reasons]
    consents = sorted({reason.overridable for reason in every if reason.overridable})
    if consents:
        return f"See unplaced in the result for the reasons per host. Some can be consented to: consents: [{', '.join(consents)}]."
    hints = list(dict.fromkeys(reason.hint for reason in every if reason.blocks and reason.hint))
    return f"See unplaced in the result for the reasons per host. {hints[0]}" if len(hints) == 1 else "See unplaced in the result for the reasons per host."


def _first(reasons: Sequence[Reason]) -> str:
    told = next((reason for reason in reasons if reason.blocks), reasons[0] if reasons else None)
    return str(told) if told else ""


def _listed(label: str, entries: Sequence[tuple[str, str]]) -> str:
    shown = [f"{name}: {why.rstrip(chr(46))}" if why else name for name, why in entries[:NAMES_SHOWN]]
    more = f" and {len(entries) - NAMES_SHOWN} more" if len(entries) > NAMES_SHOWN else ""
    return f"{label}: {'; '.join(shown)}{more}."
