# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``vm_migrate`` does: one VM's move, or its prediction in check mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..execution.cancelling import cancel_move
from ..execution.relocation import RelocationReport, relocate
from ..model.vm import Vm
from .host_results import with_prechecks
from .opening import open_site
from .prediction import Prediction, predict_relocation
from .progress import ProgressFile
from .ranges import check_numbers
from .relocating import relocation_request
from .requests import move_options
from .result_form import RunResult
from .results import as_result, identity, migration_results, placement_diff, placements, site_warnings, stats_of, unplaced_results
from .stopping import StopWatch
from .verdict import failure_of, keep_long_form


def vm_migrate(module: AnsibleModule) -> dict[str, Any]:
    """The module's result. Raises Failure with the result where the VM is not where it should be, and the errors of every floor below."""
    params = module.params
    check_numbers(params)
    if params["state"] == "cancelled":
        return _cancel(module)
    relocation_request(params)  # what cannot be right is told before any connection is made
    with open_site(params) as driver:
        wanted = relocation_request(params, driver.capabilities)
        options = move_options(params, driver.clock.now())
        if module.check_mode:
            vm, found = predict_relocation(driver, params["vm"], wanted, options)
            return predicted(module, vm, found)
        with StopWatch(Path(module.tmpdir)) as stop:
            report = relocate(driver, params["vm"], wanted, options, ProgressFile(Path(module.tmpdir)), stop)
    return done(module, report)


def _cancel(module: AnsibleModule) -> dict[str, Any]:
    """Ask the VM's move to end; a VM that is not being moved is well, and the answer says where it is."""
    params = module.params
    with open_site(params) as driver, StopWatch(Path(module.tmpdir)) as stop:
        options = move_options(params, driver.clock.now())
        ended = cancel_move(driver, params["vm"], options, ProgressFile(Path(module.tmpdir)), stop, check_mode=module.check_mode)
    result = _result(RunResult(changed=ended.changed), ended.vm)
    where = f"it is {ended.vm.power_state.value} on {ended.vm.host}"
    result["msg"] = f"The move of VM {ended.vm.name} was cancelled; {where}." if ended.changed else f"VM {ended.vm.name} is not being moved; {where}."
    return result


def predicted(module: AnsibleModule, vm: Vm, found: Prediction) -> dict[str, Any]:
    """The result of check mode. Raises Failure where the VM would stay where it is."""
    migrations = with_prechecks(found)
    run = RunResult(
        changed=bool(found.plan.migrations or found.under_way),
        plan=found.plan,
        migrations=migrations,
        unplaced=unplaced_results(found.unplaced),
        stats=stats_of(found.plan, unplaced=len(found.unplaced)),
        warning_reasons=site_warnings(found.site) + found.plan.warnings + found.warnings,
    )
    result = _result(run, vm)
    if module._diff:
        result["diff"] = placement_diff(placements(migrations, predicted=True))
    if not found.ok:
        raise failure_of(f"VM {vm.name} would stay on {vm.host}", result, unplaced=found.unplaced, migrations=migrations, predicted=True)
    return result


def done(module: AnsibleModule, report: RelocationReport) -> dict[str, Any]:
    """The result of a run. Raises Failure where the VM is not where it should be."""
    ran = report.run
    migrations = migration_results(report.plan, ran.outcomes)
    run = RunResult(
        changed=report.changed,
        plan=report.plan,
        migrations=migrations,
        unplaced=unplaced_results(ran.unplaced),
        remaining=ran.remaining,
        stats=stats_of(report.plan, ran.outcomes, len(ran.unplaced), ran.remaining, ran.ended_at - ran.started_at),
        warning_reasons=site_warnings(report.before) + ran.warnings + tuple(reason for entry in migrations for reason in entry.reasons if not reason.blocks),
        stopped_by=ran.stopped_by,
    )
    result = _result(run, report.vm)
    if module._diff:
        result["diff"] = placement_diff(placements(migrations, predicted=False))
    keep_long_form(module.params["result_file"], result)
    if not report.ok:
        what = f"VM {report.vm.name} is on {report.vm.host}"
        raise failure_of(what, result, stopped_by=ran.stopped_by, unplaced=ran.unplaced, migrations=migrations, remaining=ran.remaining)
    return result


def _result(run: RunResult, vm: Vm) -> dict[str, Any]:
    """A drain's result without what only hosts have."""
    return {**{name: value for name, value in as_result(run).items() if name not in ("hosts", "remaining")}, "vm": identity(vm)}
