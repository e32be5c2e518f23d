# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recovers the VMs of dead hosts: surveyed, claimed, noted on the living hosts, then each defined and started where the plan says."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time

from ..drivers.driver import LIGHT, Driver
from ..model.errors import HostUnreachable, MigrationError, OperationInProgress
from ..model.event import Event, EventKind, Reporter
from ..model.host import HostState
from ..model.migration import Migration
from ..model.note import ClaimKind, Home, NotePhase, VmNote
from ..model.outcome import Attempt, Outcome, Remaining, RunReport
from ..model.plan import Plan
from ..model.progress import Phase
from ..model.reason import Reason, blocking, hard, warning
from ..model.recovery import RECOVER, RECOVERING, RecoveredVm, RecoveryNote
from ..model.site import Site
from ..model.vm import PowerState, Vm
from .accounting import first_of_each
from .adoption import Adoption
from .attempt import claim_memory, not_started
from .claims import ClaimKeeper
from .evacuation import EvacuationReport
from .move import report_end
from .operation import CurrentSite, Operation, RunContext, StopSignal, Tally, new_operation
from .run import run_plan
from .settle import Settled
from .survey import RecoveryOrder, Survey, survey

AT_ONCE = 8
"""So many VMs are started at a time, where ``parallel`` says nothing: a start reads disks, and everybody's are on the same storage."""

WAIT_STEP_SECONDS = 1.0


def recover(driver: Driver, order: RecoveryOrder, report: Reporter, stop: StopSignal) -> EvacuationReport:
    """Recover. Raises InputError, StateConflict and OperationInProgress before anything changed."""
    survey(driver, order, listen=False)  # what is refused at all, is refused before a claim is written
    operation = new_operation()
    with ClaimKeeper(driver, operation.id, operation.controller) as keeper:
        _claim(driver, keeper, order, report, stop)
        return _Recovery(driver, order, report, stop, operation, keeper).run()


def _claim(driver: Driver, keeper: ClaimKeeper, order: RecoveryOrder, report: Reporter, stop: StopSignal) -> None:
    """One recovery from a host at a time. The claim is kept by every host that answers, so that any two runs meet on one."""
    living = sorted(host.name for host in driver.snapshot(LIGHT).hosts if host.state is not HostState.UNREACHABLE)
    until = time.monotonic() + order.options.claim_wait_seconds
    told = False
    for dead in sorted(order.hosts):
        for keeper_host in living:
            while (refused := keeper.take(ClaimKind.RECOVER, keeper_host, dead)) is not None:
                if time.monotonic() >= until or stop():
                    raise OperationInProgress(f"hosts: the VMs of {dead} are being recovered by another run. {refused.message}", hint="Wait for its end.")
                if not told:
                    report(Event(EventKind.WAITING, driver.clock.now(), source=dead, message=refused.message))
                    told = True
                time.sleep(WAIT_STEP_SECONDS)


