# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Empties hosts: close, adopt what is under way, plan, run, verify empty, and leave each host in a stated condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..drivers.driver import EVERYTHING, LIGHT, Driver, Scope
from ..model.errors import HostUnreachable, MigrationError
from ..model.event import Event, EventKind, Reporter
from ..model.host import HostState, Maintenance, MaintenanceState
from ..model.note import NotePhase
from ..model.outcome import Remaining, RunReport
from ..model.plan import Plan, Unplaced
from ..model.reason import Reason, hard, warning
from ..model.request import MoveOptions, OnFailure, PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.planner import make_plan
from .accounting import final_outcomes, first_of_each, is_settled, not_our_failure
from .adoption import adoptions
from .attempt import MIGRATING
from .claims import ClaimKeeper
from .holding import held_hosts
from .operation import LEAVE_AT_ONCE, Operation, StopSignal, new_operation
from .rounds import Round, Rounds
from .stop import StopRequests

Choose = Callable[[Site], PlanRequest]
"""Which VMs to move, where to: decided on the freshest site, because earlier plans may be overtaken."""

Approve = Callable[[Plan, Site, str], None]
"""Raises an error where the plan is not the approved one. The text is the id of the plan that an earlier, unfinished run was following."""


def _approve_any(_plan: Plan, _site: Site, _unfinished: str) -> None:
    """Approve every plan."""


@dataclass(frozen=True)
class EvacuationOrder:
    """What to empty and how.

    ``final`` is ``maintenance`` (closed for good) or ``available`` (emptied, and open again unless it was in maintenance before). Without
    ``allow_partial`` nothing is moved where the plan cannot place every VM.
    """

    hosts: tuple[str, ...]
    final: MaintenanceState
    choose: Choose
    options: MoveOptions
    on_failure: OnFailure = OnFailure.REOPEN
    allow_partial: bool = False
    approve: Approve = _approve_any
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class EvacuationReport:
    """What became of it. ``states`` are the hosts' conditions afterwards; ``run.remaining`` the VMs that are still there, with reasons."""

    plan: Plan
    run: RunReport
    before: Site
    after: Site
    states: Mapping[str, MaintenanceState] = field(default_factory=dict)
    changed: bool = False
    stop_requested_by: str = ""
    unsettled: tuple[Reason, ...] = ()
    """Why a host could not be asked at the end, or put into its final state."""

    @property
    def ok(self) -> bool:
        """True where every host is empty and in its final state, and it is known where every VM is.

        A move that came to nothing does no harm to that where its VM left by another way, or was shut down by its user in the meantime.
        """
        run = self.run
        whole = not run.unplaced and not run.remaining and not self.unsettled
        return whole and all(outcome.ok or is_settled(outcome) for outcome in run.outcomes)


def check_hosts(site: Site, hosts: tuple[str, ...], option: str) -> None:
    """Raise InputError (``host_unknown``) or HostUnreachable for a host that the request cannot do without."""
    for name in hosts:
        host = site.find_host(name, option)
        if host.state is HostState.UNREACHABLE:
            said = (host.state_reason or "no reason given").rstrip(".")
            hint = "Make it answer, or correct its uri. Nothing was changed."
            raise HostUnreachable(name, f"{option}: host {name} does not answer: {said}.", hint=hint)


def unfinished_plan(site: Site, hosts: tuple[str, ...]) -> str:
    """The id of the plan that an earlier, unfinished run was following on these hosts; empty for none."""
    return next((plan_id for name in hosts if (plan_id := site.host_by_name[name].maintenance.plan_id)), "")


def evacuate(driver: Driver, order: EvacuationOrder, report: Reporter, stop: StopSignal) -> EvacuationReport:
    """Empty the hosts. Raises InputError, HostUnreachable and OperationInProgress before anything changed."""
    check_hosts(driver.snapshot(LIGHT), order.hosts, "hosts")
    operation = new_operation(remembers_home=True)
    with held_hosts(driver, operation, order.hosts, order.options, report, stop) as held:
        return _Evacuation(driver, order, report, held.requests, operation, held.keeper).run()


