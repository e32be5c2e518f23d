# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode of ``pool_evacuate``: what a run would do, from a fresh snapshot, the same planner and the hypervisors' pre-checks. Writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ..drivers.driver import Driver
from ..execution.accounting import first_of_each
from ..execution.pool_deleting import to_delete
from ..execution.pool_evacuation import PoolOrder, goal_of, plan_for, runnable, state_if_not_empty, under_way, unfinished_plan, whole_scope
from ..execution.pool_holding import check_pools
from ..execution.pool_reasons import with_reasons
from ..model.host import MaintenanceState
from ..model.plan import Plan
from ..model.pool import VolumeKind
from ..model.pool_content import PoolContent
from ..model.reason import Reason, warning
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.pool_contents import contents_of, pool_of_image
from .prechecking import Precheck, prechecks
from .prediction import Prediction, prediction_warnings


@dataclass(frozen=True)
class PoolPrediction:
    """What a run would meet and leave. ``moves`` is the prediction of the VMs' moves, ``contents`` what would be in the pools afterwards."""

    moves: Prediction
    contents: tuple[PoolContent, ...] = ()
    states: Mapping[str, MaintenanceState] = dataclasses.field(default_factory=dict)
    deleted: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[PoolContent, ...]:
        """What VMs would miss."""
        return tuple(content for content in self.contents if content.is_needed)

    @property
    def ok(self) -> bool:
        """True where the pools would be empty of everything that a VM needs."""
        return self.moves.ok and not self.needed


def predict_pool_evacuation(driver: Driver, order: PoolOrder) -> PoolPrediction:
    """What ``execution.pool_evacuation.evacuate_pools`` would do. Raises the same errors before it."""
    site, pools = driver.snapshot(whole_scope(order.pools)), frozenset(order.pools)
    check_pools(site, order.pools)
    request = order.choose(site)
    plan, flying = plan_for(site, request), under_way(site, pools)
    order.approve(plan, site, unfinished_plan(site, order.pools))
    doomed = to_delete(contents_of(site, pools), order.delete)
    doable = runnable(plan, order)
    checks = prechecks(driver, doable, order.options)
    left = _left(site, order, request, plan, checks, {move.vm for move in doable.migrations} | {vm.id for vm in flying})
    acts = bool(doable.migrations or flying) or not plan.unplaced
    deleted = tuple(content.volume for content in doomed) if acts else ()
    left = tuple(content for content in left if content.volume not in deleted)
    states = {name: _state(site, name, order, {content.pool for content in left if content.is_needed}, acts=acts) for name in order.pools}
    warnings = prediction_warnings(checks, flying) + _templates(site, request, pools, {move.vm for move in doable.migrations})
    moves = Prediction(site, plan, checks, plan.unplaced, under_way=flying, warnings=warnings)
    return PoolPrediction(moves, left, states, deleted)


def _templates(site: Site, request: PlanRequest, pools: frozenset[str], moved: set[str]) -> tuple[Reason, ...]:
    """Without flatten, whether a copy goes on to rest on its template where that is now, only the hypervisor decides."""
    if request.intent is None or request.intent.flatten:
        return ()
    vms = [site.vm_by_id[vm_id] for vm_id in sorted(moved)]
    names = [vm.name for vm in vms if any(pool_of_image(site, vm.host, image) in pools for volume in vm.volumes for image in volume.backing)]
    if not names:
        return ()
    text = f"Disks of {', '.join(names[:5])} rest on templates in the pools, which may still be needed when the disks have moved."
    return (warning("templates_may_stay", text, "Give flatten: true, so that copies take in what they rest on."),)


def _left(site: Site, order: PoolOrder, request: PlanRequest, plan: Plan, checks: tuple[Precheck, ...], moved: set[str]) -> tuple[PoolContent, ...]:
    """What would still be there: everything but the disks of VMs whose moves would be made, or are under way already (``moved``)."""
    pools = frozenset(order.pools)
    why = {check.migration.vm_name: check.reasons for check in checks if check.refused}
    why.update({entry.vm_name: entry.reasons + first_of_each(entry.candidates) for entry in plan.unplaced})
    stuck = {check.migration.vm for check in checks if check.refused}
    vms = tuple(_without_disks(vm, pools) if vm.id in moved - stuck else vm for vm in site.vms)
    after = dataclasses.replace(site, vms=vms)
    wanted = frozenset(site.vm_by_id[vm_id].name for vm_id in request.vms)
    return with_reasons(site, contents_of(after, pools), wanted, why, allow_partial=order.allow_partial)


def _without_disks(vm: Vm, pools: frozenset[str]) -> Vm:
    """The VM without those volumes that its move takes out of the pools; removable media stay."""
    return dataclasses.replace(vm, volumes=tuple(volume for volume in vm.volumes if volume.pool not in pools or volume.kind is VolumeKind.ISO))


def _state(site: Site, pool: str, order: PoolOrder, left: set[str], *, acts: bool) -> MaintenanceState:
    """The pool's state after the run; where nothing can be done, nothing changes."""
    if not acts:
        return site.pool_by_id[pool].maintenance.state
    return state_if_not_empty(site, pool, order.on_failure) if pool in left else goal_of(site, pool, order)
