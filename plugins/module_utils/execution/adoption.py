# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an earlier run left behind: moves still in flight are waited for, moves that ended unwatched are verified and finished."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ..drivers.driver import InFlight, Job, Scope
from ..model.errors import MigrationError
from ..model.event import EventKind
from ..model.migration import Migration, MigrationType, Mode, VolumeMove
from ..model.note import ClaimKind, NotePhase, VmNote
from ..model.outcome import Outcome
from ..model.progress import Phase
from ..model.reason import Reason, hard
from ..model.site import Site
from ..model.vm import Vm
from .claims import LIFETIME_SECONDS
from .foreign import wait_for_foreign
from .move import report_end
from .operation import RunContext
from .settle import Settled, settle, watch_and_settle
from .watch import Ending, WatchResult

WAIT_STEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Adoption:
    """Work for the scheduler that is not in the plan: the migration as its note tells it, and what to do."""

    migration: Migration
    work: Callable[[], Outcome]


def adoptions(context: RunContext, hosts: frozenset[str], site: Site, vms: frozenset[str] | None = None) -> tuple[Adoption, ...]:
    """Everything under way that concerns these hosts (and only these VMs, if given).

    Ours, whose own controller is dead or gone: in flight, or ended and not finished. A move of others is only waited for; so is that of a run which
    still claims its VM, and it is finished here where that run turns out to be dead.
    """
    flights = [flight for flight in context.driver.in_flight() if vms is None or flight.vm in vms]
    found = []
    for flight in flights:
        note = flight.note
        if not {flight.source_host, flight.target_host} & hosts:
            continue
        if note is None:
            found.append(_of_others(context, flight))
        elif _take(context, flight.vm, note) is None:
            found.append(_in_flight(context, flight, note))
        else:
            found.append(_of_another_run(context, flight, note))
    flying = {flight.vm for flight in flights}
    for vm in site.vms:
        note = vm.note
        if note is None or note.phase is not NotePhase.MOVING or vm.id in flying or not {note.source, note.target} & hosts:
            continue
        if vm.host not in (note.source, note.target) or (vms is not None and vm.id not in vms):
            continue  # somebody else has moved it since, or it is not asked for
        found.append(_unfinished(context, vm, note))
    return tuple(found)


def migration_of(vm_id: str, vm_name: str, memory_mib: int, note: VmNote) -> Migration:
    """The migration that a note speaks of."""
    return Migration(
        id=f"adopted-{vm_id}",
        vm=vm_id,
        vm_name=vm_name,
        source_host=note.source,
        target_host=note.target,
        type=MigrationType(note.migration_type),
        mode=Mode(note.mode),
        memory_mib=memory_mib,
        volumes=tuple(VolumeMove(way.device, way.source_pool, way.target_pool, device=way.device, format=way.format) for way in note.volumes),
    )


def _take(context: RunContext, vm_id: str, note: VmNote) -> Reason | None:
    """Take the VM over, with the memory that the dead controller had claimed for it: not asked for again, because it is in use already."""
    try:
        refused = context.keeper.take(ClaimKind.VM, note.source, vm_id)
    except MigrationError as error:
        return hard(error.code, error.message, error.hint)
    if refused is None and note.migration_type != MigrationType.STORAGE.value and note.mode != Mode.OFFLINE.value:
        with suppress(MigrationError):
            context.keeper.take(ClaimKind.MEMORY, note.target, vm_id, note.reserved_memory_mib)
    return refused


def _take_in_time(context: RunContext, migration: Migration, note: VmNote) -> Reason | None:
    """The same for a move that is over: a run that lives finishes it in a moment, and the claim of one that is dead but cannot be looked up from here
    becomes stale. Either way the wait has an end.
    """
    until = time.monotonic() + max(context.options.claim_wait_seconds, LIFETIME_SECONDS + 5)
    told = False
    while True:
        refused = _take(context, migration.vm, note)
        if refused is None or refused.code != "operation_in_progress" or time.monotonic() >= until or context.stop():
            return refused
        if not told:
            context.tell(EventKind.WAITING, migration, refused.message)
            told = True
        time.sleep(WAIT_STEP_SECONDS)


