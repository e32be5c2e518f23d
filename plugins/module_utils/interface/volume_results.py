# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a detached volume's move, in the form of a VM's."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..model.outcome import RunReport
from ..model.plan import Plan
from ..model.pool import Volume
from .host_results import with_prechecks
from .prediction import Prediction
from .result_form import RunResult
from .results import as_result, full, migration_results, placement_diff, placements, site_warnings, stats_of, unplaced_results
from .verdict import failure_of, keep_long_form


def volume_predicted(module: AnsibleModule, volume: Volume, found: Prediction) -> dict[str, Any]:
    """What a run would do. Raises Failure where it could not be done."""
    migrations = with_prechecks(found)
    run = RunResult(
        changed=bool(found.plan.migrations),
        plan=found.plan,
        migrations=migrations,
        unplaced=unplaced_results(found.unplaced),
        stats=stats_of(found.plan, unplaced=len(found.unplaced)),
        warning_reasons=site_warnings(found.site),
    )
    result = _result(run, volume)
    if module._diff:
        result["diff"] = placement_diff(placements(migrations, predicted=True))
    if not found.ok:
        raise failure_of(f"Volume {volume.id} would stay where it is", result, unplaced=found.unplaced, migrations=migrations, predicted=True)
    return result


def volume_done(module: AnsibleModule, volume: Volume, plan: Plan, ran: RunReport | None) -> dict[str, Any]:
    """What was done; ``ran`` None: nothing had to be. Raises Failure where the volume is not where it should be."""
    if ran is None:
        return _result(RunResult(changed=False, plan=plan), volume)
    migrations = migration_results(plan, ran.outcomes)
    run = RunResult(
        changed=any(outcome.changed for outcome in ran.outcomes),
        plan=plan,
        migrations=migrations,
        unplaced=unplaced_results(ran.unplaced),
        stats=stats_of(plan, ran.outcomes, len(ran.unplaced), (), ran.ended_at - ran.started_at),
        warning_reasons=tuple(reason for entry in migrations for reason in entry.reasons if not reason.blocks),
        stopped_by=ran.stopped_by,
    )
    result = _result(run, volume)
    if module._diff:
        result["diff"] = placement_diff(placements(migrations, predicted=False))
    keep_long_form(module.params["result_file"], result)
    if not ran.ok:
        raise failure_of(f"Volume {volume.id} is where it was", result, stopped_by=ran.stopped_by, unplaced=ran.unplaced, migrations=migrations)
    return result


def _result(run: RunResult, volume: Volume) -> dict[str, Any]:
    return {**{name: value for name, value in as_result(run).items() if name not in ("hosts", "remaining")}, "vm": None, "volume": full(volume)}
