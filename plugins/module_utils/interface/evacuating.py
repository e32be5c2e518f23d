# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``host_evacuate`` does, by its state; and the drain of hosts, with its prediction in check mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import Driver
from ..execution.evacuation import EvacuationOrder, EvacuationReport, evacuate
from ..model.errors import InputError
from ..model.host import MaintenanceState
from ..model.plan import Plan
from ..model.reason import Reason, warning
from ..model.request import OnFailure
from ..model.site import Site
from .approval import Approval
from .homecoming import return_vms
from .host_results import controller_name, host_rows, soft_reasons, with_prechecks
from .host_states import cancel_drains, open_hosts
from .opening import open_site, unique
from .prediction import Prediction, predict_evacuation
from .progress import ProgressFile
from .ranges import check_numbers
from .recovering import check_options, recover_vms
from .requests import Drain, move_options
from .result_form import HostResult, RunResult
from .results import as_result, migration_results, placement_diff, placements, site_warnings, stats_of, unplaced_results
from .stopping import StopWatch
from .verdict import failure_of, keep_long_form

_FINAL = {"evacuated": MaintenanceState.AVAILABLE, "maintenance": MaintenanceState.MAINTENANCE}


def host_evacuate(module: AnsibleModule) -> dict[str, Any]:
    """The module's result. Raises Failure with the result where not everything was done, and the errors of every floor below."""
    params = module.params
    check_numbers(params)
    hosts = unique(params["hosts"], "hosts")
    if not hosts:
        raise InputError("hosts", "no host is named.", code="no_hosts", hint="Name at least one host of the site.")
    check_options(params)
    with open_site(params) as driver:
        if params["purpose"] == "recover":
            return recover_vms(module, driver, hosts)
        if params["state"] == "available":
            return open_hosts(module, driver, hosts)
        if params["state"] == "cancelled":
            return cancel_drains(module, driver, hosts)
        if params["state"] == "returned":
            return return_vms(module, driver, hosts)
        return _drain(module, driver, hosts)


def _drain(module: AnsibleModule, driver: Driver, hosts: tuple[str, ...]) -> dict[str, Any]:
    params = module.params
    progress = ProgressFile(Path(module.tmpdir))

    def show(plan: Plan, _site: Site) -> None:
        progress.plan(plan, driver.clock.now())

    approval = Approval(params["approved_plan"], params["on_plan_change"], show)
    order = EvacuationOrder(
        hosts=hosts,
        final=_FINAL[params["state"]],
        choose=Drain(params, hosts, driver.capabilities),
        options=move_options(params, driver.clock.now()),
        on_failure=OnFailure(params["on_failure"]),
        allow_partial=params["allow_partial"],
        approve=approval,
        by=controller_name(),
        why=params["why"],
    )
    if module.check_mode:
        return _predicted(module, order, predict_evacuation(driver, order), approval)
    with StopWatch(Path(module.tmpdir)) as stop:
        report = evacuate(driver, order, progress, stop)
    return _done(module, order, report, approval)


def _predicted(module: AnsibleModule, order: EvacuationOrder, found: Prediction, approval: Approval) -> dict[str, Any]:
    migrations = with_prechecks(found)
    before = {name: found.site.host_by_name[name].maintenance.state for name in order.hosts}
    acts = bool(found.checks or found.under_way)
    hosts = tuple(HostResult(name, found.states[name].value, before[name].value) for name in order.hosts)
    run = RunResult(
        changed=acts or found.states != before,
        plan=found.plan,
        migrations=migrations,
        unplaced=unplaced_results(found.unplaced),
        remaining=found.remaining,
        hosts=hosts,
        stats=stats_of(found.plan, unplaced=len(found.unplaced), remaining=found.remaining),
        warning_reasons=site_warnings(found.site) + found.plan.warnings + found.warnings + approval.warnings + _off(found.site, order.hosts),
    )
    result = as_result(run)
    if module._diff:
        result["diff"] = placement_diff(host_rows(hosts) + placements(migrations if acts else (), predicted=True))
    if not found.ok:
        nothing = "" if acts or not found.unplaced else " and nothing would be moved"
        what = f"{', '.join(order.hosts)} would not be empty{nothing}"
        raise failure_of(what, result, unplaced=found.unplaced, migrations=migrations, remaining=found.remaining, predicted=True)
    return result


def _done(module: AnsibleModule, order: EvacuationOrder, report: EvacuationReport, approval: Approval) -> dict[str, Any]:
    ran = report.run
    migrations = migration_results(report.plan, ran.outcomes)
    hosts = tuple(_host_result(report, name) for name in order.hosts)
    run = RunResult(
        changed=report.changed,
        plan=report.plan,
        migrations=migrations,
        unplaced=unplaced_results(ran.unplaced),
        remaining=ran.remaining,
        hosts=hosts,
        stats=stats_of(report.plan, ran.outcomes, len(ran.unplaced), ran.remaining, ran.ended_at - ran.started_at),
        warning_reasons=site_warnings(report.before)
        + ran.warnings
        + approval.warnings
        + _off(report.before, order.hosts)
        + soft_reasons(migrations)
        + report.unsettled,
        stopped_by=ran.stopped_by,
    )
    result = as_result(run)
    if report.stop_requested_by:
        result["stop_requested_by"] = report.stop_requested_by
    if module._diff:
        result["diff"] = placement_diff(host_rows(hosts) + placements(migrations, predicted=False))
    keep_long_form(module.params["result_file"], result)
    if not report.ok:
        what = _what_is_left(order, hosts, nothing_moved=bool(ran.unplaced) and not ran.outcomes)
        raise failure_of(
            what, result, stopped_by=ran.stopped_by, unplaced=ran.unplaced, migrations=migrations, remaining=ran.remaining, unsettled=report.unsettled
        )
    return result


def _what_is_left(order: EvacuationOrder, hosts: tuple[HostResult, ...], *, nothing_moved: bool) -> str:
    left = ", ".join(f"{host.name}: {host.vms_left} VM(s) are still there" for host in hosts if host.vms_left) or f"{', '.join(order.hosts)}: not all was done"
    return f"{left}; nothing was moved, because allow_partial is not given" if nothing_moved and not order.allow_partial else left


def _host_result(report: EvacuationReport, name: str) -> HostResult:
    left = sum(vm.must_leave for vm in report.after.vms_by_host.get(name, ()))
    return HostResult(name, report.states[name].value, report.before.host_by_name[name].maintenance.state.value, left)


def _off(site: Site, hosts: tuple[str, ...]) -> tuple[Reason, ...]:
    """VMs that are off hold no memory and stay where they are defined: said, because they cannot be started while the host is down."""
    names = [vm.name for host in hosts for vm in site.vms_by_host.get(host, ()) if not vm.is_active]
    if not names:
        return ()
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (warning("vms_off_stay", f"{len(names)} VM(s) do not run and stay where they are: {shown}."),)
