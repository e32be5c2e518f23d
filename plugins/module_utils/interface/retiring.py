# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``pool_evacuate`` does: emptying pools, its prediction in check mode, opening pools again, and asking a running evacuation to stop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import LIGHT, Driver
from ..execution.pool_evacuation import PoolOrder, PoolReport, evacuate_pools
from ..execution.pool_holding import check_pools, emptied_pools, request_pool_stop
from ..model.errors import InputError, OperationInProgress
from ..model.host import Maintenance, MaintenanceState
from ..model.plan import Plan
from ..model.progress import Phase
from ..model.reason import Reason
from ..model.request import OnFailure
from ..model.site import Site
from .approval import Approval
from .host_results import controller_name, with_prechecks
from .opening import open_site, unique
from .pool_prediction import PoolPrediction, predict_pool_evacuation
from .pool_requests import PoolDrain
from .pool_results import leftover_warnings, needed_as_remaining, pool_results, pool_rows
from .progress import ProgressFile
from .ranges import check_numbers
from .requests import move_options
from .result_form import MigrationResult, PoolResult, PoolRunResult
from .results import as_result, migration_results, placement_diff, placements, site_warnings, stats_of, unplaced_results
from .stopping import StopWatch
from .verdict import failure_of, keep_long_form

_FINAL = {"evacuated": MaintenanceState.AVAILABLE, "maintenance": MaintenanceState.MAINTENANCE}


def pool_evacuate(module: AnsibleModule) -> dict[str, Any]:
    """The module's result. Raises Failure with the result where not everything was done, and the errors of every floor below."""
    params = module.params
    check_numbers(params)
    pools = unique(params["pools"], "pools", "pool_duplicate")
    if not pools:
        raise InputError("pools", "no pool is named.", code="no_pools", hint="Name at least one pool of the site.")
    PoolDrain(params, pools)
    _named_orphans(params, pools)  # what cannot be right is told before any connection is made
    with open_site(params) as driver:
        if params["state"] == "available":
            return _open(module, driver, pools)
        if params["state"] == "cancelled":
            return _cancel(module, driver, pools)
        return _drain(module, driver, pools)


def _named_orphans(params: Mapping[str, Any], pools: tuple[str, ...]) -> frozenset[str]:
    """The volumes to delete. Deleting takes two words of the operator: that it shall be done, and what exactly."""
    named = unique(params["delete_orphans"], "delete_orphans", "volume_duplicate")
    if (params["orphans"] == "delete") is not bool(named):
        text = "no volume is named." if not named else "volumes are named, and orphans is not delete."
        hint = "Give both, orphans: delete and the ids of the volumes, as remaining of an earlier result has them."
        raise InputError("delete_orphans", text, code="orphans_unnamed", hint=hint)
    for index, name in enumerate(named):
        if not any(name.startswith(f"{pool}/") for pool in pools):
            raise InputError(f"delete_orphans[{index}]", f"{name!r} is in none of the pools to be emptied.", hint="Give ids as remaining has them.")
    return frozenset(named)


def _drain(module: AnsibleModule, driver: Driver, pools: tuple[str, ...]) -> dict[str, Any]:
    params = module.params
    progress = ProgressFile(Path(module.tmpdir))

    def show(plan: Plan, _site: Site) -> None:
        progress.plan(plan, driver.clock.now())

    approval = Approval(params["approved_plan"], params["on_plan_change"], show)
    order = PoolOrder(
        pools=pools,
        final=_FINAL[params["state"]],
        choose=PoolDrain(params, pools, driver.capabilities),
        options=move_options(params, driver.clock.now()),
        on_failure=OnFailure(params["on_failure"]),
        allow_partial=params["allow_partial"],
        approve=approval,
        delete=_named_orphans(params, pools),
        by=controller_name(),
        why=params["why"],
    )
    if module.check_mode:
        return _predicted(module, order, predict_pool_evacuation(driver, order), approval)
    with StopWatch(Path(module.tmpdir)) as stop:
        report = evacuate_pools(driver, order, progress, stop)
    return _done(module, order, report, approval)


def _predicted(module: AnsibleModule, order: PoolOrder, found: PoolPrediction, approval: Approval) -> dict[str, Any]:
    moves = found.moves
    migrations = with_prechecks(moves)
    acts = bool(moves.checks or moves.under_way)
    pools = pool_results(order.pools, moves.site, found.states, found.contents)
    remaining = needed_as_remaining(found.needed, moves.site)
    run = PoolRunResult(
        changed=acts or bool(found.deleted) or any(pool.state != pool.state_before for pool in pools),
        plan=moves.plan,
        migrations=migrations,
        unplaced=unplaced_results(moves.unplaced),
        remaining=found.contents,
        pools=pools,
        deleted=found.deleted,
        stats=stats_of(moves.plan, unplaced=len(moves.unplaced), remaining=remaining),
        warning_reasons=site_warnings(moves.site) + moves.plan.warnings + moves.warnings + approval.warnings + leftover_warnings(found.contents),
    )
    result = as_result(run)
    if module._diff:
        result["diff"] = placement_diff(pool_rows(pools) + placements(migrations if acts else (), predicted=True))
    if not found.ok:
        nothing = "" if acts or not moves.unplaced else " and nothing would be moved"
        what = f"{', '.join(order.pools)} would not be empty{nothing}"
        raise failure_of(what, result, unplaced=moves.unplaced, migrations=migrations, remaining=remaining, predicted=True)
    return result


