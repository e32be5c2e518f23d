# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting, watching and aborting simulated migrations."""

from __future__ import annotations

import dataclasses

from ...model.errors import InputError, OperationInProgress, StateConflict
from ...model.intent import TimeoutAction
from ...model.migration import Mode, NetworkRole
from ...model.note import NotePhase, VmNote
from ...model.progress import Phase, Progress
from ..driver import InFlight, Job
from .advance import behaviour, rates_at
from .copying import MIB, bytes_to_come, dirty_bytes_s, planned_remaining, post_copied, suspended
from .disks import free_name, relocated, size_bytes
from .engine import Draft
from .faults import fault_key
from .moment import Moment
from .order import Order, subject_of
from .possible import IN_MEMORY, obstacles
from .possible_storage import find_volume
from .simulation import Fault, FaultKind
from .state import REVOCABLE, DiskTransfer, Move, Stage, State

PHASES = {
    Stage.CONNECTING: Phase.PREPARING,
    Stage.STOPPING: Phase.PREPARING,
    Stage.COPYING_DISKS: Phase.COPYING,
    Stage.COPYING: Phase.COPYING,
    Stage.SWITCHING: Phase.SWITCHING,
    Stage.POST_COPY: Phase.SWITCHING,
    Stage.RESUMING: Phase.SWITCHING,
    Stage.STARTING: Phase.SWITCHING,
    Stage.ARRIVED: Phase.VERIFYING,
    Stage.FAILED: Phase.FAILED,
    Stage.CANCELLED: Phase.CANCELLED,
}
ABORTED = "operation aborted: migration out job: canceled by client"


def begin(draft: Draft, order: Order) -> Move:
    """Start a migration. What the hypervisors refuse ends it a moment later, as with real ones. Raises the errors of ``model/errors.py``."""
    moment = draft.moment
    moment.require(order.source)
    running, name = moment.active_moves.get(order.subject), name_of(moment, order)
    if running is not None:
        raise OperationInProgress(f"{name} is on its way to {running.target} already.", hint="Wait for that migration.")
    if order.vm and moment.host_of(order.vm) != order.source:
        raise StateConflict(f"{name} is on {moment.host_of(order.vm)}, not on {order.source}.", hint="Take a fresh snapshot.")
    state = draft.state
    if state.first_start_at is None:
        state = dataclasses.replace(state, first_start_at=moment.at)
    against = next(obstacles(moment, order), None)
    doom = f"operation failed: {against.message}" if against else ""
    moment = Moment(moment.world, state)
    refusing = None if doom else _struck(moment, FaultKind.HOST_REFUSES, order)
    failing = None if doom or refusing else _struck(moment, FaultKind.MOVE_FAILS, order)
    if refusing:
        doom = refusing.message or f"operation failed: unable to connect to {order.target}: Connection refused"
    move = _move(moment, order, state.moves_made + 1, doom, failing)
    uses = dict(state.fault_uses)
    for fault in (refusing, failing):
        if fault is not None:
            uses[fault_key(fault)] = uses.get(fault_key(fault), 0) + 1
    others = tuple(other for other in state.moves if other.subject != order.subject or (other.disks and not other.settled))
    draft.state = dataclasses.replace(state, moves_made=state.moves_made + 1, moves=(*others, move), fault_uses=uses)
    return move


def name_of(moment: Moment, order: Order) -> str:
    """What is moved, as texts call it."""
    return f"VM {moment.world.vm(order.vm).name}" if order.vm else f"Volume {order.subject}"


def _struck(moment: Moment, kind: FaultKind, order: Order) -> Fault | None:
    return moment.disturbances.striking(moment.state, kind, order.subject, order.target, moment.at)