class _Recovery:
    """One recovery, after its claims."""

    def __init__(self, driver: Driver, order: RecoveryOrder, report: Reporter, stop: StopSignal, operation: Operation, keeper: ClaimKeeper) -> None:
        self._driver = driver
        self._order = order
        self._report = report
        self._stop = stop
        self._operation = operation
        self._keeper = keeper
        self._slots = threading.Semaphore(order.options.parallel or AT_ONCE)

    def run(self) -> EvacuationReport:
        started = self._driver.clock.now()
        found = survey(self._driver, self._order)
        self._order.approve(found.plan, found.now, "")
        if found.begun:
            self._settle_begun(found.begun)
            found = survey(self._driver, self._order, listen=False)
        outcomes: tuple[Outcome, ...] = ()
        stopped = self._stop()
        if found.plan.migrations and not stopped:
            self._write_notes(found)
            context = self._context(found)
            work = tuple(Adoption(move, functools.partial(self._work, context, found, move)) for move in found.plan.migrations)
            ran = run_plan(context, Plan(""), work)
            outcomes, stopped = ran.outcomes, ran.stopped_by
        return self._report_of(found, outcomes, started, stopped)

    def _settle_begun(self, begun: tuple[Vm, ...]) -> None:
        """What an earlier recovery defined: finished where it runs, removed where it was not started, to be planned anew."""
        for vm in begun:
            text = self._order.definitions.texts.get(vm.id, "")
            if vm.note is not None and vm.is_active and text:
                migration = Migration(f"begun-{vm.id}", vm.id, vm.name, vm.note.source, vm.host, memory_mib=vm.memory_mib)
                self._driver.recover(migration, text, vm.note)
            elif not vm.is_active:
                self._driver.drop_definition(vm.id, vm.host)

    def _write_notes(self, found: Survey) -> None:
        """Before the first start, so that no host that comes back is opened without a look at its definitions."""
        for host in self._order.hosts:
            vms = tuple(RecoveredVm(move.vm, move.vm_name, move.target_host) for move in found.plan.migrations if move.source_host == host)
            if vms:
                now = self._driver.clock.now()
                order = self._order
                self._driver.write_recovery(RecoveryNote(host, vms, order.by, order.fenced_by, order.why, now, self._operation.id))

    def _context(self, found: Survey) -> RunContext:
        return RunContext(
            driver=self._driver,
            current=CurrentSite(found.site),
            request=found.request,
            options=self._order.options,
            operation=self._operation,
            keeper=self._keeper,
            reporter=self._report,
            stop=self._stop,
            tally=Tally(len(found.plan.migrations)),
        )

    def _work(self, context: RunContext, found: Survey, migration: Migration) -> Outcome:
        """Start one VM, on the host of the plan or, where that refuses it, on the next ones."""
        with self._slots:
            started = self._driver.clock.now()
            attempts: list[Attempt] = []
            settled = Settled(Phase.PLANNED, migration.source_host)
            for target in (migration.target_host, *migration.next_targets[: self._order.options.retries]):
                current = dataclasses.replace(migration, target_host=target)
                began = self._driver.clock.now()
                settled = self._try(context, found.site, current)
                attempts.append(Attempt(target, settled.phase, began, self._driver.clock.now(), settled.reasons))
                if not settled.try_elsewhere:
                    break
            return report_end(context, current, settled, started, tuple(attempts))

    def _try(self, context: RunContext, site: Site, migration: Migration) -> Settled:
        stopped = context.stop()
        if stopped:
            return Settled(Phase.PLANNED, migration.source_host, (not_started(migration.vm_name, stopped),))
        context.tell(EventKind.PROGRESS, migration, phase=Phase.CHECKING)
        vm = site.vm_by_id[migration.vm]
        try:
            refused = self._refused(context, site, migration, vm)
            if refused:
                return Settled(Phase.FAILED, migration.source_host, refused, try_elsewhere=True)
            context.tell(EventKind.STARTED, migration, phase=Phase.PREPARING)
            self._driver.recover(migration, self._order.definitions.texts[vm.id], self._note(migration, vm))
        except HostUnreachable as error:
            text = f"Whether {vm.name} was started on {migration.target_host} is not known: {error.message}"
            reason = hard("whereabouts_unknown", text, "Make that host answer and run the task again; it is not started anywhere else before.")
            return Settled(Phase.UNKNOWN, "", (reason,), changed=True)
        except MigrationError as error:
            return Settled(Phase.FAILED, migration.source_host, (hard(error.code, error.message, error.hint),), error.code != "disk_in_use")
        finally:
            self._keeper.give_back(migration.vm, ClaimKind.VM, ClaimKind.MEMORY)
        return Settled(Phase.DONE, migration.target_host, changed=True)

    def _refused(self, context: RunContext, site: Site, migration: Migration, vm: Vm) -> tuple[Reason, ...]:
        """The last look before the start: claims, every host asked for the VM, the target's own pre-check."""
        refused = self._keeper.take(ClaimKind.VM, migration.target_host, vm.id) or claim_memory(context, migration, site, vm)
        if refused is not None:
            return (refused,)
        here = self._driver.presences([vm.id]).get(vm.id, ())
        if here:
            text = f"{vm.name} is on {', '.join(presence.host for presence in here)} by now; it is not started a second time."
            return (hard("already_defined", text, "Find out who defined it there."),)
        consents = context.request.consents
        checked = self._driver.check_recovery(migration, self._order.definitions.texts[vm.id])
        return tuple(reason for reason in blocking(checked) if reason.overridable not in consents or not reason.overridable)

    def _note(self, migration: Migration, vm: Vm) -> VmNote:
        pools = tuple(dict.fromkeys(volume.pool for volume in vm.volumes if volume.pool))
        known = self._order.definitions.site.vm_by_id[vm.id]
        drained = known.home if known.home is not None and known.home.away_on in ("", known.host) else None
        return VmNote(
            operation_id=self._operation.id,
            controller=self._operation.controller,
            started_at=self._driver.clock.now(),
            phase=NotePhase.SETTLED,  # no hypervisor carries a move; the stage says that it is not finished
            source=migration.source_host,
            target=migration.target_host,
            migration_type=RECOVER,
            mode=migration.mode.value,
            power_state=vm.power_state.value,
            autostart=vm.autostart,
            reserved_memory_mib=vm.memory_mib,
            stage=RECOVERING,
            home=drained or Home(migration.source_host, pools, self._driver.clock.now()),
        )

    def _report_of(self, found: Survey, outcomes: tuple[Outcome, ...], started: float, stopped: str) -> EvacuationReport:
        why = {entry.vm: entry.reasons + first_of_each(entry.candidates) for entry in found.plan.unplaced}
        why.update({outcome.vm: outcome.reasons for outcome in outcomes if not outcome.ok})
        done = {outcome.vm for outcome in outcomes if outcome.ok}
        vms = found.site.vm_by_id
        unknown = (warning("not_started", "It was not started in this run.", "Run the task again."),)
        remaining = tuple(
            Remaining(vm_id, vms[vm_id].name, vms[vm_id].host, why.get(vm_id) or unknown) for vm_id in found.request.vms if vm_id in vms and vm_id not in done
        )
        run = RunReport(outcomes, found.plan.unplaced, remaining, found.warnings + _paused(found), started, self._driver.clock.now(), stopped)
        after = self._driver.snapshot(LIGHT)
        states = {name: after.host_by_name[name].maintenance.state for name in self._order.hosts}
        changed = any(outcome.changed for outcome in outcomes) or bool(found.begun)
        return EvacuationReport(found.plan, run, found.now, after, states, changed)


def _paused(found: Survey) -> tuple[Reason, ...]:
    names = [move.vm_name for move in found.plan.migrations if found.site.vm_by_id[move.vm].power_state is PowerState.PAUSED]
    text = f"{', '.join(names)} was paused; what it had in memory is lost, it is started and left paused."
    return (warning("paused_memory_lost", text),) if names else ()
