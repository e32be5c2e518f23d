# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a move that copied disks: what has to be true on the destination, and which files go. Works from the note alone, in any process.

Nothing is deleted that the note does not name; at the source only after the destination was proven afresh; on the destination only what carries the
mark of this operation; nowhere a file that another VM or another image uses.
"""

from __future__ import annotations

from collections.abc import Callable

from ...model.errors import HostUnreachable, MigrationError
from ...model.migration import Migration
from ...model.note import NotedVolume, VmNote
from ...model.reason import Reason, hard, warning
from ..liveness import ClaimWatch
from . import partial
from .connection import READ_SECONDS, Connection, Hosts, HostSession
from .disk_definitions import DiskImage, read_disks
from .domains import ask_state, find_domain
from .file_users import UserSearch
from .host_lock import host_lock
from .image_files import delete_file, find_image, pool_holding
from .library import libvirt
from .made_files import drop_maker, made_usage, maker_of
from .pools import read_pools
from .volumes import users_of

RULES = ("CSK-14", "CSK-17")


def unmet_copies(hosts: Hosts, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """What is not as planned on the destination: every copied disk by path, format and size, as it runs and as it is defined; no job left on any."""
    if not note.volumes:
        return ()
    unmet = hosts.get(migration.target_host).run("reading the copied disks", lambda link: _unmet(link, migration, note), READ_SECONDS)
    if not unmet:
        unmet = _other_sizes(hosts, migration, note)
    if not unmet:
        return ()
    text = f"The disks of {migration.vm_name} on {migration.target_host} are not as planned: {'; '.join(unmet)}."
    return (hard("disks_differ", text, "Nothing is removed from the source. Compare with virsh dumpxml.", RULES),)


def _other_sizes(hosts: Hosts, migration: Migration, note: VmNote) -> list[str]:
    sizes = hosts.get(migration.target_host).run("reading the copied disks' sizes", lambda link: _sizes(link, migration, note), READ_SECONDS)
    try:
        before = hosts.get(migration.source_host).run("reading the sizes before", lambda link: _sizes_before(link, note), READ_SECONDS)
    except MigrationError:
        return []  # a silent source is told of elsewhere, and keeps its files
    return [f"{device} has {sizes[device]} bytes, and had {old}" for device, old in before.items() if device in sizes and sizes[device] != old]


def _unmet(connection: Connection, migration: Migration, note: VmNote) -> list[str]:
    domain = find_domain(connection, migration.vm)
    if domain is None:
        return ["the VM is not there"]
    found = _unlike(read_disks(domain.XMLDesc(0)), note, "runs with")
    if domain.isPersistent():
        # A disk that was plugged in for this run only is not in the definition.
        stored = read_disks(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        found += _unlike({volume.device: stored[volume.device] for volume in note.volumes if volume.device in stored}, note, "is defined with", partly=True)
    return found


def _unlike(disks: dict[str, DiskImage], note: VmNote, verb: str, *, partly: bool = False) -> list[str]:
    found = []
    for volume in note.volumes:
        disk = disks.get(volume.device)
        if disk is None:
            found += [] if partly else [f"{volume.device} is missing"]
        elif (disk.path, disk.format) != (volume.target_path, volume.format):
            found.append(f"{volume.device} {verb} {disk.path} ({disk.format}) instead of {volume.target_path} ({volume.format})")
        elif disk.has_block_job:
            found.append(f"{volume.device} has a block job still")
    return found


def _sizes(connection: Connection, migration: Migration, note: VmNote) -> dict[str, int]:
    domain = find_domain(connection, migration.vm)
    if domain is None:
        return {}
    active = bool(domain.isActive())
    return {volume.device: domain.blockInfo(volume.device)[0] for volume in note.volumes} if active else {}


def _sizes_before(connection: Connection, note: VmNote) -> dict[str, int]:
    found = ((volume.device, find_image(connection, volume.source_path)) for volume in note.volumes)
    return {device: image.capacity_bytes for device, image in found if image is not None}


def remove_sources(hosts: Hosts, users: UserSearch, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """After arrival: remove the files that were copied from, and this operation's marks on the destination. Gives what was kept, and why (CSK-17)."""
    if not note.volumes:
        return ()
    reasons = _source_files(hosts, users, migration, note)
    try:  # whatever became of the source: what was made at the destination is the VM's own from now on
        hosts.get(migration.target_host).run("taking back the marks of made files", lambda link: _drop_marks(link, note))
    except MigrationError as error:
        text = f"Marks of made files are left on {migration.target_host}: {error.message}"
        reasons += (warning("marks_left", text, "A later move of this VM to these paths removes them."),)
    return reasons


