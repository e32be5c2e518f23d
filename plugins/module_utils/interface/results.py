# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and outcomes as the result of a module: plain data with every field present, the warnings as texts, and the placement before and after."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..model.host import HostState
from ..model.migration import Migration, VolumeMove
from ..model.outcome import Outcome, Remaining
from ..model.plan import Plan, Unplaced
from ..model.progress import Phase
from ..model.reason import Reason, blocking, warning
from ..model.site import Site
from ..model.vm import Vm
from .files import write_text
from .plan_view import candidate_counts, other_candidates
from .result_form import MigrationResult, PoolRunResult, RunResult, Stats, UnplacedResult

CANDIDATES_SHOWN = 5
WARNINGS_PER_CODE = 5


def full(value: Any) -> Any:
    """JSON data of a model value with every field present, those that hold their default too: playbooks shall not have to guess."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: full(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): full(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [full(item) for item in value]
    return value


def identity(vm: Vm) -> dict[str, Any]:
    """A VM in short."""
    return {"id": vm.id, "name": vm.name, "host": vm.host, "power_state": vm.power_state.value, "memory_mib": vm.memory_mib}


def as_result(run: RunResult | PoolRunResult) -> dict[str, Any]:
    """The result of a module. The reasons per candidate stand once, under ``unplaced``, and not again within the plan."""
    if run.plan is not None:
        bare = tuple(dataclasses.replace(unplaced, candidates={}) for unplaced in run.plan.unplaced)
        run = dataclasses.replace(run, plan=dataclasses.replace(run.plan, unplaced=bare))
    result: dict[str, Any] = full(run)
    result["warnings"] = warning_texts(run.warning_reasons)
    return result


def migration_results(plan: Plan | None, outcomes: Sequence[Outcome] = ()) -> tuple[MigrationResult, ...]:
    """One entry per VM: the plan's moves with their outcomes (in check mode there are none), then outcomes of moves that were not in the plan."""
    by_vm = {outcome.vm: outcome for outcome in outcomes}
    planned = plan.migrations if plan else ()
    entries = [_entry(migration, by_vm.pop(migration.vm, None)) for migration in planned]
    return tuple(entries) + tuple(_entry(None, outcome) for outcome in outcomes if outcome.vm in by_vm)


def _entry(migration: Migration | None, outcome: Outcome | None) -> MigrationResult:
    if outcome is None:
        if migration is None:
            raise ValueError("neither a migration nor an outcome")
        return MigrationResult(
            vm=migration.vm,
            vm_name=migration.vm_name,
            source_host=migration.source_host,
            target_host=migration.target_host,
            host=migration.source_host,
            phase=Phase.PLANNED,
            type=migration.type,
            mode=migration.mode,
            why=migration.why,
            reasons=migration.warnings,
            expected_seconds=migration.expected_seconds,
            expected_downtime_ms=migration.expected_downtime_ms,
            volumes=_moving(migration),
        )
    last = outcome.attempts[-1].target_host if outcome.attempts else ""
    entry = MigrationResult(
        vm=outcome.vm,
        vm_name=outcome.vm_name,
        source_host=outcome.source_host,
        target_host=last or (migration.target_host if migration else outcome.host),
        host=outcome.host,
        phase=outcome.phase,
        changed=outcome.changed,
        adopted=outcome.adopted,
        foreign=outcome.foreign,
        reasons=outcome.reasons,
        attempts=outcome.attempts,
        started_at=outcome.started_at or None,
        ended_at=outcome.ended_at or None,
        seconds=_rounded(outcome.ended_at - outcome.started_at) if outcome.started_at and outcome.ended_at else None,
        downtime_ms=outcome.downtime_ms,
        transferred_bytes=outcome.transferred_bytes,
    )
    if migration is None:
        return entry
    return dataclasses.replace(
        entry,
        type=migration.type,
        mode=migration.mode,
        why=migration.why,
        expected_seconds=migration.expected_seconds,
        expected_downtime_ms=migration.expected_downtime_ms,
        volumes=_moving(migration),
    )


def _moving(migration: Migration) -> tuple[VolumeMove, ...]:
    return tuple(move for move in migration.volumes if move.moves)


def unplaced_results(unplaced: Iterable[Unplaced]) -> tuple[UnplacedResult, ...]:
    """VMs without a place, with the reasons of the first candidates and counts over all of them."""
    return tuple(
        UnplacedResult(
            vm=entry.vm,
            vm_name=entry.vm_name,
            host=entry.host,
            reasons=entry.reasons,
            # Where a reason holds wherever it might go, the hosts would only repeat it.
            candidates={} if blocking(entry.reasons) else dict(sorted(other_candidates(entry).items())[:CANDIDATES_SHOWN]),
            candidate_counts=candidate_counts(entry),
            candidates_total=len(other_candidates(entry)),
        )
        for entry in unplaced
    )