def _move(moment: Moment, order: Order, number: int, doom: str, failing: Fault | None) -> Move:
    disks = () if doom else transfers(moment, order)
    in_memory = bool(order.vm) and order.mode in (Mode.LIVE, Mode.SUSPENDED) and order.source != order.target
    memory_bytes = float(moment.world.vm(order.vm).memory_mib * MIB) if in_memory else 0.0
    whole_bytes = memory_bytes + sum(disk.size_bytes for disk in disks)
    return Move(
        id=f"move-{number}",
        vm=order.vm,
        source=order.source,
        target=order.target,
        started_at=moment.at,
        stage_since=moment.at,
        memory_bytes=memory_bytes,
        operation_id=order.operation_id,
        volume="" if order.vm else order.subject,
        type=order.type,
        mode=order.mode,
        network=NetworkRole.MIGRATION if order.network is NetworkRole.MIGRATION else NetworkRole.MANAGEMENT,
        cap_mib_s=order.cap_mib_s,
        copy_cap_mib_s=order.copy_cap_mib_s,
        max_downtime_ms=order.max_downtime_ms or moment.world.simulation.physics.max_downtime_ms,
        auto_converge=order.auto_converge,
        may_post_copy=order.may_post_copy,
        stops_guest=bool(order.vm) and order.mode is Mode.COLD and moment.power_state(order.vm) in IN_MEMORY,
        stop_seconds=_stop_seconds(moment, order),
        disks=disks,
        network_map=order.network_map,
        doom=doom,
        fails_at_bytes=whole_bytes * failing.at_percent / 100 if failing else -1.0,
        fails_with=(failing.message or "operation failed: migration out job: unexpectedly failed") if failing else "",
    )


def transfers(moment: Moment, order: Order) -> tuple[DiskTransfer, ...]:
    """The ways of an order's volumes, with the ids that they get in their new pools. Those that are impossible are left out."""
    found: list[DiskTransfer] = []
    for wanted in order.volumes:
        volume, target = find_volume(moment, order, wanted), moment.world.site.pool_by_id.get(wanted.target_pool or "")
        source = moment.world.site.pool_by_id.get(volume.pool or "") if volume else None
        if volume is None or source is None or target is None:
            continue
        wanted_id = relocated(volume.id, source, target)
        taken = moment.volume_ids | {disk.target_volume for disk in found}
        new_id = volume.id if wanted_id == volume.id else free_name(wanted_id, taken)
        size = float(size_bytes(volume))
        found.append(DiskTransfer(volume.id, new_id, source.id, target.id, size, volume.device or volume.id, wanted.format, order.flatten))
    return tuple(found)


def _stop_seconds(moment: Moment, order: Order) -> float:
    """How long the guest of a cold move takes to stop: it is ended when it has not shut down in the time that it may take."""
    if not order.vm:
        return 0.0
    vm, simulation = moment.world.vm(order.vm), moment.world.simulation
    guest = simulation.guests.get(vm.id) or simulation.guests.get(vm.name)
    needed = simulation.physics.shutdown_seconds if guest is None or guest.shutdown_seconds is None else guest.shutdown_seconds
    return min(needed, order.shutdown_seconds) if order.shutdown_seconds > 0 else needed


def abort(draft: Draft, job: Job) -> None:
    """Abort a migration that has not switched yet. Raises StateConflict past the point of no return, HostUnreachable."""
    moment, migration = draft.moment, job.migration
    moment.require(migration.source_host)
    move = move_of(moment, job)
    if move is None or move.stage in (Stage.FAILED, Stage.CANCELLED):
        return
    if move.stage not in REVOCABLE:
        raise StateConflict(f"The move of {migration.vm_name} to {migration.target_host} has switched already.", hint="Wait for its end.")
    aborted = move.ended(Stage.CANCELLED, moment.at, ABORTED)
    draft.state = with_move(draft.state, aborted)