def _source_files(hosts: Hosts, users: UserSearch, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    try:
        against = unmet_copies(hosts, migration, note)
        if against:
            return (*against, _kept(note, migration, "the destination is not as planned"))
        if hosts.get(migration.source_host).run("asking whether it runs there", lambda link: _is_active(link, migration)):
            return (_kept(note, migration, f"{migration.vm_name} is still active there"),)
        return _each(note.volumes, lambda volume: _remove_source(hosts, users, migration, volume))
    except MigrationError as error:
        return (_kept(note, migration, error.message),)


def _is_active(connection: Connection, migration: Migration) -> bool:
    state = ask_state(connection, migration.vm)
    return state is not None and state.is_active


def _kept(note: VmNote, migration: Migration, why: str) -> Reason:
    files = ", ".join(volume.source_path for volume in note.volumes)
    text = f"The files on {migration.source_host} that {migration.vm_name} was copied from are kept ({files}): {why}."
    return warning("source_disks_kept", text, "Remove them when the VM is proven to be well.", RULES)


def _each(volumes: tuple[NotedVolume, ...], action: Callable[[NotedVolume], tuple[Reason, ...]]) -> tuple[Reason, ...]:
    return tuple(reason for volume in volumes for reason in action(volume))


def _remove_source(hosts: Hosts, search: UserSearch, migration: Migration, volume: NotedVolume) -> tuple[Reason, ...]:
    """One file. The VM itself is no user of it on its source, where its old definition is still to go."""
    path, source = volume.source_path, migration.source_host
    try:
        users = search.of(source, path, migration.vm)
    except HostUnreachable as error:
        return (warning("source_not_removed", f"{path} is left on {source}: {error.message}", f"Remove {path} there.", RULES),)
    if users.is_needed:
        return (warning("source_in_use", f"{path} is left on {source}: it {users}.", users.hint, RULES),)
    return _delete(hosts.get(source), path, "source_not_removed")


def _delete(session: HostSession, path: str, code: str) -> tuple[Reason, ...]:
    def delete(connection: Connection) -> str:
        if delete_file(connection, path) or pool_holding(read_pools(connection), path) is not None:
            return ""
        return "it is in no active pool"

    try:
        trouble = session.run(f"removing {path}", delete, READ_SECONDS)
    except MigrationError as error:
        trouble = error.message
    return (warning(code, f"{path} is left on {session.name}: {trouble}.", f"Remove {path} there.", RULES),) if trouble else ()


def _drop_marks(connection: Connection, note: VmNote) -> None:
    for path in (*(volume.target_path for volume in note.volumes), *note.created):
        _drop(connection, path, note)


def remove_targets(hosts: Hosts, search: UserSearch, migration: Migration, note: VmNote, watch: ClaimWatch) -> tuple[Reason, ...]:
    """After a move that did not happen: remove the files that it made on the destination, and their marks. Gives what could not be removed.

    A base image's copy goes too, unless an image of somebody else has come to rest on it: then it stays, whole and proven.
    """
    if not note.volumes:
        return ()
    target = hosts.get(migration.target_host)
    own, bases = tuple(volume.target_path for volume in note.volumes if volume.created), note.created
    paths = [*own, *bases]
    try:
        if target.run("asking whether it runs there", lambda link: _is_active(link, migration)):
            text = f"{migration.vm_name} is active on {target.name}; nothing was removed there: {', '.join(paths)}."
            return (warning("leftover_active", text, "Find out which of the two is right.", RULES),)
        with host_lock(target, watch):
            left = tuple(reason for path in own for reason in _remove_made(target, path, note))
        kept = {path for path in bases if search.of(target.name, path).is_needed}  # all hosts are asked outside the lock, which is a short one
        with host_lock(target, watch):
            return left + tuple(reason for path in bases for reason in _remove_made(target, path, note, is_needed=path in kept))
    except MigrationError as error:
        text = f"Whether files of the move are left on {target.name} could not be asked or cured: {error.message} They would be {', '.join(paths)}."
        return (warning("leftover_unproven", text, "The next move of this VM to that host replaces them.", RULES),)


def _remove_made(target: HostSession, path: str, note: VmNote, *, is_needed: bool = False) -> tuple[Reason, ...]:
    if not target.run("asking who made a file", lambda link: _is_ours(link, path, note), READ_SECONDS):
        return ()  # never made, removed already, or not ours
    users = target.run("asking who uses a file", lambda link: users_of(link, path), READ_SECONDS)
    if path in note.created and (users or is_needed):
        left: tuple[Reason, ...] = ()
    elif users:
        left = (warning("leftover_in_use", f"{path} is left on {target.name}: it is used by {', '.join(users)}.", "", RULES),)
    else:
        left = _delete(target, path, "leftover_not_removed")
    if not left or users:
        target.run("taking back the marks of made files", lambda link: _drop(link, path, note))
    return left


def _is_ours(connection: Connection, path: str, note: VmNote) -> bool:
    """True where this very operation says that it made the file, whole or not."""
    maker = maker_of(connection, made_usage(path))
    if maker is not None and maker.operation_id == note.operation_id:
        return True
    pool = pool_holding(read_pools(connection), path)
    mark = partial.find(connection, pool.name, path) if pool is not None else None
    return mark is not None and mark.operation_id == note.operation_id


def _drop(connection: Connection, path: str, note: VmNote) -> None:
    drop_maker(connection, made_usage(path), note.operation_id)
    pool = pool_holding(read_pools(connection), path)
    if pool is not None:
        partial.drop(connection, pool.name, path, note.operation_id)
