# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a live storage move on one host: jobs that are left are aborted, files that nobody uses any more removed, the note settled last.

Disk by disk: one that uses its copy keeps it and loses the old file, any other keeps its file and loses the copy. Nothing is removed that is not in the
note, that a VM of any host that may see it uses, or that an image rests on: libvirt itself would delete it all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...model.errors import MigrationError
from ...model.migration import Migration
from ...model.note import NotedVolume, VmNote
from ...model.note_states import note_before, settled_note
from ...model.reason import Reason, warning
from .block_definition import moved_disk
from .block_disks import DiskView, MoveView, look
from .block_files import remove_file
from .block_mirror import drop_mirror, resume_guest
from .block_verify import doubt_of
from .connection import READ_SECONDS, Connection, Hosts
from .domains import find_domain
from .file_users import UserSearch
from .library import libvirt
from .made_files import drop_maker, made_usage, maker_of
from .notes import put_note


@dataclass(frozen=True, slots=True)
class _Settling:
    hosts: Hosts
    users: UserSearch
    migration: Migration
    note: VmNote


def finish_block_move(hosts: Hosts, users: UserSearch, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """After ``verify`` said ``arrived``. Gives warnings for what could not be done. May be repeated."""
    return _settle(_Settling(hosts, users, migration, note), has_arrived=True)


def roll_back_block_move(hosts: Hosts, users: UserSearch, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """After ``verify`` said ``at_source``. Gives what could not be removed. May be repeated."""
    return _settle(_Settling(hosts, users, migration, note), has_arrived=False)


def _settle(move: _Settling, *, has_arrived: bool) -> tuple[Reason, ...]:
    migration, note = move.migration, move.note
    session = move.hosts.get(note.source)
    view = session.run("looking at the disks", lambda connection: _calm(connection, migration, note), READ_SECONDS)
    if view is None or not view.belongs_to(note):
        return ()  # settled already, or another's by now
    reasons: tuple[Reason, ...] = ()
    for disk in view.disks:
        reasons += _settle_disk(move, view, disk)
    settled = settled_note(note, note.target) if has_arrived else note_before(note, note.source)

    def write(connection: Connection) -> None:
        for volume in note.volumes:
            drop_maker(connection, made_usage(volume.target_path), note.operation_id)
        domain = find_domain(connection, migration.vm)
        if domain is not None:
            put_note(domain, settled)

    session.run("settling the note", write)
    return reasons


def _calm(connection: Connection, migration: Migration, note: VmNote) -> MoveView | None:
    """The VM without any job of this move, running if it ran before, with one and the same disks in both its definitions."""
    view = look(connection, migration.vm, note)
    if view is None or not view.belongs_to(note):
        return view
    for volume in note.volumes:
        drop_mirror(connection, migration.vm, volume)
    resume_guest(connection, migration.vm, note)
    view = look(connection, migration.vm, note)
    if view is None or not view.is_persistent:
        return view
    domain = connection.raw.lookupByUUIDString(migration.vm)
    for disk in view.disks:
        if disk.has_moved and _keeps(disk, disk.volume.source_path):
            # libvirt does it by itself at the switch, unless somebody has defined the VM anew meanwhile.
            xml = moved_disk(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE), disk.volume)
            if xml is not None:
                domain.updateDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    return look(connection, migration.vm, note)


def _settle_disk(move: _Settling, view: MoveView, disk: DiskView) -> tuple[Reason, ...]:
    """Remove the one of the two files that the disk does not use."""
    volume, migration = disk.volume, move.migration
    session = move.hosts.get(move.note.source)
    if not disk.has_moved:
        is_ours = session.run("asking who made a file", lambda connection: _is_ours(connection, move, volume))
        if disk.is_copying or _keeps(disk, volume.target_path) or not is_ours:
            return ()
        return _remove(move, volume, volume.target_path, volume.target_pool)
    doubt = session.run("comparing a disk with its copy", lambda connection: doubt_of(connection, migration.vm, view, disk))
    if not doubt and _keeps(disk, volume.source_path):
        doubt = f"The definition of {migration.vm_name} that outlives it still names {volume.source_path}."
    if doubt:
        return (_left(volume.source_path, doubt),)
    return _remove(move, volume, volume.source_path, volume.source_pool)


def _is_ours(connection: Connection, move: _Settling, volume: NotedVolume) -> bool:
    maker = maker_of(connection, made_usage(volume.target_path))
    return maker is not None and maker.operation_id == move.note.operation_id


def _keeps(disk: DiskView, path: str) -> bool:
    return disk.kept is not None and disk.kept.path == path


def _remove(move: _Settling, volume: NotedVolume, path: str, pool: str) -> tuple[Reason, ...]:
    """Remove one file of this move, unless anybody may need it."""
    session = move.hosts.get(move.note.source)
    try:
        users = move.users.of(session.name, path)
        if users.is_needed:
            return (warning("file_left", f"{path} was not removed. It {users}.", users.hint),)
        is_gone = session.run("removing it", lambda connection: remove_file(connection, session.name, path, pool))
    except MigrationError as error:
        return (_left(path, error.message),)
    return () if is_gone else (_left(path, f"It is in no active pool of {session.name} (disk {volume.device})."),)


def _left(path: str, why: str) -> Reason:
    return warning("file_left", f"{path} was not removed. {why}", "Remove it by hand once nobody needs it.")
