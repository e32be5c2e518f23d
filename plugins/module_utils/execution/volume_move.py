# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves one detached volume: claims, pre-check, note, copy, proof, and only then the removal of its source."""

from __future__ import annotations

import time

from ..drivers.driver import Driver
from ..model.errors import MigrationError
from ..model.event import EventKind, Reporter
from ..model.migration import Migration
from ..model.note import ClaimKind, NotePhase, VmNote
from ..model.outcome import Outcome, RunReport
from ..model.plan import Plan
from ..model.progress import Phase
from ..model.reason import Reason, blocking, hard
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from .attempt import not_started
from .claims import ClaimKeeper
from .move import report_end
from .operation import CurrentSite, RunContext, StopSignal, Tally, new_operation
from .settle import Settled, watch_and_settle
from .space import claim_space, give_space_back

WAIT_STEP_SECONDS = 1.0


def move_volume(driver: Driver, site: Site, plan: Plan, options: MoveOptions, report: Reporter, stop: StopSignal) -> RunReport:
    """Run the plan's one move, if it has one. What a dead run left of the same copy is replaced by the driver when it writes its note."""
    started = driver.clock.now()
    operation = new_operation()
    outcomes: tuple[Outcome, ...] = ()
    with ClaimKeeper(driver, operation.id, operation.controller) as keeper:
        context = RunContext(driver, CurrentSite(site), PlanRequest(()), options, operation, keeper, report, stop, Tally(len(plan.migrations)))
        for migration in plan.migrations:
            began = driver.clock.now()
            outcomes += (report_end(context, migration, _moved(context, migration, site), began, ()),)
    return RunReport(outcomes, plan.unplaced, (), plan.warnings, started, driver.clock.now(), stop())


def _moved(context: RunContext, migration: Migration, site: Site) -> Settled:
    subject = migration.volumes[0].volume
    try:
        refused = _claimed(context, migration, subject) or claim_space(context, migration, site)
        return Settled(Phase.FAILED, migration.source_host, (refused,)) if refused is not None else _made(context, migration)
    except MigrationError as error:
        return Settled(Phase.FAILED, migration.source_host, (hard(error.code, error.message, error.hint),))
    finally:
        give_space_back(context, migration)
        context.keeper.give_back(subject, ClaimKind.VOLUME)


def _claimed(context: RunContext, migration: Migration, subject: str) -> Reason | None:
    """Claim the volume; a holder gets ``claim_wait_seconds`` to come to its end."""
    until = time.monotonic() + context.options.claim_wait_seconds
    while (refused := context.keeper.take(ClaimKind.VOLUME, migration.source_host, subject)) is not None:
        if time.monotonic() >= until or context.stop():
            return refused
        time.sleep(WAIT_STEP_SECONDS)
    return None


def _made(context: RunContext, migration: Migration) -> Settled:
    context.tell(EventKind.PROGRESS, migration, phase=Phase.CHECKING)
    checked = context.driver.check(migration, context.options)
    if blocking(checked):
        return Settled(Phase.FAILED, migration.source_host, blocking(checked))
    deadline = context.options.deadline
    stopped = context.stop() or ("deadline" if deadline is not None and context.driver.clock.now() >= deadline else "")
    if stopped:
        return Settled(Phase.PLANNED, migration.source_host, (not_started(migration.vm_name, stopped),))
    note = VmNote(
        operation_id=context.operation.id,
        controller=context.operation.controller,
        started_at=context.driver.clock.now(),
        phase=NotePhase.MOVING,
        source=migration.source_host,
        target=migration.target_host,
        migration_type=migration.type.value,
        mode=migration.mode.value,
        power_state="off",
    )
    note = context.driver.write_note(migration, note, context.options)
    job = context.driver.start(migration, note, context.options)
    context.tell(EventKind.STARTED, migration, phase=Phase.COPYING)
    return watch_and_settle(context, job)
