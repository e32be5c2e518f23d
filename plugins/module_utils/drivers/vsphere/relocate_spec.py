# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a planned migration to one complete relocation: host, resource pool, folder, home datastore, a place for every disk,
and the networks of cards that change theirs. Pure.

The spec is always complete, because the server fills in what is absent by its own lights: a datastore alone would draw all disks along, and a host of another
cluster without a pool is refused (vSphere Web Services API reference, VirtualMachineRelocateSpec).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...model.errors import InputError
from ...model.migration import Migration, MigrationType
from ...model.note import NotedVolume
from .cards import Backings, card_changes
from .devices import HOME, disks_of
from .inventory import DatastoreEntry, HostEntry, Inventory
from .library import vim
from .paths import datastore_of


def targets_of(migration: Migration, vm: str, devices: Iterable[Any], inventory: Inventory) -> dict[int, DatastoreEntry]:
    """The datastore of each disk after the move, by device key: its planned one, or the one where it is. Raises InputError for an unknown pool."""
    planned = {move.volume: move.target_pool for move in migration.volumes if move.moves and move.target_pool is not None}
    found = {}
    for disk in disks_of(devices):
        pool = planned.get(f"{vm}/{disk.key}")
        found[disk.key] = inventory.datastore(pool) if pool else inventory.datastore_of(disk.backing)
    return found


def home_of(
    migration: Migration, vmx: str, targets: Mapping[int, DatastoreEntry], devices: Iterable[Any], host: HostEntry, inventory: Inventory
) -> DatastoreEntry:
    """The datastore of the VM's own files after the move: the planned one where they have a way of their own, else they go with the disk that lies beside
    them, and stay where none of their neighbours moves.

    Raises InputError (``pool_not_on_host``) where neither leads to a datastore that the target host mounts.
    """
    planned = next((move.target_pool for move in migration.volumes if move.moves and move.volume == f"{migration.vm}/{HOME}"), None)
    if planned is not None:
        return inventory.datastore(planned)
    name = datastore_of(vmx)
    neighbours = [disk for disk in disks_of(devices) if inventory.datastore_of(disk.backing).name == name]
    places = [targets[disk.key] for disk in neighbours] or list(targets.values())
    own = next((store for store in inventory.hosts[migration.source_host].datastores.values() if store.name == name), None)
    found = places[0] if places else own
    if found is not None and found.id in host.datastores:
        return found
    text = f"the files of VM {migration.vm_name} are on {name}, which host {host.name} does not mount."
    raise InputError("target_pool", text, code="pool_not_on_host", hint="Name a pool for the VM's disks that the target host has.")


def relocate_spec(migration: Migration, vmx: str, devices: Iterable[Any], inventory: Inventory, backings: Backings) -> Any:
    """The RelocateSpec of the migration. ``backings``: of the networks that cards change to. Raises InputError for hosts and pools that are not there."""
    listed = list(devices)
    host = inventory.host(migration.target_host)
    targets = targets_of(migration, migration.vm, listed, inventory)
    formats = {move.volume: move.format for move in migration.volumes if move.format}
    locators = [_locator(disk, targets[disk.key], formats.get(f"{migration.vm}/{disk.key}", "")) for disk in disks_of(listed)]
    home = home_of(migration, vmx, targets, listed, host, inventory)
    cards = card_changes(migration, listed, inventory.portgroups, backings)
    spec = vim().vm.RelocateSpec(host=host.ref, datastore=home.ref, disk=locators, deviceChange=cards)
    if migration.type is not MigrationType.STORAGE and host.resource_pool is not None:
        source = inventory.hosts.get(migration.source_host)
        if source is None or source.cluster != host.cluster or source.datacenter != host.datacenter:
            spec.pool = host.resource_pool
        if source is not None and source.datacenter != host.datacenter:
            spec.folder = host.vm_folder
    return spec


def _locator(disk: Any, store: DatastoreEntry, format_after: str) -> Any:
    locator = vim().vm.RelocateSpec.DiskLocator(diskId=disk.key, datastore=store.ref)
    if format_after:
        flat = vim().vm.device.VirtualDisk.FlatVer2BackingInfo
        thin = format_after == "thin"
        locator.diskBackingInfo = flat(fileName="", diskMode=disk.backing.diskMode, thinProvisioned=thin, eagerlyScrub=format_after == "eager_thick")
    return locator


def noted_volumes(migration: Migration, vmx: str, devices: Iterable[Any]) -> tuple[NotedVolume, ...]:
    """What a second run needs to know of the disks, or own files, that move. Where a file will be named is the server's to say."""
    paths = {f"{migration.vm}/{disk.key}": str(disk.backing.fileName) for disk in disks_of(devices)} | {f"{migration.vm}/{HOME}": vmx}
    return tuple(
        NotedVolume(move.volume.rpartition("/")[2], paths.get(move.volume, ""), "", move.source_pool or "", move.target_pool or "", move.format)
        for move in migration.volumes
        if move.moves
    )
