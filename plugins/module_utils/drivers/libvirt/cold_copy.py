# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One volume of a move copied and proven: marked, made empty, streamed, compared; and its removal where the move does not come about."""

from __future__ import annotations

import dataclasses

from ...model.errors import MigrationError, StateConflict
from ...model.note import NotedVolume
from ...model.progress import Phase
from ...model.request import VerifyCopy
from . import partial
from .cold_move import ColdJob, ColdMove, Stage, at_stage, stage_of
from .connection import READ_SECONDS, Connection
from .domains import ask_state
from .failures import is_about_connecting
from .library import libvirt
from .partial import Partial
from .stream_copy import VolumeEnd, copy_volume, read_volume
from .volumes import VolumeFacts, create_empty, describe, find_volume, pool_above, refresh, remove, users_of


def subject_of(move: ColdMove) -> str:
    """What a mark is about: the VM, or the detached volume."""
    return move.migration.vm or move.migration.volumes[0].volume


def mark_of(move: ColdMove, volume: NotedVolume) -> Partial:
    """The mark of a volume that is not whole yet. That of a detached volume keeps the note, too."""
    note = move.note
    return Partial(note.operation_id, note.controller, subject_of(move), volume.target_path, None if move.migration.vm else note)


def copy_and_verify(move: ColdMove, volume: NotedVolume, job: ColdJob) -> None:
    """Copy one volume to its place; it is marked as not whole before, during and after. Raises MigrationError where the copy is not proven equal."""
    job.phase = Phase.COPYING
    before = source_facts(move, volume)
    move.target.run(f"making {volume.target_path}", lambda connection: _make(connection, move, volume, before), READ_SECONDS, repeat=False)
    copied = copy_volume(VolumeEnd(move.source, volume.source_path), VolumeEnd(move.target, volume.target_path), job.control)
    _require_unchanged(move, volume, before)
    job.phase = Phase.VERIFYING
    if move.options.verify_copy is VerifyCopy.READBACK:
        back = read_volume(VolumeEnd(move.target, volume.target_path), job.control)
        proven = (back.length_bytes, back.checksum) == (copied.length_bytes, copied.checksum)
    else:
        proven = move.target.run("looking at the copy", lambda connection: _length(connection, volume.target_path)) == copied.length_bytes
    if not proven or (not before.is_block and copied.length_bytes != before.length_bytes):
        text = f"The copy of {volume.source_path} at {volume.target_path} on {move.target.name} is not equal to it."
        raise MigrationError(text, code="copy_differs", hint="Look at the storage of both hosts; nothing was removed at the source.")


def source_facts(move: ColdMove, volume: NotedVolume) -> VolumeFacts:
    """The volume as it is at its source. Raises StateConflict where it is not there."""

    def look(connection: Connection) -> VolumeFacts:
        found = find_volume(connection, volume.source_path)
        if found is None:
            raise StateConflict(f"{volume.source_path} is not on {move.source.name} any more.", code="volume_missing")
        return describe(found)

    return move.source.run(f"looking at {volume.source_path}", look)


def unmark(connection: Connection, move: ColdMove, volume: NotedVolume) -> None:
    """The copy is whole: its mark goes, and libvirt looks what format it has."""
    pool = pool_above(connection, volume.target_path)
    if pool is not None:
        refresh(connection, pool.name)
        partial.drop(connection, pool.name, volume.target_path, move.note.operation_id)


def remove_copy(connection: Connection, move: ColdMove, volume: NotedVolume) -> None:
    """Remove a copy that this move made: its mark says so, or a note of the stage where all are verified. Whatever else has the name is left alone."""
    pool = pool_above(connection, volume.target_path)
    if pool is None or not volume.created:
        return
    mark = partial.find(connection, pool.name, volume.target_path)
    marked = mark is not None and mark.operation_id == move.note.operation_id
    if marked or (mark is None and stage_of(move.note) is not Stage.NOTED and stage_of(move.note) is not Stage.STOPPING):
        users = users_of(connection, volume.target_path)
        if users:
            raise StateConflict(f"{volume.target_path} is used by {', '.join(users)}.", code="volume_in_use", hint="Find out whose it is; it was left alone.")
        remove(connection, volume.target_path)
        partial.drop(connection, pool.name, volume.target_path, move.note.operation_id)


def _make(connection: Connection, move: ColdMove, volume: NotedVolume, like: VolumeFacts) -> None:
    pool = pool_above(connection, volume.target_path)
    if pool is None:
        raise StateConflict(f"{volume.target_path} is in no active pool of {move.target.name}.", code="pool_missing")
    partial.clear_dead(connection, pool.name, volume.target_path, subject_of(move), move.note.operation_id)
    if find_volume(connection, volume.target_path) is not None:
        raise StateConflict(f"{volume.target_path} is on {move.target.name} already.", code="volume_exists", hint="Rename or remove one of the two.")
    partial.put(connection, pool.name, mark_of(begun(move), volume))
    try:
        create_empty(connection, volume.target_path, like)
    except libvirt.libvirtError as error:
        # A file that somebody made in this moment is not ours; without the mark no rollback takes it for that.
        if not is_about_connecting(error):
            _disown(connection, pool.name, move, volume)
        raise


def _disown(connection: Connection, pool: str, move: ColdMove, volume: NotedVolume) -> None:
    if move.migration.vm:
        partial.drop(connection, pool, volume.target_path, move.note.operation_id)
    else:
        partial.put(connection, pool, mark_of(move, volume))


def begun(move: ColdMove) -> ColdMove:
    """The move as the mark of a detached volume knows it from now on: what is under the copy's name is ours."""
    return dataclasses.replace(move, note=at_stage(move.note, Stage.STOPPING))


def _require_unchanged(move: ColdMove, volume: NotedVolume, before: VolumeFacts) -> None:
    """A source that was written to meanwhile makes a copy worthless; libvirt has no lock that would keep others from starting the VM."""
    if move.migration.vm:
        state = move.source.run("asking the VM's state", lambda connection: ask_state(connection, move.migration.vm))
        if state is None or state.is_active:
            raise StateConflict(f"{move.migration.vm_name} was started on {move.source.name} while it was copied.", code="source_changed")
    if source_facts(move, volume).modified != before.modified:
        raise StateConflict(f"{volume.source_path} on {move.source.name} was written to while it was copied.", code="source_changed")


def _length(connection: Connection, path: str) -> int:
    found = find_volume(connection, path)
    return describe(found).length_bytes if found is not None else -1
