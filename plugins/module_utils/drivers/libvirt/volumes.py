# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes in the pools of one host: found by path, described, created empty, removed, and asked whether anything uses them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from xml.sax.saxutils import escape

from ...model.errors import MigrationError
from .connection import Connection
from .domain_xml import parse, read_domain
from .failures import is_about_connecting, is_missing
from .library import libvirt
from .pools import HostPool, read_pools

BUSY_TRIES = 20
BUSY_PAUSE_SECONDS = 0.1

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """A volume. ``length_bytes`` is the length of its file or device, ``capacity_bytes`` what a guest sees of it.

    ``backing`` is the path of the image below, ``modified`` libvirt's text of the time of its last change, ``permissions`` the XML of its permissions.
    """

    path: str
    name: str
    pool: str
    is_block: bool
    capacity_bytes: int
    allocated_bytes: int
    length_bytes: int
    format: str
    backing: str = ""
    modified: str = ""
    permissions: str = ""
    encrypted: bool = False


def pool_name(host: str, pool_id: str) -> str:
    """The name that a host has for a pool of the site: ids are ``host/name`` for its own, and ``name`` or ``name (identity)`` for shared ones."""
    own = pool_id.removeprefix(f"{host}/")
    return own.partition(" (")[0] if own == pool_id else own


def find_pool(connection: Connection, host: str, pool_id: str) -> HostPool | None:
    """The active pool of that id on a host; None where it has none."""
    names = (pool_id.removeprefix(f"{host}/"), pool_name(host, pool_id))
    active = [pool for pool in read_pools(connection) if pool.active]
    return next((pool for name in names for pool in active if pool.name == name), None)


def pool_above(connection: Connection, path: str) -> HostPool | None:
    """The active pool that a path is in: the one with the longest path above it."""
    above = [pool for pool in read_pools(connection) if pool.active and pool.path and path.startswith(pool.path.rstrip("/") + "/")]
    return max(above, key=lambda pool: len(pool.path), default=None)


def find_volume(connection: Connection, path: str) -> Any | None:
    """The volume of that path; None where there is none. libvirt knows a pool as of its last look: a file that has come or gone since is looked for again."""
    volume = _lookup(connection, path)
    if volume is not None and _is_there(volume):
        return volume
    pool = pool_above(connection, path)
    if pool is None:
        return volume
    refresh(connection, pool.name)
    return _lookup(connection, path)


def _is_there(volume: Any) -> bool:
    """False where libvirt cannot read the file of a volume that it remembers."""
    try:
        volume.info()
    except libvirt.libvirtError as error:
        if error.get_error_domain() == libvirt.VIR_FROM_STORAGE or is_missing(error):
            return False
        raise
    return True


def _lookup(connection: Connection, path: str) -> Any | None:
    try:
        return connection.raw.storageVolLookupByPath(path)
    except libvirt.libvirtError as error:
        if is_missing(error):
            return None
        raise


def refresh(connection: Connection, name: str) -> None:
    """Let libvirt look at a pool again; one in which a copy runs is never idle, and is looked at when the copy ends."""
    look_again(connection.raw.storagePoolLookupByName(name))


def look_again(pool: Any) -> None:
    """The same for a pool that is at hand."""
    try:
        _patiently(lambda: pool.refresh(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR:
            raise


def describe(volume: Any) -> VolumeFacts:
    """A volume's facts, read from its file now. Format: https://libvirt.org/formatstorage.html."""
    root = parse(volume.XMLDesc(0))
    kind, capacity, length = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)
    form, mode, owner, group = (root.find(f"./target/{name}") for name in ("format", "permissions/mode", "permissions/owner", "permissions/group"))
    rights = "".join(f"<{element.tag}>{element.text}</{element.tag}>" for element in (mode, owner, group) if element is not None)
    return VolumeFacts(
        path=volume.path(),
        name=volume.name(),
        pool=volume.storagePoolLookupByVolume().name(),
        is_block=kind == libvirt.VIR_STORAGE_VOL_BLOCK,
        capacity_bytes=capacity,
        allocated_bytes=int(root.findtext("./allocation", "0")),
        length_bytes=length,
        format=form.get("type", "raw") if form is not None else "raw",
        backing=root.findtext("./backingStore/path", ""),
        modified=root.findtext("./target/timestamps/mtime", ""),
        permissions=rights,
        encrypted=root.find("./target/encryption") is not None,
    )


def create_empty(connection: Connection, path: str, like: VolumeFacts) -> None:
    """Make a volume for the bytes of another: as long as it, all hole, with its permissions.

    It is made raw whatever the other's format is, because that format is a part of the bytes to come: the header that libvirt would write into a qcow2
    file could stay where the other one has a hole. Raises MigrationError where no active pool is above the path.
    """
    above = pool_above(connection, path)
    if above is None:
        raise MigrationError(f"{path} is in no active storage pool.", code="pool_missing")
    name = path.rpartition("/")[2]
    rights = f"<permissions>{like.permissions}</permissions>" if like.permissions and not like.is_block else ""
    xml = (
        f"<volume><name>{escape(name)}</name><capacity unit='bytes'>{like.length_bytes}</capacity><allocation unit='bytes'>0</allocation>"
        f"<target><format type='raw'/>{rights}</target></volume>"
    )
    pool = connection.raw.storagePoolLookupByName(above.name)
    _patiently(lambda: pool.createXML(xml, 0))


def remove(connection: Connection, path: str) -> None:
    """Delete a volume's file; one that is gone is well."""
    volume = find_volume(connection, path)
    if volume is None:
        return
    try:
        _patiently(lambda: volume.delete(0))
    except libvirt.libvirtError as error:
        if not is_missing(error):
            raise


def users_of(connection: Connection, path: str, but_vm: str = "") -> tuple[str, ...]:
    """Who needs this file on a host, as names for people: VMs (but that one), running or not, and volumes that rest on it."""
    found = []
    above = pool_above(connection, path)
    as_volume = (above.name if above else "", path.rpartition("/")[2])
    for domain in connection.raw.listAllDomains(0):
        try:
            texts = [domain.XMLDesc(0)] + ([domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)] if domain.isPersistent() else [])
            disks = [disk for text in texts for disk in read_domain(text).disks]
            uses = any(path in (disk.path, disk.mirror_path, *disk.backing) or (disk.pool, disk.path) == as_volume for disk in disks)
            if uses and domain.UUIDString() != but_vm:
                found.append(f"VM {domain.name()}")
        except libvirt.libvirtError as error:
            if not is_missing(error):
                raise
    for pool in connection.raw.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
        found += [f"volume {name}" for name in _resting_on(pool, path)]
    return tuple(found)


def _resting_on(pool: Any, path: str) -> list[str]:
    names = []
    for volume in pool.listAllVolumes(0):
        try:
            if parse(volume.XMLDesc(0)).findtext("./backingStore/path") == path:
                names.append(volume.name())
        except libvirt.libvirtError as error:
            if is_about_connecting(error):
                raise
            if not is_missing(error):  # nobody knows what it rests on
                names.append(f"{volume.name()} (which cannot be read: {error.get_error_message()})")
    return names


def _patiently(action: Callable[[], Result]) -> Result:
    """Repeat what libvirt refuses because a copy in the pool, or the look at it afterwards, has not quite ended."""
    for _turn in range(BUSY_TRIES - 1):
        try:
            return action()
        except libvirt.libvirtError as error:
            busy = "asynchronous jobs" in (error.get_error_message() or "") or "still in use" in (error.get_error_message() or "")
            if not busy:
                raise
            time.sleep(BUSY_PAUSE_SECONDS)
    return action()
