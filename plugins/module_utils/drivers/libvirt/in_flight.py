# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations that run on the hypervisors now, ours and others'."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ...model.migration import Migration, MigrationType, Mode, VolumeMove
from ...model.note import NotePhase, VmNote
from ...model.vm import OperationKind
from ..driver import InFlight
from .block_disks import CopyWay, is_of_block_move, look
from .connection import READ_SECONDS, Connection, Hosts, HostSession
from .domain_stats import light_stats
from .domains import Domain, may_be_incoming, running_job
from .failures import is_missing
from .library import libvirt
from .notes import note_of


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one host has: VMs that leave it, and ids of VMs that are about to arrive."""

    leaving: tuple[tuple[str, str, int, VmNote | None], ...]
    arriving: frozenset[str]


def find_in_flight(hosts: Hosts) -> tuple[InFlight, ...]:
    """All of them on the hosts that answer, sorted by VM name. One call per host, and a few for each active VM."""
    seen, _errors = hosts.on_each(hosts.names, _look)
    found = []
    for source, host in seen.items():
        for uuid, name, memory_mib, note in host.leaving:
            ours = note if note is not None and note.phase is NotePhase.MOVING and note.source == source else None
            arriving_on = next((other for other, there in seen.items() if other != source and uuid in there.arriving), "")
            found.append(InFlight(uuid, name, source, ours.target if ours else arriving_on, memory_mib, ours))
    return tuple(sorted(found, key=lambda flight: (flight.vm_name, flight.vm)))


def adopted_migration(found: InFlight) -> Migration:
    """The migration that a found one is, as far as its note tells."""
    migration = Migration(f"adopted-{found.vm}", found.vm, found.vm_name, found.source_host, found.target_host, memory_mib=found.memory_mib)
    note = found.note
    if note is None or not is_of_block_move(note):
        return migration
    volumes = tuple(
        VolumeMove(f"{found.vm}/{volume.device}", volume.source_pool, volume.target_pool, device=volume.device, format=volume.format) for volume in note.volumes
    )
    return dataclasses.replace(migration, type=MigrationType.STORAGE, mode=Mode(note.mode), volumes=volumes, disk_copy=CopyWay.of(note).copy)


def _look(session: HostSession) -> _Seen:
    session.ping()
    return session.run("looking for migrations under way", _look_on, READ_SECONDS)


def _look_on(connection: Connection) -> _Seen:
    leaving, arriving = [], set()
    for domain, stats in light_stats(connection, active_only=True):
        try:
            job = running_job(domain)
            if job is OperationKind.MIGRATION_OUT:
                leaving.append((domain.UUIDString(), domain.name(), stats.memory_mib, note_of(domain)))
            elif job is OperationKind.MIGRATION_IN or may_be_incoming(stats.state, stats.reason, persistent=False):
                arriving.add(domain.UUIDString())
            else:
                leaving += _copying(connection, domain, stats.memory_mib)
        except libvirt.libvirtError as error:
            if not is_missing(error):
                raise
    return _Seen(tuple(leaving), frozenset(arriving))


def _copying(connection: Connection, domain: Domain, memory_mib: int) -> list[tuple[str, str, int, VmNote | None]]:
    """A VM whose disks a move of ours copies on its own host. Block jobs of others are no migrations."""
    note = note_of(domain)
    if note is None or note.phase is not NotePhase.MOVING or not is_of_block_move(note):
        return []
    view = look(connection, domain.UUIDString(), note)
    return [(domain.UUIDString(), domain.name(), memory_mib, note)] if view is not None and view.is_copying else []
