# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the move of one VM to end: a living run is asked and waited for, a dead run's move is taken over and aborted, others' moves are left alone."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..drivers.driver import Driver, InFlight, Scope
from ..model.errors import MigrationError, OperationInProgress, StateConflict
from ..model.event import Reporter
from ..model.note import ClaimKind, NotePhase, VmNote
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from .adoption import migration_of
from .claims import ClaimKeeper
from .operation import CurrentSite, RunContext, StopSignal, Tally, new_operation
from .settle import settle, watch_and_settle
from .watch import Ending, WatchResult

LOOK_SECONDS = 0.5
LEAST_WAIT_SECONDS = 90.0
"""How long a move may take from the request to its end: an abort that waits for a silent peer takes half a minute."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What came of it: the VM as it is now, and whether a move was aborted."""

    vm: Vm
    changed: bool = False


def cancel_move(driver: Driver, vm_name: str, options: MoveOptions, report: Reporter, stop: StopSignal, *, check_mode: bool = False) -> Cancelled:
    """Abort the VM's move, if it has one of ours. Without one, nothing changes.

    Raises StateConflict (``foreign_migration``) for a move of others, (``past_return``) for one that has switched already, and OperationInProgress where
    the run that moves it does not come to an end in time.
    """
    vm = _look(driver, vm_name)
    flight = next((found for found in driver.in_flight() if found.vm == vm.id), None)
    if flight is not None and not flight.is_ours:
        text = f"VM {vm.name} is being migrated from {flight.source_host} to {flight.target_host or 'another host'} by somebody else."
        raise StateConflict(text, code="foreign_migration", hint="Whoever started it can end it; this collection never cancels moves of others.")
    note = flight.note if flight is not None else vm.note
    if note is None or note.phase is not NotePhase.MOVING:
        return Cancelled(vm)
    if check_mode:
        return Cancelled(vm, changed=True)
    operation = new_operation()
    with ClaimKeeper(driver, operation.id, operation.controller) as keeper:
        refused = keeper.take(ClaimKind.CANCEL, note.source, vm.id)
        if refused is not None:
            raise OperationInProgress(refused.message, hint="Another run asks for the same already.")
        context = RunContext(driver, CurrentSite(_site(driver, vm.id)), PlanRequest((vm.id,)), options, operation, keeper, report, stop, Tally(1))
        return _ended(context, vm, note)


def _ended(context: RunContext, vm: Vm, note: VmNote) -> Cancelled:
    """Wait until the living run has aborted its move, or abort it here once nobody stands behind it."""
    until = time.monotonic() + max(context.options.claim_wait_seconds, LEAST_WAIT_SECONDS)
    while True:
        refused = context.keeper.take(ClaimKind.VM, note.source, vm.id)
        if refused is None:
            break
        if time.monotonic() > until or context.stop():
            raise OperationInProgress(f"The move of VM {vm.name} has not ended yet. {refused.message}", hint="It was asked to end; look again later.")
        time.sleep(LOOK_SECONDS)
    now = _look(context.driver, vm.id)
    if now.note is not None and now.note.phase is NotePhase.MOVING and now.note.operation_id == note.operation_id:
        _abort(context, now, note)
        now = _look(context.driver, vm.id)
    if _has_arrived(now, note):
        where = note.target if note.target != note.source else ", ".join(sorted({volume.target_pool for volume in note.volumes}))
        text = f"The move of VM {vm.name} could not be cancelled any more: it has arrived on {where}."
        raise StateConflict(text, code="past_return", hint="Move it back, if it shall not be there.")
    return Cancelled(now, changed=True)


def _has_arrived(vm: Vm, note: VmNote) -> bool:
    """True where the VM, or with a move on one host each of its noted disks, is where the move was to bring it."""
    if note.target != note.source:
        return vm.host == note.target
    pools = {volume.device: volume.pool for volume in vm.volumes}
    return bool(note.volumes) and all(pools.get(volume.device) == volume.target_pool for volume in note.volumes)


def _abort(context: RunContext, vm: Vm, note: VmNote) -> None:
    """Take over what a dead run has left, abort it, and put things back as they were."""
    flight = next((found for found in context.driver.in_flight() if found.vm == vm.id and found.is_ours), None)
    migration = migration_of(vm.id, vm.name, vm.memory_mib, note)
    if flight is not None:
        job = context.driver.adopt(InFlight(flight.vm, flight.vm_name, flight.source_host, flight.target_host, flight.memory_mib, flight.note))
        context.driver.cancel(job)
        settled = watch_and_settle(context, job)
    else:
        found = settle(context, migration, note, WatchResult(Ending.ENDED))
        if found is None:
            raise OperationInProgress(f"The move of VM {vm.name} goes on.", hint="Run the task again.")
        settled = found
    left = [reason for reason in settled.reasons if reason.code == "whereabouts_unknown"]
    if left:
        raise MigrationError(left[0].message, code=left[0].code, hint=left[0].hint)


def _site(driver: Driver, vm_id: str) -> Site:
    return driver.snapshot(Scope(vms=frozenset({vm_id}), hosts=frozenset()))


def _look(driver: Driver, vm_name: str) -> Vm:
    return driver.snapshot(Scope(vms=frozenset({vm_name}), hosts=frozenset())).find_vm(vm_name, "vm")