def hurry(draft: Draft, job: Job, action: TimeoutAction) -> None:
    """Pause the guest of a live move, or let it run at its destination from now on. Raises StateConflict where that is not possible (any more)."""
    moment, migration = draft.moment, job.migration
    moment.require(migration.source_host)
    move = move_of(moment, job)
    if move is None or move.mode is not Mode.LIVE or not move.vm or move.stage not in REVOCABLE:
        raise StateConflict(f"The move of {migration.vm_name} cannot be brought to its end by {action.value}: it does not copy a guest that runs.")
    if action is TimeoutAction.SUSPEND:
        draft.state = with_move(draft.state, suspended(move, moment.at))
    elif action is TimeoutAction.POST_COPY and move.may_post_copy and move.stage is Stage.COPYING:
        draft.state = with_move(draft.state, post_copied(move, moment.world.simulation.physics, moment.at))
    elif action is TimeoutAction.POST_COPY:
        why = "it copies no memory yet" if move.may_post_copy else "it was started without post_copy"
        raise StateConflict(f"The move of {migration.vm_name} cannot be brought to its end by post_copy: {why}.")
    else:
        raise StateConflict(f"{action.value} does not bring a move to its end.")


def with_move(state: State, move: Move) -> State:
    """The state with that move in the place of its earlier self."""
    return dataclasses.replace(state, moves=tuple(move if other.id == move.id else other for other in state.moves))


def move_of(moment: Moment, job: Job) -> Move | None:
    """The move that a job stands for; None where the hypervisors have forgotten it over a later one."""
    move = moment.last_moves.get(subject_of(job.migration, job.note))
    if move is None or (move.source, move.target) != (job.note.source, job.note.target):
        return None
    return move if job.handle is None or job.handle == move.id else None


def sample(moment: Moment, job: Job) -> Progress:
    """How far a job has come. Raises HostUnreachable where its source does not answer."""
    moment.require(job.migration.source_host)
    move = move_of(moment, job)
    if move is None:
        return Progress(job.migration.id, Phase.UNKNOWN, ended=True, message="the job is gone", at=moment.at)
    rate = dict(zip((each.id for each in moment.state.moves), rates_at(moment.world, moment.disturbances, moment.state.moves, moment.at), strict=True))[move.id]
    guest = behaviour(moment.world, move.vm)
    to_come = bytes_to_come(move, guest, rate)
    arrived = move.stage is Stage.ARRIVED
    whole = move.sent_bytes + to_come
    return Progress(
        migration_id=job.migration.id,
        phase=PHASES[move.stage],
        percent=100.0 if arrived else round(100 * move.sent_bytes / whole, 1) if whole else 0.0,
        processed_bytes=int(move.sent_bytes),
        remaining_bytes=int(planned_remaining(move)),
        total_bytes=int(move.disk_bytes + move.memory_bytes),
        rate_mib_s=rate / MIB,
        dirty_rate_mib_s=dirty_bytes_s(move, guest) / MIB,
        expected_downtime_ms=1000 * move.dirtied_bytes / rate if rate > 0 and move.stage is Stage.COPYING else None,
        passes=max(0, move.iteration - 1),
        past_return=move.stage is Stage.POST_COPY,
        ended=not move.is_active,
        message=move.message,
        at=moment.at,
    )


def flights(moment: Moment) -> tuple[InFlight, ...]:
    """All migrations of VMs under way of which at least one end answers. A detached volume's copy is not among them: nobody adopts it, the next run makes it
    anew (``settling.put_note``).
    """
    found = []
    for move in moment.active_moves.values():
        if move.vm and (moment.answers(move.source) or moment.answers(move.target)):
            vm, note = moment.world.vm(move.vm), moment.vm(move.vm).note
            found.append(InFlight(vm.id, vm.name, move.source, move.target, vm.memory_mib, note if note and is_about(note, move) else None))
    return tuple(found)


def is_about(note: VmNote, move: Move) -> bool:
    """True where the note speaks of this very move, which makes the move ours."""
    return note.phase is NotePhase.MOVING and (note.source, note.target) == (move.source, move.target)


def check_order(moment: Moment, order: Order) -> None:
    """Raises InputError for a VM, detached volume or host that the world does not have."""
    if order.vm and not moment.world.vm_id(order.vm):
        raise InputError("vm", f"VM {order.vm!r} is not in this world.", code="vm_unknown")
    if not order.vm and order.subject not in moment.loose_volumes:
        raise InputError("volume", f"No detached volume {order.subject!r} is in this world.", code="volume_unknown")
    for host in (order.source, order.target):
        moment.world.host(host)
