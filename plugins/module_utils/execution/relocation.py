# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves one VM: adopts its move where one is under way already, else plans and runs it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ..drivers.driver import EVERYTHING, LIGHT, Driver
from ..model.errors import HostUnreachable, OperationInProgress
from ..model.event import Event, EventKind, Reporter
from ..model.note import ClaimKind, NotePhase
from ..model.outcome import Outcome, RunReport
from ..model.plan import Plan
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.planner import make_plan
from .adoption import adoptions
from .attempt import MIGRATING
from .claims import ClaimKeeper
from .operation import CurrentSite, RunContext, StopSignal, Tally, new_operation
from .run import run_plan

WAIT_STEP_SECONDS = 1.0

Wanted = Callable[[Site, Vm], "PlanRequest | None"]
"""What to plan for the VM where it is now; None where it may stay. Raises errors for what is wrong with the request."""


@dataclass(frozen=True)
class RelocationReport:
    """What became of it; ``host`` is where the VM is afterwards."""

    plan: Plan
    run: RunReport
    before: Site
    after: Site
    vm: Vm
    changed: bool = False

    @property
    def ok(self) -> bool:
        """True where the VM is where it should be."""
        return self.run.ok


def relocate(driver: Driver, vm_name: str, wanted: Wanted, options: MoveOptions, report: Reporter, stop: StopSignal) -> RelocationReport:
    """Move one VM, or finish its move. Raises InputError before anything changed."""
    started = driver.clock.now()
    before = driver.snapshot(EVERYTHING)
    vm = before.find_vm(vm_name, "vm")
    operation = new_operation()
    outcomes: list[Outcome] = []
    site = before
    with ClaimKeeper(driver, operation.id, operation.controller) as keeper:
        context = RunContext(driver, CurrentSite(site), PlanRequest((vm.id,)), options, operation, keeper, report, stop, Tally(1))
        if (_under_way(vm) or wanted(site, vm) is not None) and _wait_for_turn(context, vm):
            site = driver.snapshot(EVERYTHING)
            vm = site.find_vm(vm.id, "vm")
        if _under_way(vm):
            ends = frozenset(host.name for host in site.hosts)
            outcomes += run_plan(context, Plan(""), adoptions(context, ends, site, frozenset({vm.id}))).outcomes
            site = driver.snapshot(EVERYTHING)
            vm = site.find_vm(vm.id, "vm")
        request = wanted(site, vm)
        plan = make_plan(site, request) if request is not None else Plan("")
        stopped = ""
        if request is not None and plan.migrations:
            context = dataclasses.replace(context, current=CurrentSite(site), request=request, tally=Tally(len(plan.migrations)))
            ran = run_plan(context, plan)
            outcomes += ran.outcomes
            stopped = ran.stopped_by
    after = driver.snapshot(LIGHT) if outcomes else before
    run = RunReport(tuple(outcomes[-1:]), plan.unplaced, (), plan.warnings, started, driver.clock.now(), stopped)
    now = after.vm_by_id.get(vm.id, vm)
    return RelocationReport(plan, run, before, after, now, any(outcome.changed for outcome in outcomes))


def _wait_for_turn(context: RunContext, vm: Vm) -> bool:
    """Claim the VM before anything is planned for it, so that no plan is made for a VM that another run has in hand. True where that took a while.

    Raises OperationInProgress where the holder does not come to its end within ``claim_wait_seconds``.
    """
    host = vm.note.source if vm.note is not None and vm.note.phase is NotePhase.MOVING else vm.host
    until = time.monotonic() + context.options.claim_wait_seconds
    waited = False
    with suppress(HostUnreachable):  # of a move that was begun from there; adoption says what becomes of it
        while (refused := context.keeper.take(ClaimKind.VM, host, vm.id)) is not None:
            if time.monotonic() >= until or context.stop():
                raise OperationInProgress(f"vm: {vm.name} is in the hands of another run. {refused.message}", hint="Wait for its end, or give it more time.")
            if not waited:
                context.reporter(Event(EventKind.WAITING, context.driver.clock.now(), vm.id, vm.name, host, message=refused.message))
            waited = True
            time.sleep(WAIT_STEP_SECONDS)
    return waited


def _under_way(vm: Vm) -> bool:
    return vm.operation in MIGRATING or (vm.note is not None and vm.note.phase is NotePhase.MOVING)
