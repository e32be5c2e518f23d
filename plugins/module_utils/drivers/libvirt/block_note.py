# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note of a live storage move on one host, completed: which file each disk is copied to. And that it may be, asked right before. Writes nothing."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from ...model.errors import InputError, MigrationError
from ...model.migration import DiskCopy, Migration, VolumeMove
from ...model.note import NotedVolume, VmNote
from ...model.reason import Reason, hard
from ...model.request import MoveOptions
from .block_disks import CopyWay
from .block_files import FORMATS, file_name, find_pool, has_file, name_taken, pool_folder
from .connection import READ_SECONDS, Connection, HostSession
from .domain_xml import DiskFacts, read_domain
from .domains import Domain, ask_state, find_domain
from .notes import put_note
from .snapshots import check_snapshots

FORMAT_CHANGE_FACTOR = 2


def write_block_note(session: HostSession, migration: Migration, note: VmNote, options: MoveOptions) -> VmNote:
    """Complete the note, put it with the VM, and give it as it was written."""

    def write(connection: Connection) -> VmNote:
        whole = complete_note(connection, migration, note, options)
        put_note(connection.raw.lookupByUUIDString(migration.vm), whole)
        return whole

    return session.run(f"writing the note of {migration.vm_name}", write, READ_SECONDS)


def complete_note(connection: Connection, migration: Migration, note: VmNote, options: MoveOptions) -> VmNote:
    """The note with the file of every disk that moves. Raises InputError or StateConflict where a disk or its pool is none to copy from or to."""
    domain = connection.raw.lookupByUUIDString(migration.vm)
    volumes = planned_volumes(connection, migration, read_domain(domain.XMLDesc(0)).disks)
    way = CopyWay(migration.disk_copy, options.copy_cap_mib_s)
    return dataclasses.replace(note, volumes=volumes, stage=way.stage)


def planned_volumes(connection: Connection, migration: Migration, disks: tuple[DiskFacts, ...]) -> tuple[NotedVolume, ...]:
    """Each moving disk's way by paths. Raises InputError, or StateConflict where a file is in the way."""
    planned: list[NotedVolume] = []
    for move in migration.volumes:
        if not move.moves:
            continue
        disk = next((disk for disk in disks if disk.device == move.device), None)
        if disk is None:
            text = f"{migration.vm_name} has no disk {move.device!r}."
            raise InputError("volumes", text, code="volume_unknown", hint=f"Its disks: {', '.join(disk.device for disk in disks)}.")
        volume = _planned(connection, migration, move, disk, frozenset(other.target_path for other in planned))
        planned.append(volume)
    return tuple(planned)


def _planned(connection: Connection, migration: Migration, move: VolumeMove, disk: DiskFacts, taken: frozenset[str]) -> NotedVolume:
    host, new_format = migration.source_host, move.format or disk.format
    pool = find_pool(connection, host, move.target_pool or "")
    folder = pool_folder(pool)
    names = frozenset(path.rpartition("/")[2] for path in taken if path.rpartition("/")[0] == folder)
    path = f"{folder}/{file_name(disk, new_format, names)}"
    volume = NotedVolume(move.device, disk.path, path, move.source_pool or "", move.target_pool or "", new_format)
    if path == disk.path or has_file(pool, path.rpartition("/")[2]):
        raise name_taken(volume)
    return volume


def check_block_move(session: HostSession, migration: Migration) -> tuple[Reason, ...]:
    """Every reason against the move that its host tells. Raises HostUnreachable where the host does not answer."""
    session.ping()
    return session.run("looking at the VM before its disks move", lambda connection: _check(connection, migration), READ_SECONDS)


