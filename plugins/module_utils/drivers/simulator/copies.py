# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two copies of a disk that moves: what a note says of them, and which of them goes when the move is settled."""

from __future__ import annotations

import dataclasses

from ...model.migration import Migration, MigrationType, Mode, VolumeMove
from ...model.note import NotedVolume, VmNote
from ..driver import DEFAULTS, InFlight
from .engine import Draft
from .moment import Moment
from .moves import transfers
from .order import order_of


def completed(moment: Moment, migration: Migration, note: VmNote) -> VmNote:
    """The note with the volumes that move. A simulated volume has no path of its own: ``source_path`` and ``target_path`` are its ids before and after."""
    disks = transfers(moment, order_of(migration, note.operation_id, DEFAULTS))
    volumes = tuple(NotedVolume(disk.device, disk.volume, disk.target_volume, disk.source_pool, disk.target_pool, disk.format) for disk in disks)
    return dataclasses.replace(note, migration_type=migration.type.value, mode=migration.mode.value, volumes=volumes)


def adopted(found: InFlight, note: VmNote) -> Migration:
    """The migration that the note of a move in flight speaks of."""
    return Migration(
        f"adopted-{found.vm}",
        found.vm,
        found.vm_name,
        note.source,
        note.target,
        type=MigrationType(note.migration_type),
        mode=Mode(note.mode),
        memory_mib=found.memory_mib,
        volumes=tuple(VolumeMove(each.source_path, each.source_pool, each.target_pool, device=each.device, format=each.format) for each in note.volumes),
    )


def drop_second_copies(draft: Draft, subject: str, note: VmNote) -> None:
    """Remove, of each disk of this operation's moves that have ended, the copy that the VM (or the volume) does not use: its space is free again."""
    moves = tuple(
        dataclasses.replace(move, settled=True)
        if move.subject == subject and move.operation_id == note.operation_id and not move.is_active and move.disks
        else move
        for move in draft.state.moves
    )
    if moves != draft.state.moves:
        draft.state = dataclasses.replace(draft.state, moves=moves)
