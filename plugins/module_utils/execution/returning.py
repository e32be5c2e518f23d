# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way home: hosts that were emptied are opened, and the VMs whose notes call them home go back there, in one plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from ..drivers.driver import EVERYTHING, Driver, Scope
from ..model.event import Event, EventKind, Reporter
from ..model.host import Maintenance, MaintenanceState
from ..model.note import NotePhase
from ..model.outcome import Outcome, Remaining, RunReport
from ..model.plan import Plan, Unplaced
from ..model.reason import Reason, warning
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.planner import plan_to
from .accounting import final_outcomes, first_of_each
from .adoption import adoptions
from .attempt import MIGRATING, home_dropped
from .evacuation import Approve, EvacuationReport, check_hosts
from .holding import Held, held_hosts
from .operation import Operation, StopSignal, new_operation
from .reopening import reopen
from .rounds import Round, Rounds

Request = Callable[[tuple[Vm, ...]], PlanRequest]
"""Which of the VMs that are not at home shall go there, in which order, under which conditions."""


@dataclass(frozen=True)
class ReturnOrder:
    """Which hosts take their VMs back. A VM that cannot go home never keeps another from it, and is never moved anywhere else instead."""

    hosts: tuple[str, ...]
    request: Request
    options: MoveOptions
    approve: Approve


@dataclass(frozen=True, slots=True)
class Homes:
    """VMs that call one of the hosts their home. ``away`` are elsewhere, ``busy`` are being moved; the home of ``settled`` is only to be forgotten:

    they are home already, or somebody moved them since, which made it obsolete.
    """

    away: tuple[Vm, ...]
    busy: tuple[Vm, ...]
    settled: tuple[Vm, ...]

    def warnings(self, plan: Plan) -> tuple[Reason, ...]:
        """What is to be said of homes that are forgotten, and of disks that will not be where they were."""
        dropped = tuple(home_dropped(vm, vm.home) for vm in self.settled if vm.home is not None and vm.home.host != vm.host)
        goes = {migration.vm: frozenset(move.target_pool for move in migration.volumes if move.target_pool) for migration in plan.migrations}
        return dropped + tuple(_other_pools(vm) for vm in self.away if _is_elsewhere(vm, goes.get(vm.id)))


def homes(site: Site, hosts: tuple[str, ...]) -> Homes:
    """The VMs whose home is one of the hosts."""
    away, busy, settled = [], [], []
    for vm in site.vms:
        if vm.home is None or vm.home.host not in hosts:
            continue
        if vm.operation in MIGRATING or (vm.note is not None and vm.note.phase is NotePhase.MOVING):
            busy.append(vm)
        elif vm.host == vm.home.host or (vm.home.away_on and vm.home.away_on != vm.host):
            settled.append(vm)
        else:
            away.append(vm)
    return Homes(tuple(away), tuple(busy), tuple(settled))


def opened(site: Site, hosts: tuple[str, ...]) -> Site:
    """The site as it is once these hosts are open."""
    return dataclasses.replace(site, hosts=tuple(dataclasses.replace(host, maintenance=Maintenance()) if host.name in hosts else host for host in site.hosts))


def plan_return(site: Site, order: ReturnOrder, found: Homes) -> tuple[Plan, PlanRequest]:
    """The plan home for what is not under way, on the site as it is once the hosts are open; and the request that it answers."""
    request = order.request(found.away)
    return plan_to(opened(site, order.hosts), request, {vm.id: vm.home.host for vm in found.away if vm.home is not None}), request


def return_home(driver: Driver, order: ReturnOrder, report: Reporter, stop: StopSignal) -> EvacuationReport:
    """Open the hosts and bring their VMs home. Raises InputError, HostUnreachable, StateConflict and OperationInProgress before anything changed."""
    check_hosts(driver.snapshot(Scope(frozenset(), frozenset())), order.hosts, "hosts")
    operation = new_operation()
    with held_hosts(driver, operation, order.hosts, order.options, report, stop) as held:
        return _Return(driver, order, report, operation, held).run()