def _check(connection: Connection, migration: Migration) -> tuple[Reason, ...]:
    state, domain = ask_state(connection, migration.vm), find_domain(connection, migration.vm)
    if state is None or domain is None or not state.is_active:
        return (hard("power_state_changed", f"{migration.vm_name} does not run on {migration.source_host} any more.", "Run the task again."),)
    if state.job is not None:
        text = f"The hypervisor of {migration.source_host} is at work on {migration.vm_name} ({state.job.value})."
        return (hard("operation_in_progress", text, "Wait for its end."),)
    disks = read_domain(domain.XMLDesc(0)).disks
    reasons = _history(migration, domain)
    for move in migration.volumes:
        disk = next((disk for disk in disks if move.moves and disk.device == move.device), None)
        reasons += _unfit(migration, move, disk) if disk is not None else ()
    if any(disk.has_block_job for disk in disks):
        text = f"A block job runs on a disk of {migration.vm_name}."
        return (hard("block_job_active", text, "Wait for its end, or abort it (virsh blockjob)."),)
    try:
        planned_volumes(connection, migration, disks)
    except MigrationError as error:
        return (*reasons, hard(error.code, error.message, error.hint))
    return reasons + _room(connection, migration, domain, disks)


def _history(migration: Migration, domain: Domain) -> tuple[Reason, ...]:
    """A mirror copies what a disk holds now; snapshots inside its file, and those whose files lie below it, would be lost with the old file."""
    found = check_snapshots(domain, migration)
    if found:
        return found
    if domain.listAllCheckpoints():
        text = f"{migration.vm_name} has backup checkpoints, which a copy of its running disks leaves behind."
        return (hard("has_checkpoints", text, "Delete them (virsh checkpoint-delete); the next backup is then a full one."),)
    return ()


def _unfit(migration: Migration, move: VolumeMove, disk: DiskFacts) -> tuple[Reason, ...]:
    """What a disk itself says against its copy."""
    named = f"Disk {disk.device} of {migration.vm_name}"
    found = []
    if disk.type not in ("file", "block") or not disk.path.startswith("/"):
        found.append(hard("disk_type_unsupported", f"{named} is of type {disk.type}, which is not copied while its VM runs on the same host."))
    if disk.encrypted:
        found.append(hard("encrypted_volume", f"{named} is encrypted; its copy on the same host would not be.", "Move it while the VM is off.", ("CAS-25",)))
    if disk.read_only or disk.shareable:
        found.append(hard("volume_shared", f"{named} is {'read-only' if disk.read_only else 'shared with other VMs'}; it is not copied while its VM runs."))
    wanted = move.format or disk.format
    if wanted not in FORMATS:
        found.append(hard("format_unsupported", f"{named}: a copy of format {wanted!r} is not made.", f"Known formats: {', '.join(FORMATS)}."))
    if migration.disk_copy is DiskCopy.INCREMENTAL and disk.backing and wanted != "qcow2":
        found.append(hard("format_change_with_backing", f"{named} rests on {disk.backing[0]}; as {wanted} it cannot.", "Ask for flatten.", ("CAS-47",)))
    return tuple(found)


def _room(connection: Connection, migration: Migration, domain: Domain, disks: tuple[DiskFacts, ...]) -> tuple[Reason, ...]:
    """Strictly more free than the sizes together (CAS-16); where a format changes, at least twice the size (CAS-17)."""
    needed: dict[str, int] = defaultdict(int)
    strictly: set[str] = set()
    formats = {disk.device: disk.format for disk in disks}
    for move in (move for move in migration.volumes if move.moves):
        pool, size = move.target_pool or "", int(domain.blockInfo(move.device)[0])
        changes = bool(move.format) and move.format != formats[move.device]
        needed[pool] += FORMAT_CHANGE_FACTOR * size if changes else size
        strictly |= set() if changes else {pool}
    found = []
    for pool, size in needed.items():
        free = int(find_pool(connection, migration.source_host, pool).info()[3])
        if free > size or (free == size and pool not in strictly):
            continue
        limit = "more than" if pool in strictly else "at least"
        text = f"The disks of {migration.vm_name} need {size} bytes in pool {pool}; {free} are free, {limit} the sum must be."
        found.append(hard("insufficient_storage", text, "Free space there, or choose another pool.", ("CAS-16", "CAS-17")))
    return tuple(found)
