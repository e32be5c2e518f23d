# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a plan: admits migrations as slots come free, one thread for each that is under way."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..model.errors import MigrationError
from ..model.event import Event, EventKind
from ..model.migration import Migration
from ..model.outcome import Outcome, RunReport
from ..model.plan import Plan
from ..model.progress import Phase
from ..model.reason import Reason, hard, warning
from .adoption import Adoption
from .attempt import not_started
from .move import move
from .operation import LEAVE_AT_ONCE, RunContext
from .slots import Slots

FOREIGN_LOOK_SECONDS = 5.0
LEAVE_SECONDS = 8.0

Work = Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class _Ended:
    migration: Migration
    outcome: Outcome


class Scheduler:
    """The scheduling loop of one run; its own thread is the only one that touches its fields."""

    def __init__(self, context: RunContext, plan: Plan, adoptions: Sequence[Adoption] = ()) -> None:
        self._context = context
        self._pending = sorted(plan.migrations, key=lambda migration: (migration.expected_start_seconds, migration.id))
        # A plan may have lost moves since it was made (done, under way, failed before): nobody waits for those.
        self._before: dict[str, set[str]] = {migration.id: set() for migration in plan.migrations}
        for order in plan.order:
            if order.before in self._before and order.after in self._before:
                self._before[order.after].add(order.before)
        self._adoptions = adoptions
        self._slots = Slots(context.current.site.limits, context.options.parallel)
        self._running: dict[str, Migration] = {}
        self._outcomes: list[Outcome] = []
        self._over: set[str] = set()
        self._ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
        self._looked_at = 0.0

    def run(self) -> tuple[tuple[Outcome, ...], str]:
        """All outcomes, those of moves that never started included, and what stopped the run (empty: nothing)."""
        for adoption in self._adoptions:
            self._launch(adoption.migration, adoption.work)
        stopped = ""
        while self._running or (self._pending and not stopped):
            reason = self._stop_reason()
            stopped = reason if reason in LEAVE_AT_ONCE else stopped or reason
            if stopped in LEAVE_AT_ONCE:
                self._wait_for_leave()
                break
            if not stopped:
                self._look_for_foreign()
                self._admit()
            self._collect()
        self._outcomes += [self._never_started(migration, stopped) for migration in self._pending]
        return tuple(self._outcomes), stopped

    def _stop_reason(self) -> str:
        deadline = self._context.options.deadline
        if deadline is not None and self._context.driver.clock.now() >= deadline:
            return self._context.stop() or "deadline"
        return self._context.stop()

    def _admit(self) -> None:
        waiting: list[Migration] = []
        for migration in self._pending:
            if self._before.get(migration.id, set()) <= self._over and self._slots.fits(migration):
                self._launch(migration, functools.partial(move, self._context, migration))
            else:
                waiting.append(migration)
        self._pending = waiting

    def _launch(self, migration: Migration, work: Work) -> None:
        self._slots.take(migration)
        self._running[migration.id] = migration
        # Daemon threads: a hypervisor call that hangs must never keep the module from ending.
        threading.Thread(target=self._work, args=(migration, work), name=f"move-{migration.vm_name}", daemon=True).start()

    def _work(self, migration: Migration, work: Work) -> None:
        try:
            outcome = work()
        except MigrationError as error:
            outcome = _failed(self._context, migration, hard(error.code, error.message, error.hint))
        except Exception as error:  # noqa: BLE001 - a thread has no caller; the run must hear of it and go on with the others
            outcome = _failed(self._context, migration, hard("internal_error", f"{type(error).__name__}: {error}", "Please report this."))
        self._ended.put(_Ended(migration, outcome))

    def _collect(self) -> None:
        """Take what has ended; wait a moment where nothing has."""
        try:
            ended = self._ended.get(timeout=0.1)
        except queue.Empty:
            return
        self._running.pop(ended.migration.id, None)
        self._slots.give(ended.migration)
        self._outcomes.append(ended.outcome)
        self._over.add(ended.migration.id)

    def _wait_for_leave(self) -> None:
        until = time.monotonic() + LEAVE_SECONDS
        while self._running and time.monotonic() < until:
            self._collect()
        for migration in self._running.values():
            reason = warning("left_in_flight", f"The move of {migration.vm_name} was under way when this run ended.", "Run the same task again.")
            self._outcomes.append(_outcome(self._context, migration, Phase.UNKNOWN, reason))

    def _look_for_foreign(self) -> None:
        """Others' migrations occupy slots too. Looked at every few seconds, and only while there are moves to admit."""
        now = time.monotonic()
        if not self._pending or now - self._looked_at < FOREIGN_LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            found = self._context.driver.in_flight()
        except MigrationError:
            return
        ours = {migration.vm for migration in self._running.values()}
        foreign = [flight for flight in found if flight.vm not in ours]
        self._slots.count_foreign([host for flight in foreign for host in (flight.source_host, flight.target_host)])

    def _never_started(self, migration: Migration, stopped: str) -> Outcome:
        return _outcome(self._context, migration, Phase.PLANNED, not_started(migration.vm_name, stopped))


def run_plan(context: RunContext, plan: Plan, adoptions: Sequence[Adoption] = ()) -> RunReport:
    """Run a plan, and the moves of an earlier run that are still under way. Every migration of the plan has an outcome in the report."""
    started = context.driver.clock.now()
    if plan.migrations:
        text = f"{len(plan.migrations)} move(s), expected {plan.makespan_seconds:.0f} s, at least {plan.lower_bound_seconds:.0f} s"
        context.reporter(Event(EventKind.PLAN, started, total=context.tally.total, message=text))
    outcomes, stopped = Scheduler(context, plan, adoptions).run()
    return RunReport(
        outcomes=outcomes,
        unplaced=plan.unplaced,
        warnings=plan.warnings,
        started_at=started,
        ended_at=context.driver.clock.now(),
        stopped_by=stopped,
    )


def _failed(context: RunContext, migration: Migration, reason: Reason) -> Outcome:
    context.tell(EventKind.FAILED, migration, reason.message, Phase.UNKNOWN)
    return _outcome(context, migration, Phase.UNKNOWN, reason)


def _outcome(context: RunContext, migration: Migration, phase: Phase, reason: Reason) -> Outcome:
    now = context.driver.clock.now()
    return Outcome(
        migration.id, migration.vm, migration.vm_name, migration.source_host, migration.source_host, phase, reasons=(reason,), started_at=now, ended_at=now
    )