def _done(module: AnsibleModule, order: PoolOrder, report: PoolReport, approval: Approval) -> dict[str, Any]:
    ran = report.run
    migrations = migration_results(report.plan, ran.outcomes)
    pools = pool_results(order.pools, report.before, report.states, report.contents)
    remaining = needed_as_remaining(report.needed, report.after)
    run = PoolRunResult(
        changed=report.changed,
        plan=report.plan,
        migrations=migrations,
        unplaced=unplaced_results(ran.unplaced),
        remaining=report.contents,
        pools=pools,
        deleted=report.deleted,
        stats=stats_of(report.plan, ran.outcomes, len(ran.unplaced), remaining, ran.ended_at - ran.started_at),
        warning_reasons=site_warnings(report.before)
        + ran.warnings
        + approval.warnings
        + leftover_warnings(report.contents)
        + _soft(migrations)
        + report.unsettled,
        stopped_by=ran.stopped_by,
    )
    result = as_result(run)
    if report.stop_requested_by:
        result["stop_requested_by"] = report.stop_requested_by
    if module._diff:
        result["diff"] = placement_diff(pool_rows(pools) + placements(migrations, predicted=False))
    keep_long_form(module.params["result_file"], result)
    if not report.ok:
        what = _what_is_left(order, pools, nothing_moved=bool(ran.unplaced) and not ran.outcomes)
        raise failure_of(what, result, stopped_by=ran.stopped_by, unplaced=ran.unplaced, migrations=migrations, remaining=remaining, unsettled=report.unsettled)
    return result


def _what_is_left(order: PoolOrder, pools: tuple[PoolResult, ...], *, nothing_moved: bool) -> str:
    left = ", ".join(f"{pool.id}: {pool.volumes_needed} volume(s) that VMs need are still there" for pool in pools if pool.volumes_needed)
    left = left or f"{', '.join(order.pools)}: not all was done"
    return f"{left}; nothing was moved, because allow_partial is not given" if nothing_moved and not order.allow_partial else left


def _soft(migrations: tuple[MigrationResult, ...]) -> tuple[Reason, ...]:
    """Warnings of moves that were made."""
    return tuple(reason for entry in migrations if entry.phase is Phase.DONE for reason in entry.reasons if not reason.blocks)


def _open(module: AnsibleModule, driver: Driver, pools: tuple[str, ...]) -> dict[str, Any]:
    site = driver.snapshot(LIGHT)
    check_pools(site, pools)
    before = {name: site.pool_by_id[name].maintenance.state for name in pools}
    closed = tuple(name for name in pools if before[name] is not MaintenanceState.AVAILABLE)
    held = emptied_pools(driver, closed) if closed else ()
    if held:
        text = f"pools: {', '.join(held)} is being emptied by another run."
        raise OperationInProgress(text, hint="Ask it to stop with state: cancelled, or wait for its end.")
    if not module.check_mode:
        for name in closed:
            driver.set_pool_maintenance(name, Maintenance())
    return _states(module, tuple(PoolResult(name, "available", before[name].value) for name in pools), changed=bool(closed))


def _cancel(module: AnsibleModule, driver: Driver, pools: tuple[str, ...]) -> dict[str, Any]:
    held = emptied_pools(driver, pools)
    notes = driver.snapshot(LIGHT).pool_by_id
    unasked = tuple(name for name in held if not notes[name].maintenance.stop_by)
    if not module.check_mode:
        for name in unasked:
            request_pool_stop(driver, name, controller_name())
    states = {name: notes[name].maintenance.state.value for name in pools}
    result = _states(module, tuple(PoolResult(name, states[name], states[name]) for name in pools), changed=bool(unasked))
    idle = ", ".join(f"{name} ({states[name]})" for name in pools if name not in held)
    asked = f"Asked to stop: {', '.join(held)}." if held else ""
    result["msg"] = " ".join(filter(None, [asked, f"Not being emptied: {idle}." if idle else ""]))
    return result


def _states(module: AnsibleModule, pools: tuple[PoolResult, ...], *, changed: bool) -> dict[str, Any]:
    result = as_result(PoolRunResult(changed=changed, pools=pools))
    if module._diff:
        result["diff"] = placement_diff(pool_rows(pools))
    return result
