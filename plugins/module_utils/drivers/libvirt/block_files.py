# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a live storage move on one host: where a disk goes, the file made there before the copy, and files removed again.

libvirt would make the file by itself, and fully allocated for some formats; it deletes any file that it is told to, in use or not. So both are done here.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from ...model.errors import InputError, StateConflict
from ...model.note import NotedVolume
from .connection import Connection
from .domain_xml import DiskFacts, parse
from .library import libvirt
from .volumes import look_again

FILE_POOLS = ("dir", "fs", "netfs")
FORMATS = ("raw", "qcow2")


def find_pool(connection: Connection, host: str, pool_id: str) -> Any:
    """libvirt's pool of that id of the site on this host: ``host/name`` for its own, the name for a shared one, ``name (identity)`` where names clash.

    Raises InputError (``pool_not_on_host``) where the host has none, or has it not active.
    """
    plain = pool_id.removeprefix(f"{host}/")
    for name in dict.fromkeys((plain, plain.partition(" (")[0])):
        try:
            pool = connection.raw.storagePoolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_POOL:
                continue
            raise
        if not pool.isActive():
            raise InputError("target_pool", f"{pool_id} is not active on {host}.", code="pool_not_on_host", hint=f"On {host}: virsh pool-start {name}.")
        return pool
    raise InputError("target_pool", f"{host} has no pool {pool_id}.", code="pool_not_on_host", hint="Define it there, or choose another pool.")


def pool_folder(pool: Any) -> str:
    """The folder of a pool of files. Raises InputError (``pool_kind_unsupported``) for any other."""
    root = parse(pool.XMLDesc())
    kind: str = root.get("type", "")
    folder: str = root.findtext("./target/path", "")
    if kind not in FILE_POOLS or not folder:
        text = f"{pool.name()} is a pool of kind {kind}; a running VM's disk is copied on its host into pools of files only ({', '.join(FILE_POOLS)})."
        raise InputError("target_pool", text, code="pool_kind_unsupported", hint="Choose a pool of files, or move the VM while it is off.")
    return folder.rstrip("/")


def file_name(disk: DiskFacts, new_format: str, taken: frozenset[str]) -> str:
    """The copy's file name: as it is, the ending changed with the format, and the disk's own name in it where another disk of the VM has that name."""
    stem, dot, ending = disk.path.rpartition("/")[2].rpartition(".")
    if not dot:
        stem, ending = ending, ""
    ending = new_format if ending == disk.format else ending
    name = f"{stem}.{ending}" if dot else stem
    return name if name not in taken else f"{stem}-{disk.device}{dot}{ending}"


def volume_xml(name: str, capacity_bytes: int, volume_format: str, backing: tuple[str, str] | None) -> str:
    """The definition of an empty, sparse volume; ``backing``: path and format of what it rests on. Format: https://libvirt.org/formatstorage.html."""
    # Version 2 of qcow2 (libvirt's default) cannot tell zeroes from data: a copy would grow to its full size.
    compat = "<compat>1.1</compat>" if volume_format == "qcow2" else ""
    below = f"<backingStore><path>{escape(backing[0])}</path><format type='{escape(backing[1])}'/></backingStore>" if backing else ""
    sizes = f"<capacity unit='bytes'>{capacity_bytes}</capacity>" + ("<allocation>0</allocation>" if volume_format == "raw" else "")
    return f"<volume><name>{escape(name)}</name>{sizes}<target><format type='{escape(volume_format)}'/>{compat}</target>{below}</volume>"


def has_file(pool: Any, name: str) -> bool:
    """True where the pool has a file of that name now."""
    look_again(pool)
    try:
        pool.storageVolLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
            return False
        raise
    return True


def make_file(connection: Connection, host: str, volume: NotedVolume, capacity_bytes: int, backing: tuple[str, str] | None) -> None:
    """Make the empty file that a disk is copied to. Raises StateConflict (``volume_exists``) where there is one of that name already."""
    pool = find_pool(connection, host, volume.target_pool)
    name = volume.target_path.rpartition("/")[2]
    if has_file(pool, name):
        raise name_taken(volume)
    pool.createXML(volume_xml(name, capacity_bytes, volume.format, backing), 0)


def name_taken(volume: NotedVolume) -> StateConflict:
    """The error for a file that is in the way."""
    text = f"{volume.target_path} (for disk {volume.device}) is there already, and not of this move."
    return StateConflict(text, code="volume_exists", hint="Find out whose it is, and rename or remove it.")


def remove_file(connection: Connection, host: str, path: str, pool_id: str) -> bool:
    """Delete a file through its pool. True where it is gone; False where no pool of that host answers for it."""
    volume = _find_volume(connection, path)
    if volume is None and pool_id:
        pool = find_pool(connection, host, pool_id)
        look_again(pool)  # a pool knows its files as of its last look
        volume = _find_volume(connection, path)
        if volume is None:
            folder = parse(pool.XMLDesc()).findtext("./target/path", "").rstrip("/")
            return path.startswith(f"{folder}/")
    if volume is None:
        return False
    volume.delete(0)
    return True


def _find_volume(connection: Connection, path: str) -> Any | None:
    try:
        return connection.raw.storageVolLookupByPath(path)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
            return None
        raise


def file_size(connection: Connection, path: str) -> int | None:
    """The size of the disk that a volume holds (bytes); None where libvirt knows no such volume."""
    volume = _find_volume(connection, path)
    return int(volume.info()[1]) if volume is not None else None
