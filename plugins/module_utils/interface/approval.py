# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``approved_plan``: a run does what somebody approved, or says move by move what has changed since."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..model.codec import decode
from ..model.errors import InputError
from ..model.plan import Plan
from ..model.reason import Reason, warning
from ..model.site import Site
from ..planning.compare import difference
from .coercion import prepared
from .failure import Failure
from .results import full

DIFFERENCES_SHOWN = 10


class Approval:
    """An ``Approve`` of ``execution.evacuation``. ``warnings`` tell afterwards what was replanned, with ``on_plan_change: replan``."""

    def __init__(self, given: Any, on_plan_change: str, and_then: Callable[[Plan, Site], None]) -> None:
        """``given`` is the option: None, a plan's id, or a plan. ``and_then`` is called with every plan that passes. Raises InputError."""
        self._plan_id, self._plan = _approved(given)
        self._replans = on_plan_change == "replan"
        self._and_then = and_then
        self.warnings: tuple[Reason, ...] = ()

    def __call__(self, plan: Plan, site: Site, unfinished: str) -> None:
        """Raise Failure (``plan_changed``) where the plan is not the approved one. ``unfinished``: the plan that an earlier run was following."""
        if self._plan_id and plan.plan_id != self._plan_id and plan.migrations:
            self._judge(plan, site, unfinished)
        self._and_then(plan, site)

    def _judge(self, plan: Plan, site: Site, unfinished: str) -> None:
        found = difference(self._plan, plan, site) if self._plan else None  # None: only the id is known
        if found is None and unfinished == self._plan_id:
            text = f"An earlier run began the approved plan {self._plan_id}; what it left is planned anew as {plan.plan_id}."
            self.warnings += (warning("plan_resumed", text),)
            return
        if found is not None and not found:
            return
        told = list(found or (f"the plan is {plan.plan_id} now, and only the id {self._plan_id} was given to compare it with",))
        shown = told[:DIFFERENCES_SHOWN] + ([f"and {len(told) - DIFFERENCES_SHOWN} more"] if len(told) > DIFFERENCES_SHOWN else [])
        message = f"approved_plan: the plan has changed since it was approved: {'; '.join(shown)}."
        if not self._replans:
            hint = "Approve the new plan, or let on_plan_change: replan accept it. Nothing was changed."
            raise Failure(message, code="plan_changed", hint=hint, result={"plan": full(plan), "plan_differences": told})
        self.warnings += (warning("plan_changed", message, "It was replanned, as on_plan_change says."),)


def _approved(given: Any) -> tuple[str, Plan | None]:
    """The id and, if it is known, the plan."""
    if isinstance(given, str) and given.strip().startswith("{"):
        try:
            given = json.loads(given)
        except json.JSONDecodeError as error:
            raise InputError("approved_plan", f"it is no JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    if given is None:
        return "", None
    if isinstance(given, str):
        if not given.strip():
            raise InputError("approved_plan", "it is empty.", hint="Leave the option out to run without an approved plan.")
        return given.strip(), None
    if not isinstance(given, Mapping):
        raise InputError(
            "approved_plan", f"it is neither a plan nor a plan's id but {type(given).__name__}.", hint="Give plan or plan.plan_id of an earlier result."
        )
    if "plan_id" not in given and "plan" in given:
        raise InputError("approved_plan", "it is a whole result.", hint="Give its plan (result.plan) or its plan's id (result.plan.plan_id).")
    if given.get("omitted"):  # shortened to fit into a result: its moves are not all there, its id says enough
        return str(given.get("plan_id", "")), None
    plan = decode(Plan, prepared(Plan, given), "approved_plan")
    if not plan.plan_id:
        raise InputError("approved_plan.plan_id", "it is empty.")
    return plan.plan_id, plan
