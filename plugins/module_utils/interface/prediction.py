# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode: what a run would do, from a fresh snapshot, the same planner and the hypervisors' pre-checks. Writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ..drivers.driver import EVERYTHING, Driver
from ..execution.attempt import MIGRATING
from ..execution.evacuation import EvacuationOrder, check_hosts, state_if_not_empty, unfinished_plan
from ..execution.relocation import Wanted
from ..model.host import MaintenanceState
from ..model.note import NotePhase
from ..model.outcome import Remaining
from ..model.plan import Plan, Unplaced
from ..model.reason import Reason, warning
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.planner import make_plan
from .prechecking import Precheck, prechecks


@dataclass(frozen=True)
class Prediction:
    """What a run would meet and leave. ``plan`` holds only moves that would be made; ``under_way`` are VMs whose move runs already."""

    site: Site
    plan: Plan
    checks: tuple[Precheck, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    remaining: tuple[Remaining, ...] = ()
    states: Mapping[str, MaintenanceState] = dataclasses.field(default_factory=dict)
    under_way: tuple[Vm, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @property
    def ok(self) -> bool:
        """True where everything that is asked for would be done."""
        return not self.unplaced and not self.remaining and not any(check.refused for check in self.checks)


def predict_evacuation(driver: Driver, order: EvacuationOrder) -> Prediction:
    """What ``execution.evacuation.evacuate`` would do. Raises the same errors before it."""
    site = driver.snapshot(EVERYTHING)
    check_hosts(site, order.hosts, "hosts")
    request = order.choose(site)
    plan, under_way = _plan(site, request)
    order.approve(plan, site, unfinished_plan(site, order.hosts))
    hosts = frozenset(order.hosts)
    under_way = tuple(vm for vm in under_way if _ends(vm) & hosts)
    kept = _unselected(site, order, request)
    runnable = plan if order.allow_partial or not plan.unplaced else dataclasses.replace(plan, migrations=(), order=())
    checks = prechecks(driver, runnable, order.options)
    left = {entry.host for entry in plan.unplaced} | {entry.host for entry in kept} | {check.migration.source_host for check in checks if check.refused}
    return Prediction(
        site=site,
        plan=plan,
        checks=checks,
        unplaced=plan.unplaced,
        remaining=kept,
        states=_states(site, order, left, acts=bool(runnable.migrations or under_way) or not plan.unplaced),
        under_way=under_way,
        warnings=prediction_warnings(checks, under_way),
    )


def predict_relocation(driver: Driver, vm_name: str, wanted: Wanted, options: MoveOptions) -> tuple[Vm, Prediction]:
    """What ``execution.relocation.relocate`` would do for one VM. Raises the same errors before it."""
    site = driver.snapshot(EVERYTHING)
    vm = site.find_vm(vm_name, "vm")
    request = wanted(site, vm)
    plan, under_way = _plan(site, request or PlanRequest(()))
    plan = plan if request is not None else Plan("")
    checks = prechecks(driver, plan, options)
    under_way = tuple(other for other in under_way if other.id == vm.id)
    return vm, Prediction(site, plan, checks, plan.unplaced, under_way=under_way, warnings=prediction_warnings(checks, under_way))


def _plan(site: Site, request: PlanRequest) -> tuple[Plan, tuple[Vm, ...]]:
    """The plan for what is not under way, and what is under way or was left unfinished by an earlier run."""
    flying = {vm.id for vm in site.vms if vm.operation in MIGRATING}
    left = tuple(vm for vm in site.vms if vm.id in flying or (vm.note is not None and vm.note.phase is NotePhase.MOVING))
    return make_plan(site, dataclasses.replace(request, vms=tuple(vm_id for vm_id in request.vms if vm_id not in flying))), left


def _ends(vm: Vm) -> frozenset[str]:
    moving = {vm.host, vm.operation_target} if vm.operation in MIGRATING else set()
    return frozenset(moving | ({vm.note.source, vm.note.target} if vm.note else set()))


def _unselected(site: Site, order: EvacuationOrder, request: PlanRequest) -> tuple[Remaining, ...]:
    """VMs that are not to be moved, but stand in the way of maintenance."""
    if order.final is not MaintenanceState.MAINTENANCE:
        return ()
    reason = warning("not_selected", "It is not among the VMs that were to be moved.", "Widen `select`.")
    active = [vm for name in order.hosts for vm in site.vms_by_host.get(name, ()) if vm.must_leave]
    return tuple(Remaining(vm.id, vm.name, vm.host, (reason,)) for vm in active if vm.id not in request.vms)


def _states(site: Site, order: EvacuationOrder, left: set[str], *, acts: bool) -> dict[str, MaintenanceState]:
    """Each host's state after the run; where nothing can be done, nothing changes."""
    states = {}
    for name in order.hosts:
        now = site.host_by_name[name].maintenance.state
        goal = now if now is MaintenanceState.MAINTENANCE else order.final
        if name in left:
            goal = state_if_not_empty(site, name, order.on_failure)
        states[name] = goal if acts else now
    return states


def prediction_warnings(checks: tuple[Precheck, ...], under_way: tuple[Vm, ...]) -> tuple[Reason, ...]:
    """What is to be said of moves that would be made, and of those that run already."""
    found = [dataclasses.replace(reason, overridable="") for check in checks for reason in check.reasons if not check.refused]
    return (*found, *under_way_warning(under_way))


def under_way_warning(under_way: tuple[Vm, ...]) -> tuple[Reason, ...]:
    """What is to be said of moves that an earlier run, or somebody else, has begun."""
    if not under_way:
        return ()
    names = ", ".join(vm.name for vm in under_way[:5])
    text = f"{len(under_way)} move(s) are under way or were left unfinished ({names}); a run waits for them and finishes its own."
    return (warning("moves_under_way", text),)
