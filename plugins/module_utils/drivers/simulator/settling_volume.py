# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The move of a detached volume, as a controller sees and settles it. It is where it was until its move is finished; then its first copy is deleted.

No VM carries its note. A copy whose controller is dead is of no use to anybody: whoever writes the next note for the volume removes it.
"""

from __future__ import annotations

import dataclasses

from ...model.errors import InputError, OperationInProgress, StateConflict
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.reason import Reason, warning
from ...model.vm import PowerState
from ..driver import Presence, Verdict, Verification
from ..liveness import is_alive
from .copies import completed, drop_second_copies
from .disks import moved
from .engine import Draft
from .moment import Moment
from .order import subject_of
from .state import Move, Stage


def put_note(draft: Draft, migration: Migration, note: VmNote) -> VmNote:
    """Keep the note, in the place of that of a dead controller, whose copy goes. Raises InputError for a volume that is not there, OperationInProgress
    where a controller that may live copies it.
    """
    moment, volume = draft.moment, subject_of(migration, note)
    moment.require(migration.source_host)
    if volume not in moment.loose_volumes:
        raise InputError("volume", f"No detached volume {volume!r} is in this world.", code="volume_unknown", hint="Take a fresh snapshot.")
    running, kept = moment.active_moves.get(volume), draft.state.volume_notes.get(volume)
    if running is not None:
        if kept is None or kept.operation_id == note.operation_id or is_alive(kept.controller) is not False:
            raise OperationInProgress(f"Volume {volume} is on its way to {running.target} already.", hint="Wait for that copy.")
        ended = running.ended(Stage.CANCELLED, moment.at, "the controller that copied it is dead")
        draft.state = dataclasses.replace(draft.state, moves=tuple(ended if move.id == running.id else move for move in draft.state.moves))
    if kept is not None:
        drop_second_copies(draft, volume, kept)
    note = completed(moment, migration, note)
    draft.state = dataclasses.replace(draft.state, volume_notes={**draft.state.volume_notes, volume: note})
    return note


def verify(moment: Moment, migration: Migration, note: VmNote) -> Verification:
    """Ask both ends. Arrived: the copy is whole, whether or not the first one is deleted yet."""
    volume = subject_of(migration, note)
    silent = [host for host in dict.fromkeys((migration.source_host, migration.target_host)) if not moment.answers(host)]
    if silent:
        reasons = tuple(warning("host_unreachable", f"Host {host} does not answer.", "Bring it back and run the task again.") for host in silent)
        return Verification(Verdict.UNREACHABLE, (), reasons)
    if volume in moment.active_moves:
        return Verification(Verdict.IN_FLIGHT, (_presence(migration.source_host),))
    if volume in moment.loose_volumes:
        arrived = _arrived(moment, volume, note) is not None
        return Verification(Verdict.ARRIVED if arrived else Verdict.AT_SOURCE, (_presence(migration.target_host if arrived else migration.source_host),))
    if any(each.target_path in moment.loose_volumes for each in note.volumes):
        return Verification(Verdict.ARRIVED, (_presence(migration.target_host),))
    return Verification(Verdict.NOWHERE)


def finish(draft: Draft, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """Delete the first copy. Raises StateConflict where the second one is not whole."""
    moment, volume = draft.moment, subject_of(migration, note)
    for host in (migration.source_host, migration.target_host):
        moment.require(host)
    move = _arrived(moment, volume, note)
    if move is None:
        if verify(moment, migration, note).verdict is Verdict.ARRIVED:
            return ()
        raise StateConflict(f"Volume {volume} has not arrived on {migration.target_host}; its move is not to be finished.", hint="Verify again.")
    # The volume is still told by the id of the world file; where it is now is what has changed.
    original = next(each.id for each in moment.world.site.volumes if draft.state.volumes.get(each.id, each).id == volume)
    now = moved(moment.world, moment.loose_volumes[volume], move.disks[0])
    draft.state = dataclasses.replace(draft.state, volumes={**draft.state.volumes, original: now})
    _forget(draft, volume, note)
    return ()


def roll_back(draft: Draft, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """Delete what there is of the second copy. Raises StateConflict where it is whole, or still being made."""
    moment, volume = draft.moment, subject_of(migration, note)
    moment.require(migration.target_host)
    if volume in moment.active_moves or verify(moment, migration, note).verdict is Verdict.ARRIVED:
        raise StateConflict(f"Volume {volume} is not at rest in its pool; its move is not to be rolled back.", hint="Verify again.")
    _forget(draft, volume, note)
    return ()


def _forget(draft: Draft, volume: str, note: VmNote) -> None:
    drop_second_copies(draft, volume, note)
    kept = draft.state.volume_notes.get(volume)
    if kept is not None and kept.operation_id == note.operation_id:
        notes = {name: each for name, each in draft.state.volume_notes.items() if name != volume}
        draft.state = dataclasses.replace(draft.state, volume_notes=notes)


def _arrived(moment: Moment, volume: str, note: VmNote) -> Move | None:
    """This operation's move of the volume, where it has ended well and is not settled."""
    move = moment.last_moves.get(volume)
    is_it = move is not None and move.stage is Stage.ARRIVED and not move.settled and move.operation_id == note.operation_id
    return move if is_it else None


def _presence(host: str) -> Presence:
    return Presence(host, PowerState.OFF, persistent=True)