def stats_of(
    plan: Plan | None, outcomes: Sequence[Outcome] = (), unplaced: int = 0, remaining: Sequence[Remaining] = (), seconds: float | None = None
) -> Stats:
    """Figures of a plan and, where it was run (``seconds`` is not None), of the run."""
    downtimes = [outcome.downtime_ms for outcome in outcomes if outcome.downtime_ms is not None]
    return Stats(
        planned_moves=len(plan.migrations) if plan else 0,
        done=sum(outcome.ok for outcome in outcomes),
        failed=sum(outcome.phase in (Phase.FAILED, Phase.CANCELLED, Phase.UNKNOWN) and not outcome.foreign for outcome in outcomes),
        adopted=sum(outcome.adopted for outcome in outcomes),
        foreign=sum(outcome.foreign for outcome in outcomes),
        unplaced=unplaced,
        remaining=len(remaining),
        planned_makespan_seconds=_rounded(plan.makespan_seconds) if plan else 0.0,
        makespan_seconds=None if seconds is None else _rounded(seconds),
        lower_bound_seconds=_rounded(plan.lower_bound_seconds) if plan else 0.0,
        gap_percent=_rounded(plan.gap_percent) if plan else 0.0,
        planned_bytes=plan.bytes_to_copy if plan else 0,
        transferred_bytes=None if seconds is None else sum(outcome.transferred_bytes for outcome in outcomes),
        longest_downtime_ms=max(downtimes, default=None),
    )


def placement_diff(rows: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Ansible's diff of ``(what, before, after)``: one line each, only where they differ, so that thousands of untouched VMs say nothing."""
    changed = sorted(row for row in rows if row[1] != row[2])
    return {
        "before_header": "placement",
        "after_header": "placement",
        "before": "".join(f"{what}: {before}\n" for what, before, _after in changed),
        "after": "".join(f"{what}: {after}\n" for what, _before, after in changed),
    }


def placements(migrations: Iterable[MigrationResult], *, predicted: bool) -> list[tuple[str, str, str]]:
    """Rows for ``placement_diff``: where each VM was and is, and each volume that changes its pool; ``predicted``: where they would be after the move."""
    entries = list(migrations)
    names = Counter(entry.vm_name for entry in entries)
    rows = []
    for entry in entries:
        name = entry.vm_name if names[entry.vm_name] == 1 else f"{entry.vm_name} ({entry.vm})"
        rows.append((name, entry.source_host, entry.target_host if predicted else entry.host))
        for move in entry.volumes:
            there = predicted or entry.phase is Phase.DONE
            rows.append((f"{name} {move.device or move.volume}", move.source_pool or "", (move.target_pool if there else move.source_pool) or ""))
    return rows


def site_warnings(site: Site) -> tuple[Reason, ...]:
    """The snapshot's own warnings, and one for each host that did not answer: it is left out, and an operator must hear of it."""
    told = " ".join(reason.message for reason in site.warnings if reason.code == "host_unreachable")
    silent = [host for host in site.hosts if host.state is HostState.UNREACHABLE and host.name not in told]
    return site.warnings + tuple(
        warning("host_unreachable", f"Host {host.name} does not answer and is left out: {host.state_reason or 'no reason given'}.") for host in silent
    )


def warning_texts(reasons: Iterable[Reason]) -> list[str]:
    """Warnings for people: each text once, and of one code only the first few with a count of the others."""
    by_code: dict[str, list[str]] = {}
    for reason in dict.fromkeys(reasons):
        by_code.setdefault(reason.code, []).append(f"{reason} {reason.hint}".strip())
    texts: list[str] = []
    for code, found in by_code.items():
        distinct = list(dict.fromkeys(found))
        texts += distinct[:WARNINGS_PER_CODE]
        if len(distinct) > WARNINGS_PER_CODE:
            texts.append(f"{code}: and {len(distinct) - WARNINGS_PER_CODE} more of this kind")
    return texts


def write_long_form(path: str, result: Mapping[str, Any]) -> None:
    """Write the whole result, unshortened, as a JSON file. Raises InputError where it cannot be written."""
    write_text(Path(path).expanduser(), json.dumps(result, indent=1, default=str) + "\n", "result_file")


def _rounded(value: float) -> float:
    return round(value, 3)
