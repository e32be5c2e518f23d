# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host has a disk or medium that is not copied to it: one answer for all who decide about that."""

from __future__ import annotations

from enum import StrEnum

from ...model.migration import Migration
from ...model.reason import Reason, hard, warning
from .connection import Connection
from .domain_xml import DiskFacts
from .library import libvirt
from .volumes import find_volume, pool_above


class Place(StrEnum):
    """``there``: a volume of the host, or nothing that a host must have. ``unproven``: in no pool of it. ``missing``: its pool is there, without it."""

    THERE = "there"
    UNPROVEN = "unproven"
    MISSING = "missing"


def path_of(connection: Connection, disk: DiskFacts) -> str:
    """A disk's path on its host; one that is named by pool and volume is looked up. Empty where there is none."""
    if not disk.pool:
        return disk.path
    try:
        path: str = connection.raw.storagePoolLookupByName(disk.pool).storageVolLookupByName(disk.path).path()
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_STORAGE_POOL, libvirt.VIR_ERR_NO_STORAGE_VOL):
            return ""
        raise
    return path


def place_of(connection: Connection, disk: DiskFacts) -> Place:
    """Where a host has that disk. A medium that its VM starts without, and what is on the network, is asked of nobody."""
    if not (disk.is_on_host or disk.pool) or disk.type == "dir" or disk.startup_optional:
        return Place.THERE
    path = path_of(connection, disk)
    if path and find_volume(connection, path) is not None:
        return Place.THERE
    return Place.UNPROVEN if path and pool_above(connection, path) is None else Place.MISSING


def in_place(connection: Connection, migration: Migration, disk: DiskFacts) -> tuple[Reason, ...]:
    """A disk that is not copied must be on the destination under the same path: as a volume of one of its active pools."""
    place, host = place_of(connection, disk), migration.target_host
    which = f"{disk.pool}/{disk.path}" if disk.pool else disk.path
    if place is Place.UNPROVEN:
        text = f"Whether {host} sees {which} (disk {disk.device} of {migration.vm_name}) is unproven: it is in no active storage pool there."
        return (warning("sharing_unproven", text, "Define a pool for its folder on both hosts.", ("PCD-14",)),)
    if place is Place.MISSING:
        text = f"{host} does not see {which} (disk {disk.device} of {migration.vm_name}), although its pool is active there."
        text = text if not disk.pool else f"{host} has no volume {which} (disk {disk.device} of {migration.vm_name})."
        return (hard("volume_not_on_host", text, "Make sure that both hosts mount the same storage under this path.", ("PCD-14", "CSK-08")),)
    return ()
