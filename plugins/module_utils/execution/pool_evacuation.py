# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Empties storage pools: close, adopt what is under way, plan, run, look into the pools themselves, and leave each in a stated condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..drivers.driver import LIGHT, Driver, Scope
from ..model.errors import MigrationError
from ..model.event import Event, EventKind, Reporter
from ..model.host import Maintenance, MaintenanceState
from ..model.note import NotePhase
from ..model.outcome import RunReport
from ..model.plan import Plan, Unplaced
from ..model.pool import VolumeKind
from ..model.pool_content import PoolContent
from ..model.reason import Reason, hard
from ..model.request import MoveOptions, OnFailure, PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.planner import make_plan
from ..planning.pool_contents import contents_of
from .accounting import final_outcomes, first_of_each, is_settled, not_our_failure
from .adoption import Adoption, adoptions
from .attempt import MIGRATING
from .claims import ClaimKeeper
from .evacuation import Approve, Choose
from .operation import LEAVE_AT_ONCE, Operation, RunContext, StopSignal, new_operation
from .pool_deleting import delete, to_delete
from .pool_holding import check_pools, held_pools
from .pool_reasons import with_reasons
from .rounds import Round, Rounds
from .stop import StopRequests


def _approve_any(_plan: Plan, _site: Site, _unfinished: str) -> None:
    """Approve every plan."""


@dataclass(frozen=True)
class PoolOrder:
    """What to empty and how.

    ``final`` is ``maintenance`` (closed for good) or ``available`` (emptied, and open again unless it was in maintenance before). ``choose`` gives the request
    for every VM with a disk in the pools that is to be moved. ``delete`` are ids of volumes of nobody
    that the operator has named to be deleted. Without ``allow_partial`` nothing is moved where the plan cannot place every VM.
    """

    pools: tuple[str, ...]
    final: MaintenanceState
    choose: Choose
    options: MoveOptions
    on_failure: OnFailure = OnFailure.REOPEN
    allow_partial: bool = False
    approve: Approve = _approve_any
    delete: frozenset[str] = frozenset()
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class PoolReport:
    """What became of it. ``states`` are the pools' conditions afterwards, ``contents`` everything that is still in them, by their own listing."""

    plan: Plan
    run: RunReport
    before: Site
    after: Site
    contents: tuple[PoolContent, ...] = ()
    states: Mapping[str, MaintenanceState] = field(default_factory=dict)
    changed: bool = False
    stop_requested_by: str = ""
    deleted: tuple[str, ...] = ()
    unsettled: tuple[Reason, ...] = ()
    """Why a pool could not be looked into at the end, or put into its final state."""

    @property
    def needed(self) -> tuple[PoolContent, ...]:
        """What VMs would miss."""
        return tuple(content for content in self.contents if content.is_needed)

    @property
    def ok(self) -> bool:
        """True where no VM needs anything of the pools any more, they are in their final state, and it is known where every VM is."""
        run = self.run
        whole = not run.unplaced and not self.needed and not self.unsettled
        return whole and all(outcome.ok or is_settled(outcome) for outcome in run.outcomes)


def evacuate_pools(driver: Driver, order: PoolOrder, report: Reporter, stop: StopSignal) -> PoolReport:
    """Empty the pools. Raises the errors of ``check_pools`` and OperationInProgress before anything changed."""
    operation = new_operation()  # no homes are noted: nobody returns to a pool that is retired
    with held_pools(driver, operation, order.pools, order.options, report, stop) as held:
        return _PoolEvacuation(driver, order, report, held.requests, operation, held.keeper).run()


def whole_scope(pools: tuple[str, ...]) -> Scope:
    """Everything in full detail, and what lies in the pools besides."""
    return Scope(volumes_of=frozenset(pools))


def users_of(site: Site, pools: frozenset[str]) -> tuple[Vm, ...]:
    """VMs with a disk in the pools; removable media do not count, for they stay where they are."""
    return tuple(vm for vm in site.vms if any(volume.pool in pools and volume.kind is not VolumeKind.ISO for volume in vm.volumes))


def under_way(site: Site, pools: frozenset[str]) -> tuple[Vm, ...]:
    """VMs whose move is under way, or was left unfinished, and has to do with the pools."""
    return tuple(vm for vm in site.vms if _is_under_way(vm) and _concerns(vm, pools))


def plan_for(site: Site, request: PlanRequest) -> Plan:
    """The plan for what is not under way already."""
    flying = {vm.id for vm in site.vms if _is_under_way(vm)}
    return make_plan(site, dataclasses.replace(request, vms=tuple(vm_id for vm_id in request.vms if vm_id not in flying)))


