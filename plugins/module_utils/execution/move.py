# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole life of one planned move: attempts on its target and, when that fails, on the next ones. The VM is never stopped."""

from __future__ import annotations

import dataclasses

from ..drivers.driver import Scope
from ..model.errors import MigrationError
from ..model.event import EventKind
from ..model.migration import Migration, MigrationType
from ..model.outcome import Attempt, Outcome
from ..model.progress import Phase
from ..model.reason import Reason
from ..planning.planner import plan_to
from ..planning.targets import find_targets
from .attempt import attempt
from .operation import RunContext
from .settle import Settled

KINDS = {Phase.DONE: EventKind.DONE, Phase.CANCELLED: EventKind.CANCELLED}


def move(context: RunContext, migration: Migration) -> Outcome:
    """Move one VM, trying up to ``retries`` further targets."""
    started = context.driver.clock.now()
    attempts: list[Attempt] = []
    tried: set[str] = set()
    current: Migration = migration
    while True:
        tried.add(current.target_host)
        began = context.driver.clock.now()
        settled = attempt(context, current)
        attempts.append(Attempt(current.target_host, settled.phase, began, context.driver.clock.now(), settled.reasons))
        if not settled.try_elsewhere or len(tried) > context.options.retries or context.stop():
            break
        following = _next_target(context, current, tried)
        if following is None:
            break
        context.tell(EventKind.RETRY, following, _first(settled.reasons))
        current = following
    return report_end(context, current, settled, started, tuple(attempts))


def report_end(
    context: RunContext,
    migration: Migration,
    settled: Settled,
    started: float,
    attempts: tuple[Attempt, ...],
    *,
    adopted: bool = False,
) -> Outcome:
    """The outcome of a settled move, also told as an event."""
    context.tally.count_one()
    kind = KINDS.get(settled.phase, EventKind.FAILED)
    context.tell(kind, migration, _first(settled.reasons) if kind is not EventKind.DONE else "", settled.phase, settled.downtime_ms)
    return Outcome(
        migration_id=migration.id,
        vm=migration.vm,
        vm_name=migration.vm_name,
        source_host=migration.source_host,
        host=settled.host,
        phase=settled.phase,
        changed=settled.changed,
        adopted=adopted,
        foreign=any(reason.code in ("foreign_migration", "moved_by_others") for reason in settled.reasons),
        attempts=attempts,
        reasons=settled.reasons,
        started_at=started,
        ended_at=context.driver.clock.now(),
        downtime_ms=settled.downtime_ms,
        transferred_bytes=settled.transferred_bytes,
    )


def _next_target(context: RunContext, migration: Migration, tried: set[str]) -> Migration | None:
    """The best target of those that were not tried yet, by a fresh look at everything: the run's own view holds only light facts of this VM by now,
    read by another move while this one was under way.
    """
    try:
        site = context.driver.snapshot(Scope(vms=frozenset({migration.vm}), hosts=frozenset()))
    except MigrationError:
        return None
    vm = site.vm_by_id.get(migration.vm)
    if vm is None or vm.host != migration.source_host or migration.type is MigrationType.STORAGE:
        return None
    request = dataclasses.replace(context.request, vms=(vm.id,))
    for target in find_targets(site, vm, request):
        if target.suitable_for_migration and target.host not in tried:
            planned = plan_to(site, request, {vm.id: target.host}).migrations
            if planned:
                return dataclasses.replace(planned[0], id=migration.id, why=f"after {len(tried)} failed attempt(s): {target.why}")
    return None


def _first(reasons: tuple[Reason, ...]) -> str:
    return reasons[0].message if reasons else ""
