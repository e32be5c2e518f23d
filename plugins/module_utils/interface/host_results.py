# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of the answers of ``host_evacuate`` that its states and purposes share."""

from __future__ import annotations

import dataclasses
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.liveness import this_controller
from ..execution.evacuation import EvacuationReport
from ..model.progress import Phase
from ..model.reason import Reason
from .prediction import Prediction
from .result_form import HostResult, MigrationResult, RunResult
from .results import as_result, migration_results, placement_diff, placements, site_warnings, stats_of, unplaced_results
from .verdict import failure_of, keep_long_form


def controller_name() -> str:
    """Who acts, in words for people and for the notes on hosts: ``user@machine``."""
    controller = this_controller()
    return f"{controller.user or 'somebody'}@{controller.host or 'unknown'}"


def with_prechecks(found: Prediction) -> tuple[MigrationResult, ...]:
    """The planned moves with what the hypervisors said of each; a refused one has phase ``failed``."""
    said = {check.migration.vm: check for check in found.checks}
    entries = []
    for entry in migration_results(found.plan):
        check = said.get(entry.vm)
        refused = check is not None and check.refused
        reasons = entry.reasons + (check.reasons if check else ())
        if refused:
            reasons = tuple(sorted(reasons, key=lambda reason: not reason.blocks))
        entries.append(dataclasses.replace(entry, reasons=reasons, phase=Phase.FAILED if refused else entry.phase))
    return tuple(entries)


def host_rows(hosts: tuple[HostResult, ...]) -> list[tuple[str, str, str]]:
    """The rows of a diff: each host's state before and after."""
    return [(f"host {host.name}", host.state_before, host.state) for host in hosts]


def soft_reasons(migrations: tuple[MigrationResult, ...]) -> tuple[Reason, ...]:
    """Warnings of moves that were made, such as an autostart that could not be restored."""
    return tuple(reason for entry in migrations if entry.phase is Phase.DONE for reason in entry.reasons if not reason.blocks)


def states_result(module: AnsibleModule, hosts: tuple[HostResult, ...], *, changed: bool, warnings: tuple[Reason, ...] = ()) -> dict[str, Any]:
    """The answer where only the states of hosts were asked for."""
    result = as_result(RunResult(changed=changed, hosts=hosts, warning_reasons=warnings))
    if module._diff:
        result["diff"] = placement_diff(host_rows(hosts))
    return result


def predicted_result(module: AnsibleModule, found: Prediction, hosts: tuple[str, ...], warnings: tuple[Reason, ...], what: str) -> dict[str, Any]:
    """The answer of check mode. Raises Failure with it, beginning with ``what``, where not everything would be done."""
    migrations = with_prechecks(found)
    rows = tuple(HostResult(name, found.states[name].value, found.site.host_by_name[name].maintenance.state.value) for name in hosts)
    run = RunResult(
        changed=bool(found.checks or found.under_way) or any(row.state != row.state_before for row in rows),
        plan=found.plan,
        migrations=migrations,
        unplaced=unplaced_results(found.unplaced),
        remaining=found.remaining,
        hosts=rows,
        stats=stats_of(found.plan, unplaced=len(found.unplaced), remaining=found.remaining),
        warning_reasons=site_warnings(found.site) + found.plan.warnings + found.warnings + warnings,
    )
    result = as_result(run)
    if module._diff:
        result["diff"] = placement_diff(host_rows(rows) + placements(migrations, predicted=True))
    if not found.ok:
        raise failure_of(what, result, unplaced=found.unplaced, migrations=migrations, remaining=found.remaining, predicted=True)
    return result


def done_result(module: AnsibleModule, report: EvacuationReport, hosts: tuple[str, ...], warnings: tuple[Reason, ...], what: str) -> dict[str, Any]:
    """The answer after a run. Raises Failure with it, beginning with ``what``, where not everything was done."""
    ran = report.run
    migrations = migration_results(report.plan, ran.outcomes)
    rows = tuple(HostResult(name, report.states[name].value, report.before.host_by_name[name].maintenance.state.value) for name in hosts)
    run = RunResult(
        changed=report.changed,
        plan=report.plan,
        migrations=migrations,
        unplaced=unplaced_results(ran.unplaced),
        remaining=ran.remaining,
        hosts=rows,
        stats=stats_of(report.plan, ran.outcomes, len(ran.unplaced), ran.remaining, ran.ended_at - ran.started_at),
        warning_reasons=site_warnings(report.before) + ran.warnings + warnings + soft_reasons(migrations),
        stopped_by=ran.stopped_by,
    )
    result = as_result(run)
    if report.stop_requested_by:
        result["stop_requested_by"] = report.stop_requested_by
    if module._diff:
        result["diff"] = placement_diff(host_rows(rows) + placements(migrations, predicted=False))
    keep_long_form(module.params["result_file"], result)
    if not report.ok:
        raise failure_of(what, result, stopped_by=ran.stopped_by, unplaced=ran.unplaced, migrations=migrations, remaining=ran.remaining)
    return result