def runnable(plan: Plan, order: PoolOrder) -> Plan:
    """All or nothing, unless the operator allows a part."""
    return plan if order.allow_partial or not plan.unplaced else dataclasses.replace(plan, migrations=(), order=())


def unfinished_plan(site: Site, pools: tuple[str, ...]) -> str:
    """The id of the plan that an earlier, unfinished run was following; empty for none."""
    return next((plan_id for name in pools if (plan_id := site.pool_by_id[name].maintenance.plan_id)), "")


def goal_of(before: Site, pool: str, order: PoolOrder) -> MaintenanceState:
    """The state of the pool once it is empty."""
    was = before.pool_by_id[pool].maintenance.state
    return was if was is MaintenanceState.MAINTENANCE else order.final


def state_if_not_empty(before: Site, pool: str, on_failure: OnFailure) -> MaintenanceState:
    """The state of a pool that could not be emptied. One that was in maintenance before stays closed: this run did not close it."""
    was_closed = before.pool_by_id[pool].maintenance.state is MaintenanceState.MAINTENANCE
    return MaintenanceState.PREPARING if was_closed or on_failure is OnFailure.KEEP_CLOSED else MaintenanceState.AVAILABLE


def _is_under_way(vm: Vm) -> bool:
    return vm.operation in MIGRATING or (vm.note is not None and vm.note.phase is NotePhase.MOVING)


def _concerns(vm: Vm, pools: frozenset[str]) -> bool:
    noted = {pool for volume in vm.note.volumes for pool in (volume.source_pool, volume.target_pool)} if vm.note is not None else set()
    return bool(pools & (noted | {volume.pool for volume in vm.volumes}))


