# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images in the pools of a host, through libvirt's storage API: their facts as a copy needs them, new ones of a given form, and their removal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from .connection import Connection
from .domain_xml import parse
from .failures import is_missing
from .library import libvirt
from .pools import HostPool, read_pools
from .volumes import find_volume, refresh


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file of a pool. ``physical_bytes`` is its length, ``capacity_bytes`` what a guest sees, ``modified`` the host's word for its last change.

    ``backing`` is the path of the image below it (empty: none). ``layout`` is what a copy of a qcow2 image takes over: its XML elements.
    """

    path: str
    format: str
    capacity_bytes: int
    allocated_bytes: int
    physical_bytes: int
    modified: str = ""
    backing: str = ""
    backing_format: str = ""
    layout: str = ""


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to make. ``layout``: XML elements of a qcow2 image's inner form, as ``ImageFile`` has them."""

    name: str
    format: str
    capacity_bytes: int
    backing: str = ""
    backing_format: str = ""
    layout: str = ""


def read_image(xml: str) -> ImageFile:
    """A volume's facts from its definition. Format: https://libvirt.org/formatstorage.html#storage-volume-xml."""
    root = parse(xml)
    kind, cluster, features = root.find("./target/format"), root.find("./target/clusterSize"), root.find("./target/features")
    below = root.find("./backingStore/format")
    compat = root.findtext("./target/compat", "")
    parts = [f"<compat>{escape(compat)}</compat>" if compat else ""]
    if cluster is not None and cluster.text:
        parts.append(f"<clusterSize unit='B'>{int(cluster.text)}</clusterSize>")
    if features is not None and features.find("./lazy_refcounts") is not None:
        parts.append("<features><lazy_refcounts/></features>")
    return ImageFile(
        path=root.findtext("./target/path", ""),
        format=kind.get("type", "") if kind is not None else "",
        capacity_bytes=int(root.findtext("./capacity", "0")),
        allocated_bytes=int(root.findtext("./allocation", "0")),
        physical_bytes=int(root.findtext("./physical", root.findtext("./capacity", "0"))),
        modified=root.findtext("./target/timestamps/mtime", ""),
        backing=root.findtext("./backingStore/path", ""),
        backing_format=below.get("type", "") if below is not None else "",
        layout="".join(parts),
    )


def image_xml(image: NewImage) -> str:
    """The definition of an image to make: no room is taken beforehand, and the format of what it rests on is explicit, never guessed."""
    layout = (image.layout or "<compat>1.1</compat>") if image.format == "qcow2" else ""
    target = f"<target><format type='{escape(image.format)}'/>{layout}</target>"
    below = f"<backingStore><path>{escape(image.backing)}</path><format type='{escape(image.backing_format)}'/></backingStore>" if image.backing else ""
    size = f"<capacity unit='bytes'>{image.capacity_bytes}</capacity><allocation unit='bytes'>0</allocation>"
    return f"<volume><name>{escape(image.name)}</name>{size}{target}{below}</volume>"


def pool_holding(pools: tuple[HostPool, ...], path: str) -> HostPool | None:
    """The active pool whose folder holds this file itself; a pool of files has no folders below its own."""
    folder = path.rpartition("/")[0]
    return next((pool for pool in pools if pool.active and pool.path and pool.path.rstrip("/") == folder), None)


def find_image(connection: Connection, path: str) -> ImageFile | None:
    """The facts of the file at that path, None where no active pool has it. Its own pool is looked at afresh where they could be old."""
    volume = find_volume(connection, path)
    if volume is None:
        return None
    try:
        volume.info()  # reads the file again; one that was removed behind libvirt's back is missing now
        return read_image(volume.XMLDesc(0))
    except libvirt.libvirtError:
        pool = pool_holding(read_pools(connection), path)
        if pool is not None:
            refresh(connection, pool.name)
        volume = find_volume(connection, path)
        return None if volume is None else read_image(volume.XMLDesc(0))


def make_image(connection: Connection, pool: str, image: NewImage) -> Any:
    """Make the image in that pool. libvirt refuses a name that is taken, also by a file that it did not know of."""
    return connection.raw.storagePoolLookupByName(pool).createXML(image_xml(image), 0)


def delete_file(connection: Connection, path: str) -> bool:
    """Delete the file through its pool. False where no active pool has it (any more)."""
    volume = find_volume(connection, path)
    if volume is None:
        return False
    try:
        volume.delete(0)
    except libvirt.libvirtError as error:
        if is_missing(error):
            return False
        raise
    return True
