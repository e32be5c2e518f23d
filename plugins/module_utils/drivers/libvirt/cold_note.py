# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note of a move by copying, completed with what a second run needs to end it: paths of all volumes, and the definitions of all snapshots."""

from __future__ import annotations

import dataclasses

from ...model.errors import MigrationError, StateConflict
from ...model.migration import Migration, VolumeMove
from ...model.note import NotedVolume, VmNote
from ...model.request import MoveOptions
from .cold_move import NVRAM, Stage, at_stage
from .cold_xml import peculiarities
from .connection import Connection, Hosts
from .disk_places import path_of
from .domain_xml import DiskFacts, read_domain
from .domains import Domain, find_domain
from .library import libvirt
from .media import missing_media
from .notes import put_note
from .pools import HostPool, read_pools
from .snapshots import read_snapshots
from .volumes import describe, find_pool, find_volume, pool_above


def definition_of(domain: Domain) -> str:
    """The definition that lasts, with passwords, without what only this libvirt would understand: nothing of it is lost on the way."""
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
    xml: str = domain.XMLDesc(flags)
    return xml


def write_note(hosts: Hosts, migration: Migration, note: VmNote, options: MoveOptions) -> VmNote:
    """Complete the note and put it with the VM. Raises StateConflict where the VM, a disk or a pool is not where the plan says."""
    pools, target = _target_pools(hosts, migration), hosts.get(migration.target_host)

    def write(connection: Connection) -> VmNote:
        domain = find_domain(connection, migration.vm)
        if domain is None:
            raise StateConflict(f"VM {migration.vm_name} is not on {migration.source_host} any more.", hint="Run the task again.")
        volumes = noted_volumes(connection, migration, domain, pools)
        snapshots, current = read_snapshots(domain)
        ejected = missing_media(definition_of(domain), target) if options.eject_media and migration.source_host != migration.target_host else ()
        whole = dataclasses.replace(at_stage(note, Stage.NOTED), volumes=volumes, snapshots=snapshots, current_snapshot=current, ejected=ejected)
        put_note(domain, whole)
        return whole

    return hosts.get(migration.source_host).run(f"writing the note of {migration.vm_name}", write)


def noted_volumes(connection: Connection, migration: Migration, domain: Domain, pools: dict[str, HostPool]) -> tuple[NotedVolume, ...]:
    """Paths from and to of everything that is copied; UEFI variables that lie in a pool of the source alone go with it."""
    xml = definition_of(domain)
    disks = {disk.device: disk for disk in read_domain(xml).disks}
    found = tuple(_noted(connection, migration, move, disks.get(device_of(migration, move)), pools) for move in migration.volumes if move.moves)
    nvram = peculiarities(xml).nvram
    if nvram and migration.source_host != migration.target_host and (above := pool_above(connection, nvram)) is not None and above.name in pools:
        there = pools[above.name]
        if there.uuid != above.uuid:
            path = f"{there.path.rstrip('/')}/{nvram.rpartition('/')[2]}"
            source, target = f"{migration.source_host}/{above.name}", f"{migration.target_host}/{there.name}"
            found += (NotedVolume(NVRAM, nvram, path, source, target, "raw"),)
    return found


def device_of(migration: Migration, move: VolumeMove) -> str:
    """The VM's name for a volume that moves."""
    return move.device or move.volume.removeprefix(f"{migration.vm}/")


def _target_pools(hosts: Hosts, migration: Migration) -> dict[str, HostPool]:
    """The pools on the target by the plan's ids, and those by name that may take the UEFI variables."""

    def look(connection: Connection) -> dict[str, HostPool]:
        wanted = {move.target_pool for move in migration.volumes if move.moves and move.target_pool}
        found = {pool_id: find_pool(connection, migration.target_host, pool_id) for pool_id in wanted}
        missing = [pool_id for pool_id, pool in found.items() if pool is None or not pool.path]
        if missing:
            raise StateConflict(f"Pool {missing[0]} is not active on {migration.target_host}, or has no folder.", code="pool_missing")
        named = {pool.name: pool for pool in read_pools(connection) if pool.active and pool.path}
        return {**named, **{pool_id: pool for pool_id, pool in found.items() if pool is not None}}

    return hosts.get(migration.target_host).run("looking for the pools", look)


def _noted(connection: Connection, migration: Migration, move: VolumeMove, disk: DiskFacts | None, pools: dict[str, HostPool]) -> NotedVolume:
    device = device_of(migration, move)
    path = path_of(connection, disk) if disk is not None else ""
    volume = find_volume(connection, path) if path else None
    if disk is None or volume is None:
        raise MigrationError(f"Disk {device} of {migration.vm_name} is no volume of a storage pool on {migration.source_host}.", code="volume_not_in_pool")
    target = f"{pools[move.target_pool or ''].path.rstrip('/')}/{path.rpartition('/')[2]}"
    return NotedVolume(device, path, target, move.source_pool or "", move.target_pool or "", describe(volume).format)