class _PoolEvacuation:
    """One evacuation; its fields gather what each round did."""

    def __init__(self, driver: Driver, order: PoolOrder, report: Reporter, stop: StopRequests, operation: Operation, keeper: ClaimKeeper) -> None:
        self._driver = driver
        self._order = order
        self._report = report
        self._stop = stop
        self._operation = operation
        self._keeper = keeper
        self._pools = frozenset(order.pools)
        self._rounds = Rounds(driver, operation, keeper, order.options, report, stop, lambda outcome: not not_our_failure(outcome))
        self._unplaced: tuple[Unplaced, ...] = ()
        self._unsettled: list[Reason] = []
        self._deleted: tuple[str, ...] = ()

    def run(self) -> PoolReport:
        started = self._driver.clock.now()
        before = self._look()
        check_pools(before, self._order.pools)
        plan = self._plan(before)
        unfinished = unfinished_plan(before, self._order.pools)
        self._order.approve(plan, before, unfinished)
        self._to_delete(before)
        acts = bool(runnable(plan, self._order).migrations or under_way(before, self._pools))
        if not acts and (plan.unplaced or self._is_done(before)):
            return self._report_of(before, before, plan, started, "")
        stopped = self._stop()
        if stopped and runnable(plan, self._order).migrations:  # while it waited or planned: nothing has begun, so nothing is left behind
            return self._report_of(before, before, plan, started, stopped)
        try:
            self._close(before, unfinished or plan.plan_id)
            stopped = self._run_rounds(before, plan)
            if not stopped:
                self._delete()
        except MigrationError:
            self._leave(before, self._look(), "")
            raise
        return self._report_of(before, self._leave(before, self._look(), stopped), plan, started, stopped)

    def _look(self) -> Site:
        return self._driver.snapshot(whole_scope(self._order.pools))

    def _plan(self, site: Site) -> Plan:
        plan = plan_for(site, self._order.choose(site))
        self._unplaced = plan.unplaced
        return plan

    def _is_done(self, site: Site) -> bool:
        """True where no VM needs the pools, nothing is to be deleted, and they are in their final state: a second run changes nothing."""
        if self._needed(site) or self._to_delete(site):
            return False
        return all(_state(site, name) is goal_of(site, name, self._order) for name in self._order.pools)

    def _needed(self, site: Site) -> frozenset[str]:
        """Pools that a VM still needs."""
        return frozenset(content.pool for content in contents_of(site, self._pools) if content.is_needed)

    def _to_delete(self, site: Site) -> tuple[PoolContent, ...]:
        return to_delete(contents_of(site, self._pools), self._order.delete) if self._order.delete else ()

    def _delete(self) -> None:
        """Delete what the operator has named, by a fresh look at everything, while the pools are closed."""
        if not self._order.delete:
            return
        try:
            site = self._look()
            check_pools(site, self._order.pools)
            self._deleted, failed = delete(self._driver, self._keeper, site, self._to_delete(site))
            self._unsettled += failed
        except MigrationError as error:  # what was moved is told all the same
            self._unsettled.append(hard(error.code, error.message, error.hint))

    def _close(self, before: Site, plan_id: str) -> None:
        """Close the pools to new volumes. An empty pool in maintenance stays as it is."""
        needed = self._needed(before)
        for name in self._order.pools:
            if before.pool_by_id[name].maintenance.state is MaintenanceState.MAINTENANCE and name not in needed:
                continue
            asked = self._driver.snapshot(LIGHT).pool_by_id[name].maintenance.stop_by  # since this run looked; its own note must not wipe it out
            self._set(name, MaintenanceState.PREPARING, plan_id, asked)
            self._tell(name, "closed to new volumes")

    def _run_rounds(self, site: Site, plan: Plan) -> str:
        """Run the plan, then plan again for what is still there. Gives what stopped it."""
        return self._rounds.run(self._round(site, plan), self._adoptions, self._again)

    def _round(self, site: Site, plan: Plan) -> Round:
        return Round(site, self._order.choose(site), runnable(plan, self._order))

    def _again(self) -> Round | None:
        site = self._look()
        if not users_of(site, self._pools):
            self._unplaced = ()
            return None
        return self._round(site, self._plan(site))

    def _adoptions(self, context: RunContext) -> tuple[Adoption, ...]:
        site = context.current.site
        vms = frozenset(vm.id for vm in under_way(site, self._pools))
        return adoptions(context, frozenset(host.name for host in site.hosts), site, vms) if vms else ()

    def _report_of(self, before: Site, after: Site, plan: Plan, started: float, stopped: str) -> PoolReport:
        outcomes = final_outcomes(self._rounds.outcomes)
        gone = {outcome.vm for outcome in outcomes if outcome.ok}
        unplaced = tuple(entry for entry in self._unplaced if entry.vm not in gone)
        run = RunReport(outcomes, unplaced, (), plan.warnings, started, self._driver.clock.now(), stopped)
        states = {name: _state(after, name) for name in self._order.pools}
        changed = states != {name: _state(before, name) for name in self._order.pools} or bool(self._deleted)
        changed = changed or any(outcome.changed for outcome in outcomes)
        contents = self._contents(after)
        return PoolReport(plan, run, before, after, contents, states, changed, self._stop.requested_by, self._deleted, tuple(self._unsettled))

    def _contents(self, site: Site) -> tuple[PoolContent, ...]:
        why = {entry.vm_name: entry.reasons + first_of_each(entry.candidates) for entry in self._unplaced}
        why.update({outcome.vm_name: outcome.reasons for outcome in self._rounds.outcomes if not outcome.ok})
        wanted = frozenset(site.vm_by_id[vm_id].name for vm_id in self._order.choose(site).vms)
        return with_reasons(site, contents_of(site, self._pools), wanted, why, allow_partial=self._order.allow_partial)

    def _leave(self, before: Site, after: Site, stopped: str) -> Site:
        """Put every pool into its final condition, or, where VMs still need it, into the one that ``on_failure`` names. Gives the site after that.

        A run that was killed leaves its pools closed: the same task, run again, goes on.
        """
        needed = self._needed(after)
        for name in self._order.pools:
            state = goal_of(before, name, self._order)
            try:
                check_pools(after, (name,))  # all of its hosts still answer, so that nothing in it is overlooked
            except MigrationError as error:
                self._tell(name, "cannot be looked into any more; left as it is")
                self._unsettled.append(hard(error.code, error.message, "Make it answer and run the task again."))
                continue
            if name in needed:
                state = MaintenanceState.PREPARING if stopped in LEAVE_AT_ONCE else state_if_not_empty(before, name, self._order.on_failure)
            note = after.pool_by_id[name].maintenance
            try:
                if state is not note.state or note.stop_by:
                    self._set(name, state, note.plan_id if state is MaintenanceState.PREPARING else "")
            except MigrationError as error:  # what was moved is told all the same
                self._unsettled.append(hard(error.code, f"Pool {name} could not be put into state {state.value}: {error.message}", error.hint))
                continue
            self._tell(name, f"{'not empty' if name in needed else 'empty'}, now {state.value}")
        notes = self._driver.snapshot(LIGHT).pool_by_id
        return dataclasses.replace(after, pools=tuple(notes.get(pool.id, pool) for pool in after.pools))

    def _set(self, name: str, state: MaintenanceState, plan_id: str, stop_by: str = "") -> None:
        note = Maintenance(state, self._order.by, self._order.why, self._driver.clock.now(), self._operation.id, plan_id, stop_by)
        self._driver.set_pool_maintenance(name, note)

    def _tell(self, pool: str, message: str) -> None:
        self._report(Event(EventKind.POOL, self._driver.clock.now(), source=pool, message=message))


def _state(site: Site, pool: str) -> MaintenanceState:
    found = site.pool_by_id.get(pool)
    return found.maintenance.state if found is not None else MaintenanceState.PREPARING
