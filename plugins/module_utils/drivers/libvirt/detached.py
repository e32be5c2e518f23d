# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves of a detached volume: copied and proven, then the source's file is removed. Its note is kept by the mark of the copy, on the target host."""

from __future__ import annotations

import dataclasses

from ...model.errors import MigrationError, MoveFailed, StateConflict
from ...model.migration import Migration
from ...model.note import NotedVolume, VmNote
from ...model.progress import Phase
from ...model.reason import Reason, hard
from ...model.request import VerifyCopy
from ..driver import Verdict, Verification
from . import partial
from .cold_copy import copy_and_verify, mark_of, remove_copy, source_facts, subject_of, unmark
from .cold_move import ColdJob, ColdMove, Stage, at_stage, stage_of
from .cold_settle import remove_source
from .connection import READ_SECONDS, Connection, Hosts
from .file_users import UserSearch
from .library import libvirt
from .partial import Partial
from .stream_copy import CopyControl, VolumeEnd, are_equal
from .threads import start_daemon
from .volumes import VolumeFacts, describe, find_pool, find_volume, users_of


def check(hosts: Hosts, migration: Migration) -> tuple[Reason, ...]:
    """Every reason against it that the two hosts tell."""
    try:
        volume = noted(hosts, migration)
    except MigrationError as error:
        return (hard(error.code, error.message, error.hint),)
    move = migration.volumes[0]

    def at_source(connection: Connection) -> tuple[Reason, ...]:
        found = find_volume(connection, volume.source_path)
        if found is None:
            return (hard("volume_missing", f"{volume.source_path} is not on {migration.source_host} any more.", "Run the task again."),)
        facts = describe(found)
        reasons = _unfit(migration, facts)
        users = users_of(connection, volume.source_path)
        return (*reasons, hard("volume_in_use", f"{move.volume} is used by {', '.join(users)}.", "Move it with its VM.")) if users else reasons

    def at_target(connection: Connection) -> tuple[Reason, ...]:
        pool = find_pool(connection, migration.target_host, move.target_pool or "")
        mark = partial.find(connection, pool.name, volume.target_path) if pool is not None else None
        if find_volume(connection, volume.target_path) is None or (mark is not None and _may_go_on(mark, move.volume)):
            return ()
        return (hard("volume_exists", f"{volume.target_path} is there already on {migration.target_host}.", "Rename or remove one of the two."),)

    source = hosts.get(migration.source_host).run("looking at the volume", at_source, READ_SECONDS)
    return source + hosts.get(migration.target_host).run("looking at the pool", at_target, READ_SECONDS)


def _unfit(migration: Migration, facts: VolumeFacts) -> tuple[Reason, ...]:
    move = migration.volumes[0]
    if facts.backing:
        text = f"{move.volume} rests on {facts.backing}, without which its copy would be of no use."
        return (hard("backing_not_copied", text, "Flatten it, or attach it to a VM and move it with that.", ("CSK-15",)),)
    if move.format and move.format != facts.format:
        text = f"{move.volume} is {facts.format}; a copy leaves every byte as it is and cannot make it {move.format}."
        return (hard("format_not_changed", text, "Leave the format as it is.", ("CAS-47",)),)
    return ()


def noted(hosts: Hosts, migration: Migration) -> NotedVolume:
    """The volume's paths from and to. Raises StateConflict where a pool is not there."""
    move = migration.volumes[0]
    name = move.volume.removeprefix(f"{move.source_pool}/")

    def folder(host: str, pool_id: str) -> str:
        pool = hosts.get(host).run("looking for the pool", lambda connection: find_pool(connection, host, pool_id))
        if pool is None or not pool.path:
            raise StateConflict(f"Pool {pool_id} is not active on {host}, or has no folder.", code="pool_not_on_host", hint="Start it there.")
        return pool.path.rstrip("/")

    source, target = folder(migration.source_host, move.source_pool or ""), folder(migration.target_host, move.target_pool or "")
    return NotedVolume("", f"{source}/{name}", f"{target}/{name}", move.source_pool or "", move.target_pool or "", move.format)


def write_note(hosts: Hosts, migration: Migration, note: VmNote) -> VmNote:
    """Mark the copy that is to be made; the mark keeps the note. What a dead run left under its name is removed, as long as the source is there."""
    volume = noted(hosts, migration)
    whole = dataclasses.replace(at_stage(note, Stage.NOTED), volumes=(volume,), source=migration.source_host, target=migration.target_host)
    move = ColdMove(hosts, migration, whole)
    source_facts(move, volume)

    def write(connection: Connection) -> None:
        pool = _pool(connection, move)
        left = partial.find(connection, pool, volume.target_path)
        partial.clear_dead(connection, pool, volume.target_path, subject_of(move), note.operation_id)
        is_same = left is not None and partial.is_proven(left) and left.vm == subject_of(move)
        if find_volume(connection, volume.target_path) is not None and not is_same:  # a proven one of the same volume is compared, byte by byte
            raise StateConflict(f"{volume.target_path} is there already on {migration.target_host}.", code="volume_exists")
        partial.put(connection, pool, mark_of(move, volume))

    move.target.run(f"marking the copy of {migration.vm_name}", write)
    return whole


def begin(move: ColdMove) -> ColdJob:
    """Start the copy and return."""
    legs = 2 if move.options.verify_copy is VerifyCopy.READBACK else 1
    job = ColdJob(CopyControl(move.options.copy_cap_mib_s), legs=legs)
    start_daemon(lambda: _carry(move, job), "vmops-detached")
    return job