def _of_others(context: RunContext, flight: InFlight) -> Adoption:
    migration = _flying(flight)

    def work() -> Outcome:
        started = context.driver.clock.now()
        return report_end(context, migration, wait_for_foreign(context, migration), started, ())

    return Adoption(migration, work)


def _of_another_run(context: RunContext, flight: InFlight, note: VmNote) -> Adoption:
    """A run's that still claims the VM. It may be dead all the same, where its process cannot be looked up from here."""
    migration = _flying(flight)

    def work() -> Outcome:
        started = context.driver.clock.now()
        waited = wait_for_foreign(context, migration)
        still_flies = any(reason.code == "foreign_migration" and reason.blocks for reason in waited.reasons)
        finished = None if still_flies else _finished(context, migration, note, migration.source_host)
        return report_end(context, migration, waited, started, ()) if finished is None else _end(context, migration, finished, note)

    return Adoption(migration, work)


def _in_flight(context: RunContext, flight: InFlight, note: VmNote) -> Adoption:
    migration = migration_of(flight.vm, flight.vm_name, flight.memory_mib or note.reserved_memory_mib, note)

    def work() -> Outcome:
        context.tell(EventKind.ADOPTED, migration, f"started by operation {note.operation_id}; waiting for it")
        job: Job = context.driver.adopt(flight)
        return _end(context, migration, watch_and_settle(context, job), note)

    return Adoption(migration, work)


def _unfinished(context: RunContext, vm: Vm, note: VmNote) -> Adoption:
    migration = migration_of(vm.id, vm.name, vm.memory_mib, note)

    def work() -> Outcome:
        finished = _finished(context, migration, note, vm.host)
        if finished is None:  # by the run that had begun it
            arrived = _look(context, migration)
            host = arrived.host if arrived is not None else ""
            finished = Settled(Phase.DONE if host == migration.target_host else Phase.FAILED, host)
        return _end(context, migration, finished, note)

    return Adoption(migration, work)


def _finished(context: RunContext, migration: Migration, note: VmNote, host: str) -> Settled | None:
    """Verify and finish a move that its run left behind; None where that run has done so in the meantime. ``host`` is where the VM was seen last."""
    refused = _take_in_time(context, migration, note)
    vm = _look(context, migration)
    if vm is not None and (vm.note is None or vm.note.operation_id != note.operation_id or vm.note.phase is not NotePhase.MOVING):
        context.keeper.give_back(migration.vm, ClaimKind.VM, ClaimKind.MEMORY)
        return None
    if refused is not None:
        return Settled(Phase.FAILED, host, (refused,))
    context.tell(EventKind.ADOPTED, migration, f"left unfinished by operation {note.operation_id}; verifying it")
    settled = settle(context, migration, note, WatchResult(Ending.ENDED))
    if settled is None:
        settled = watch_and_settle(
            context, context.driver.adopt(InFlight(migration.vm, migration.vm_name, note.source, note.target, migration.memory_mib, note))
        )
    return settled


def _look(context: RunContext, migration: Migration) -> Vm | None:
    """The VM as it is now, on either end."""
    both = frozenset({migration.source_host, migration.target_host})
    return context.driver.snapshot(Scope(vms=frozenset({migration.vm}), hosts=frozenset(), only_hosts=both)).vm_by_id.get(migration.vm)


def _flying(flight: InFlight) -> Migration:
    return Migration(f"foreign-{flight.vm}", flight.vm, flight.vm_name, flight.source_host, flight.target_host, memory_mib=flight.memory_mib)


def _end(context: RunContext, migration: Migration, settled: Settled, note: VmNote) -> Outcome:
    context.keeper.give_back(migration.vm, ClaimKind.VM, ClaimKind.MEMORY)
    return report_end(context, migration, settled, note.started_at, (), adopted=True)
