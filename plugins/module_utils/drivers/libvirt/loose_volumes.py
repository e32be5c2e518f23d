# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes in pools that are the disk of no VM: one listing per pool, and one look at each volume."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ...model.pool import Volume
from . import partial
from .cold_move import stage_of
from .connection import READ_SECONDS, Connection, Hosts, HostSession
from .domain_xml import read_domain
from .failures import is_missing
from .library import libvirt
from .pools import HostPool, PoolMap
from .volumes import VolumeFacts, describe, refresh

Marks = frozenset[tuple[str, str]]


def loose_volumes(hosts: Hosts, pools_of: Mapping[str, tuple[HostPool, ...]], pools: PoolMap, wanted: Iterable[str]) -> tuple[Volume, ...]:
    """Those of the wanted pools (ids), sorted by id. ``pools_of``: the pools of every host that answered.

    A volume that a VM on any of these hosts uses, itself or below its disk, is left out, and so is a copy that is not whole yet.
    """
    places = _places(pools_of, pools, frozenset(wanted))
    looked, _silent = hosts.on_each(pools_of, lambda session: _look(session, pools_of[session.name], pools))
    used = frozenset().union(*(seen[0] for seen in looked.values())) if looked else frozenset()
    partials = frozenset().union(*(seen[1] for seen in looked.values())) if looked else frozenset()
    by_host, _errors = hosts.on_each({host for host, _pool in places.values()}, lambda session: _list(session, places))
    found = []
    for listed in by_host.values():
        for pool_id, volumes in listed.items():
            known = {volume.path: volume for volume in volumes}
            taken = {volume.path for volume in volumes if (pool_id, volume.name) in used}
            for path in list(taken):
                taken |= _below(known, path)
            found += [_volume(pool_id, volume, known) for volume in volumes if volume.path not in taken and (pool_id, volume.name) not in partials]
    return tuple(sorted(found, key=lambda volume: volume.id))


def _places(pools_of: Mapping[str, tuple[HostPool, ...]], pools: PoolMap, wanted: frozenset[str]) -> dict[str, tuple[str, HostPool]]:
    """One host for each wanted pool."""
    found: dict[str, tuple[str, HostPool]] = {}
    for host in sorted(pools_of):
        for pool in pools_of[host]:
            pool_id = pools.pool_id(host, pool)
            if pool.active and pool_id in wanted:
                found.setdefault(pool_id, (host, pool))
    return found


def _look(session: HostSession, host_pools: tuple[HostPool, ...], pools: PoolMap) -> tuple[Marks, Marks]:
    """What the VMs of a host use, and what is marked there as not whole, by pool id and name."""

    def ask(connection: Connection) -> tuple[Marks, Marks]:
        used = set()
        for domain in connection.raw.listAllDomains(0):
            try:
                texts = [domain.XMLDesc(0)] + ([domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)] if domain.isPersistent() else [])
            except libvirt.libvirtError as error:
                if is_missing(error):
                    continue
                raise
            for disk in (disk for text in texts for disk in read_domain(text).disks):
                for one in (disk, *(dataclasses.replace(disk, path=path, pool="", type="file") for path in disk.backing)):
                    pool = pools.pool_of(host_pools, one)
                    if pool is not None:
                        used.add((pools.pool_id(session.name, pool), one.path.rpartition("/")[2]))
        ids = {pool.name: pools.pool_id(session.name, pool) for pool in host_pools}
        marks = {
            (ids[pool], name)
            for (pool, name), mark in partial.every(connection).items()
            if pool in ids and not (mark.note is not None and stage_of(mark.note).is_committed)
        }
        return frozenset(used), frozenset(marks)

    return session.run("looking for disks in use", ask, READ_SECONDS)


def _list(session: HostSession, places: Mapping[str, tuple[str, HostPool]]) -> dict[str, tuple[VolumeFacts, ...]]:
    def ask(connection: Connection) -> dict[str, tuple[VolumeFacts, ...]]:
        return {pool_id: _volumes_in(connection, pool.name) for pool_id, (host, pool) in places.items() if host == session.name}

    return session.run("listing volumes", ask, READ_SECONDS)


def _volumes_in(connection: Connection, pool: str) -> tuple[VolumeFacts, ...]:
    refresh(connection, pool)
    found = []
    for volume in connection.raw.storagePoolLookupByName(pool).listAllVolumes(0):
        try:
            if volume.info()[0] in (libvirt.VIR_STORAGE_VOL_FILE, libvirt.VIR_STORAGE_VOL_BLOCK):
                found.append(describe(volume))
        except libvirt.libvirtError as error:
            if not is_missing(error):
                raise
    return tuple(found)


def _below(known: Mapping[str, VolumeFacts], path: str) -> set[str]:
    """The images that one rests on, as far as they are in its pool."""
    found: set[str] = set()
    while (volume := known.get(path)) is not None and volume.backing and volume.backing not in found:
        path = volume.backing
        found.add(path)
    return found


def _volume(pool_id: str, facts: VolumeFacts, known: Mapping[str, VolumeFacts]) -> Volume:
    backing = [facts.backing] if facts.backing else []
    while backing and (lower := known.get(backing[-1])) is not None and lower.backing and lower.backing not in backing:
        backing.append(lower.backing)
    return Volume(
        id=f"{pool_id}/{facts.name}",
        name=facts.name,
        path=facts.path,
        pool=pool_id,
        capacity_bytes=facts.capacity_bytes,
        allocated_bytes=facts.allocated_bytes,
        format=facts.format,
        backing=tuple(backing),
        encrypted=facts.encrypted,
    )