def _carry(move: ColdMove, job: ColdJob) -> None:
    volume = move.note.volumes[0]
    try:
        facts = source_facts(move, volume)
        job.length_bytes = facts.length_bytes
        users = move.source.run("looking for users", lambda connection: users_of(connection, volume.source_path), READ_SECONDS)
        if users:
            raise StateConflict(f"{volume.source_path} is used by {', '.join(users)}.", code="volume_in_use")
        if move.target.run("looking for an earlier copy", lambda connection: find_volume(connection, volume.target_path) is not None):
            _compare(move, volume, job)
        else:
            copy_and_verify(move, volume, job)
        job.commit()
        move.target.run("noting the copy", lambda connection: _commit(connection, move))
    except MigrationError as error:
        job.message = str(error)
    except libvirt.libvirtError as error:
        job.message = str(error.get_error_message())
    finally:
        job.over.set()


def _may_go_on(mark: Partial, subject: str) -> bool:
    """True for what a dead run left of the same volume, whole or not, and for what another left unfinished."""
    return partial.is_dead(mark, subject) and (mark.vm == subject or not partial.is_proven(mark))


def _compare(move: ColdMove, volume: NotedVolume, job: ColdJob) -> None:
    """A run that was killed had proven this copy, and not removed its source; whether it is the same still, only their bytes tell."""
    job.phase = Phase.VERIFYING
    if not are_equal(VolumeEnd(move.source, volume.source_path), VolumeEnd(move.target, volume.target_path), job.control):
        text = f"{volume.target_path} is on {move.target.name} already, and is not equal to {volume.source_path} (any more)."
        raise MigrationError(text, code="volume_exists", hint="Rename or remove one of the two; neither was touched.")


def _commit(connection: Connection, move: ColdMove) -> None:
    done = dataclasses.replace(move, note=at_stage(move.note, Stage.SWITCHED))
    partial.put(connection, _pool(connection, move), mark_of(done, done.note.volumes[0]))


def verify(move: ColdMove) -> Verification:
    """Arrived as soon as its mark says that the copy is proven, or where only the copy is left."""
    volume = _noted(move)
    try:
        mark = move.target.run("looking at the copy's mark", lambda connection: _mark(connection, move, volume))
        there = move.target.run("looking for the copy", lambda connection: find_volume(connection, volume.target_path) is not None)
        here = move.source.run("looking for the volume", lambda connection: find_volume(connection, volume.source_path) is not None)
    except MigrationError as error:
        return Verification(Verdict.UNREACHABLE, reasons=(hard(error.code, error.message, error.hint),))
    proven = mark is not None and partial.is_proven(mark)
    if there and (proven or (mark is None and not here)):
        return Verification(Verdict.ARRIVED)
    if there and not here:
        text = f"{volume.source_path} cannot be seen on {move.source.name}, and its copy on {move.target.name} is not whole; nothing is removed."
        return Verification(Verdict.UNREACHABLE, reasons=(hard("volume_missing", text, "Start its pool, and run the task again."),))
    return Verification(Verdict.AT_SOURCE if here else Verdict.NOWHERE)


def finish(move: ColdMove, users: UserSearch) -> tuple[Reason, ...]:
    """The source's file goes, if its mark says that the copy is proven; the mark goes last. May be repeated, by whatever operation."""
    volume = _noted(move)
    mark = move.target.run("looking at the copy's mark", lambda connection: _mark(connection, move, volume))
    if mark is None or mark.note is None or not stage_of(mark.note).is_committed:
        return ()
    if not move.target.run("looking for the copy", lambda connection: find_volume(connection, volume.target_path) is not None):
        raise MoveFailed(f"{volume.target_path} is not on {move.target.name} any more; its source is kept.", code="copy_missing")
    proven = dataclasses.replace(move, note=mark.note)
    reasons = remove_source(proven, volume.source_path, users)
    move.target.run("removing the mark", lambda connection: unmark(connection, proven, volume))
    return reasons


def roll_back(move: ColdMove) -> tuple[Reason, ...]:
    """The copy goes, and its mark; only a copy that the mark calls ours, or a dead run's of the same volume."""
    volume = _noted(move)
    mark = move.target.run("looking at the copy's mark", lambda connection: _mark(connection, move, volume))
    if mark is None or mark.note is None:
        return ()
    if stage_of(mark.note).is_committed:
        raise StateConflict(f"The copy of {move.migration.vm_name} is proven; it is not taken back.", hint="Verify again.")
    left = dataclasses.replace(move, note=mark.note)

    def clean(connection: Connection) -> None:
        if stage_of(left.note) is not Stage.NOTED:  # before that, whatever has the name is another's
            remove_copy(connection, left, volume)
        partial.drop(connection, _pool(connection, move), volume.target_path, left.note.operation_id)

    move.target.run("removing the copy", clean, READ_SECONDS)
    return ()


def _noted(move: ColdMove) -> NotedVolume:
    return move.note.volumes[0] if move.note.volumes else noted(move.hosts, move.migration)


def _mark(connection: Connection, move: ColdMove, volume: NotedVolume) -> Partial | None:
    """The mark of this operation, or of a dead one about the same volume."""
    found = partial.find(connection, _pool(connection, move), volume.target_path)
    ours = found is not None and (found.operation_id == move.note.operation_id or partial.is_dead(found, subject_of(move)))
    return found if ours else None


def _pool(connection: Connection, move: ColdMove) -> str:
    pool_id = move.migration.volumes[0].target_pool or ""
    pool = find_pool(connection, move.target.name, pool_id)
    if pool is None:
        raise StateConflict(f"Pool {pool_id} is not active on {move.target.name}.", code="pool_not_on_host", hint="Start it there.")
    return pool.name