class _Evacuation:
    """One evacuation; its fields gather what each round did."""

    def __init__(self, driver: Driver, order: EvacuationOrder, report: Reporter, stop: StopRequests, operation: Operation, keeper: ClaimKeeper) -> None:
        self._driver = driver
        self._order = order
        self._report = report
        self._stop = stop
        self._operation = operation
        self._keeper = keeper
        self._hosts = frozenset(order.hosts)
        self._rounds = Rounds(driver, operation, keeper, order.options, report, stop, lambda outcome: not not_our_failure(outcome))
        self._unplaced: tuple[Unplaced, ...] = ()
        self._unsettled: list[Reason] = []

    def run(self) -> EvacuationReport:
        started = self._driver.clock.now()
        before = self._driver.snapshot(EVERYTHING)
        check_hosts(before, self._order.hosts, "hosts")
        plan = self._plan(before)
        unfinished = unfinished_plan(before, self._order.hosts)
        self._order.approve(plan, before, unfinished)
        if not self._runnable(plan).migrations and not self._under_way(before) and (plan.unplaced or self._is_done(before)):
            return self._report_of(before, before, plan, started, "")
        stopped = self._stop()
        if stopped and self._runnable(plan).migrations:  # while it waited or planned: nothing has begun, so nothing is left behind
            return self._report_of(before, before, plan, started, stopped)
        try:
            self._close(before, unfinished or plan.plan_id)
            stopped = self._run_rounds(before, plan)
        except MigrationError:
            self._leave(before, self._driver.snapshot(Scope(frozenset(), self._hosts)), "")
            raise
        after = self._driver.snapshot(Scope(frozenset(), self._hosts))
        return self._report_of(before, self._leave(before, after, stopped), plan, started, stopped)

    def _plan(self, site: Site) -> Plan:
        """The plan for what is not under way already."""
        request = self._order.choose(site)
        flying = {vm.id for vm in site.vms if vm.operation in MIGRATING}
        plan = make_plan(site, dataclasses.replace(request, vms=tuple(vm_id for vm_id in request.vms if vm_id not in flying)))
        self._unplaced = plan.unplaced
        return plan

    def _runnable(self, plan: Plan) -> Plan:
        """All or nothing, unless the operator allows a part."""
        return plan if self._order.allow_partial or not plan.unplaced else dataclasses.replace(plan, migrations=(), order=())

    def _under_way(self, site: Site) -> bool:
        """True where a move from or to these hosts runs, or was left unfinished."""
        return any(_concerns(vm, self._hosts) for vm in site.vms)

    def _is_done(self, site: Site) -> bool:
        """True where the hosts are empty of what was to be moved, and in their final state: a second run changes nothing."""
        return not self._remaining(site) and all(site.host_by_name[name].maintenance.state is self._goal(site, name) for name in self._order.hosts)

    def _goal(self, before: Site, name: str) -> MaintenanceState:
        was = before.host_by_name[name].maintenance.state
        return was if was is MaintenanceState.MAINTENANCE else self._order.final

    def _close(self, before: Site, plan_id: str) -> None:
        """Close the hosts to new placements. An empty host in maintenance stays as it is."""
        for name in self._order.hosts:
            if before.host_by_name[name].maintenance.state is MaintenanceState.MAINTENANCE and not _active(before, name):
                continue
            self._set(name, MaintenanceState.PREPARING, plan_id)
            self._tell(name, "closed to new VMs")

    def _run_rounds(self, site: Site, plan: Plan) -> str:
        """Run the plan, then plan again for what is still there. Gives what stopped it."""
        return self._rounds.run(self._round(site, plan), lambda context: adoptions(context, self._hosts, context.current.site), self._again)

    def _round(self, site: Site, plan: Plan) -> Round:
        return Round(site, self._order.choose(site), self._runnable(plan))

    def _again(self) -> Round | None:
        light = self._driver.snapshot(LIGHT)
        if not any(_active(light, name) for name in self._order.hosts):
            return None
        site = self._driver.snapshot(EVERYTHING)
        return self._round(site, self._plan(site))

    def _report_of(self, before: Site, after: Site, plan: Plan, started: float, stopped: str) -> EvacuationReport:
        outcomes = final_outcomes(self._rounds.outcomes)
        gone = {outcome.vm for outcome in outcomes if outcome.ok}
        unplaced = tuple(entry for entry in self._unplaced if entry.vm not in gone)
        run = RunReport(outcomes, unplaced, self._remaining(after), plan.warnings, started, self._driver.clock.now(), stopped)
        states = {name: after.host_by_name[name].maintenance.state for name in self._order.hosts}
        were = {name: before.host_by_name[name].maintenance.state for name in self._order.hosts}
        changed = states != were or any(outcome.changed for outcome in outcomes)
        return EvacuationReport(plan, run, before, after, states, changed, self._stop.requested_by, tuple(self._unsettled))

    def _remaining(self, site: Site) -> tuple[Remaining, ...]:
        """VMs that hold memory on the hosts and should not: those to be moved, and for maintenance all others too."""
        reasons = {entry.vm: entry.reasons + first_of_each(entry.candidates) for entry in self._unplaced}
        reasons.update({outcome.vm: outcome.reasons for outcome in self._rounds.outcomes if not outcome.ok})
        wanted = set(self._order.choose(site).vms)
        found = []
        for vm in (vm for name in self._order.hosts for vm in _active(site, name)):
            if vm.id in wanted:
                found.append(Remaining(vm.id, vm.name, vm.host, reasons.get(vm.id) or (self._why_still_here(vm),)))
            elif self._order.final is MaintenanceState.MAINTENANCE:
                unselected = warning("not_selected", f"{vm.name} is not among the VMs that were to be moved.", "Widen `select`.")
                found.append(Remaining(vm.id, vm.name, vm.host, (unselected,)))
        return tuple(found)

    def _why_still_here(self, vm: Vm) -> Reason:
        if self._unplaced and not self._order.allow_partial:
            names = ", ".join(entry.vm_name for entry in self._unplaced[:5])
            text = f"{vm.name} was not moved, because the plan has no place for {len(self._unplaced)} other VM(s): {names}."
            return warning("plan_incomplete", text, "See what keeps those, or move the rest with allow_partial.")
        return warning("arrived_meanwhile", f"{vm.name} came to {vm.host} after the plan was made.", "Run the task again.")

    def _leave(self, before: Site, after: Site, stopped: str) -> Site:
        """Put every host into its final condition, or, with VMs left on it, into the one that ``on_failure`` names. Gives the site after that.

        A run that was killed leaves its hosts closed: the same task, run again, goes on.
        """
        full = {entry.host for entry in self._remaining(after)}
        for name in self._order.hosts:
            host = after.host_by_name[name]
            state = self._goal(before, name)
            if host.state is HostState.UNREACHABLE:
                self._tell(name, "does not answer; left as it is")
                text = f"Host {name} does not answer any more, so whether it is empty is not known: {host.state_reason or 'no reason given'}."
                self._unsettled.append(hard("host_unreachable", text, "Make it answer and run the task again."))
                continue
            if name in full:
                state = MaintenanceState.PREPARING if stopped in LEAVE_AT_ONCE else state_if_not_empty(before, name, self._order.on_failure)
            try:
                if state is not host.maintenance.state:
                    self._set(name, state, host.maintenance.plan_id if state is MaintenanceState.PREPARING else "")
            except MigrationError as error:  # what was moved is told all the same
                self._unsettled.append(hard(error.code, f"Host {name} could not be put into state {state.value}: {error.message}", error.hint))
                continue
            self._tell(name, f"{'not empty' if _active(after, name) else 'empty'}, now {state.value}")
        return dataclasses.replace(after, hosts=self._driver.snapshot(LIGHT).hosts)

    def _set(self, name: str, state: MaintenanceState, plan_id: str) -> None:
        note = Maintenance(state, self._order.by, self._order.why, self._driver.clock.now(), self._operation.id, plan_id)
        self._driver.set_maintenance(name, note)

    def _tell(self, host: str, message: str) -> None:
        self._report(Event(EventKind.HOST, self._driver.clock.now(), source=host, message=message))


def state_if_not_empty(before: Site, name: str, on_failure: OnFailure) -> MaintenanceState:
    """The state of a host that could not be emptied. One that was in maintenance before stays closed: this run did not close it, so it does not open it."""
    was_closed = before.host_by_name[name].maintenance.state is MaintenanceState.MAINTENANCE
    return MaintenanceState.PREPARING if was_closed or on_failure is OnFailure.KEEP_CLOSED else MaintenanceState.AVAILABLE


def _active(site: Site, host: str) -> list[Vm]:
    """VMs that hold memory on a host and do not leave it by themselves."""
    return [vm for vm in site.vms_by_host.get(host, ()) if vm.must_leave]


def _concerns(vm: Vm, hosts: frozenset[str]) -> bool:
    if vm.host in hosts and vm.operation in MIGRATING:
        return True
    note = vm.note
    return note is not None and note.phase is NotePhase.MOVING and bool({note.source, note.target} & hosts)
