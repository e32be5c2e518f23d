# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rounds of a run: a plan is run, then planned again for what it left, for as long as that brings something."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from ..drivers.driver import Driver
from ..model.event import Reporter
from ..model.outcome import Outcome
from ..model.plan import Plan
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from .adoption import Adoption
from .claims import ClaimKeeper
from .operation import CurrentSite, Operation, RunContext, StopSignal, Tally
from .run import run_plan

MOST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Round:
    """What a round begins with: the site that was planned on, the request, and the plan that answers it."""

    site: Site
    request: PlanRequest
    plan: Plan


Adopt = Callable[[RunContext], tuple[Adoption, ...]]
"""What is under way already and belongs to this run."""

Again = Callable[[], "Round | None"]
"""The next round by a fresh look; None where nothing is left to do."""

IsFinal = Callable[[Outcome], bool]
"""True for a failure after which this run does not try that VM again."""


class Rounds:
    """``outcomes`` gathers what each round did."""

    def __init__(
        self, driver: Driver, operation: Operation, keeper: ClaimKeeper, options: MoveOptions, report: Reporter, stop: StopSignal, is_final: IsFinal
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._driver = driver
        self._operation = operation
        self._keeper = keeper
        self._options = options
        self._report = report
        self._stop = stop
        self._is_final = is_final

    def run(self, first: Round, adopt: Adopt, again: Again) -> str:
        """Run one round after the other. Gives what stopped them; empty where they came to their end."""
        following: Round | None = first
        for _round in range(MOST_ROUNDS):
            if following is None:
                break
            context = self._context(following)
            under_way = adopt(context)
            plan = self._left_to_do(following.plan, under_way)
            if not plan.migrations and not under_way:
                break
            context.tally.total = len(plan.migrations) + len(under_way)
            ran = run_plan(context, plan, under_way)
            self.outcomes += ran.outcomes
            if ran.stopped_by:
                return ran.stopped_by
            following = again()
        return ""

    def _left_to_do(self, plan: Plan, under_way: tuple[Adoption, ...]) -> Plan:
        """Without what is under way, and without VMs that an earlier round failed to move: retries are bounded."""
        out = {adoption.migration.vm for adoption in under_way}
        out |= {outcome.vm for outcome in self.outcomes if not outcome.ok and self._is_final(outcome)}
        return dataclasses.replace(plan, migrations=tuple(migration for migration in plan.migrations if migration.vm not in out))

    def _context(self, following: Round) -> RunContext:
        return RunContext(
            driver=self._driver,
            current=CurrentSite(following.site),
            request=following.request,
            options=self._options,
            operation=self._operation,
            keeper=self._keeper,
            reporter=self._report,
            stop=self._stop,
            tally=Tally(0),
        )