class _Return:
    """One return; its fields gather what each round did."""

    def __init__(self, driver: Driver, order: ReturnOrder, report: Reporter, operation: Operation, held: Held) -> None:
        self._driver = driver
        self._order = order
        self._report = report
        self._operation = operation
        self._held = held
        options = dataclasses.replace(order.options, retries=0)  # home is the only target
        self._rounds = Rounds(driver, operation, held.keeper, options, report, held.requests, lambda outcome: not outcome.adopted)
        self._unplaced: tuple[Unplaced, ...] = ()
        self._stale: tuple[Reason, ...] = ()

    def run(self) -> EvacuationReport:
        started = self._driver.clock.now()
        before = self._driver.snapshot(EVERYTHING)
        check_hosts(before, self._order.hosts, "hosts")
        found = homes(before, self._order.hosts)
        plan, request = plan_return(before, self._order, found)
        self._order.approve(plan, before, "")
        stopped = self._held.requests()
        if not stopped:
            self._open(before)
            for vm in found.settled:
                self._driver.drop_home(vm.id, vm.host)
            stopped = self._run_rounds(before, plan, request)
        after = self._driver.snapshot(Scope(frozenset(vm.id for vm in (*found.away, *found.busy)), frozenset()))
        return self._report_of(before, after, plan, found, started, stopped)

    def _open(self, before: Site) -> None:
        closed = tuple(name for name in self._order.hosts if before.host_by_name[name].maintenance.state is not MaintenanceState.AVAILABLE)
        self._stale = tuple(reason for stale in reopen(self._driver, closed) for reason in stale.warnings)
        for name in closed:
            self._report(Event(EventKind.HOST, self._driver.clock.now(), source=name, message="open to VMs again"))

    def _run_rounds(self, site: Site, plan: Plan, request: PlanRequest) -> str:
        """Wait for what is under way and run the plan, then plan again for what that left. Gives what stopped it."""
        self._unplaced = plan.unplaced
        hosts = frozenset(self._order.hosts)
        return self._rounds.run(self._round(site, plan, request), lambda context: adoptions(context, hosts, context.current.site), self._again)

    def _round(self, site: Site, plan: Plan, request: PlanRequest) -> Round:
        return Round(opened(site, self._order.hosts), request, plan)

    def _again(self) -> Round:
        site = self._driver.snapshot(EVERYTHING)
        plan, request = plan_return(site, self._order, homes(site, self._order.hosts))
        self._unplaced = plan.unplaced
        return self._round(site, plan, request)

    def _report_of(self, before: Site, after: Site, plan: Plan, found: Homes, started: float, stopped: str) -> EvacuationReport:
        outcomes = final_outcomes(self._rounds.outcomes)
        remaining = self._remaining(after, outcomes)
        run = RunReport(outcomes, self._unplaced, remaining, plan.warnings + found.warnings(plan) + self._stale, started, self._driver.clock.now(), stopped)
        states = {name: after.host_by_name[name].maintenance.state for name in self._order.hosts}
        were = {name: before.host_by_name[name].maintenance.state for name in self._order.hosts}
        acted = any(outcome.changed for outcome in outcomes) or (bool(found.settled) and not stopped)
        return EvacuationReport(plan, run, before, after, states, states != were or acted, self._held.requests.requested_by)

    def _remaining(self, after: Site, outcomes: tuple[Outcome, ...]) -> tuple[Remaining, ...]:
        """VMs that should be home and are not, with the reason of each."""
        why = {entry.vm: entry.reasons + first_of_each(entry.candidates) for entry in self._unplaced}
        why.update({outcome.vm: outcome.reasons for outcome in outcomes if not outcome.ok})
        left = homes(after, self._order.hosts)
        away = (*left.busy, *left.away)
        wanted = set(self._order.request(away).vms)
        unknown = (warning("not_home", "It was not moved in this run.", "Run the task again."),)
        return tuple(Remaining(vm.id, vm.name, vm.host, why.get(vm.id) or unknown) for vm in away if vm.id in wanted)


def _is_elsewhere(vm: Vm, goes_to: frozenset[str] | None) -> bool:
    """True where disks of the VM have left the pools that they were in before the drain, and do not go back into them."""
    pools = goes_to or {volume.pool for volume in vm.volumes if volume.pool}
    return vm.home is not None and bool(vm.home.pools) and not pools <= set(vm.home.pools)


def _other_pools(vm: Vm) -> Reason:
    pools = ", ".join(vm.home.pools) if vm.home is not None else ""
    text = f"Disks of {vm.name} are not in the pools where they were before the drain ({pools}), and stay where they are."
    return warning("home_pools_differ", text, "Give type host_storage where the home does not reach them; or move them with volume_migrate.")
