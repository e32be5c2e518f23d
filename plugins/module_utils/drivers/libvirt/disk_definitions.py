# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VM's disks as its definition has them, for copying: where each is, what it rests on, and the same definition with other paths. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .domain_xml import Element, parse, to_text

_DEVICES = re.compile(r"^  <devices>$.*?^  </devices>$", re.DOTALL | re.MULTILINE)
_DISK = re.compile(r"<disk [^>]*>.*?</disk>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DiskImage:
    """A disk with a medium. ``chain`` are the images below it, nearest first, each with its format; only an active VM's definition shows them."""

    device: str
    type: str
    path: str
    format: str
    chain: tuple[tuple[str, str], ...] = ()
    is_read_only: bool = False
    is_encrypted: bool = False
    has_block_job: bool = False


@dataclass(frozen=True, slots=True)
class NewPlace:
    """Where a disk is after a move."""

    path: str
    format: str


def read_disks(xml: str) -> dict[str, DiskImage]:
    """The disks of a definition by device name."""
    found = (_read(element) for element in parse(xml).iterfind("./devices/disk") if element.find("./source") is not None)
    return {disk.device: disk for disk in found}


def with_places(xml: str, places: Mapping[str, NewPlace]) -> str:
    """The definition with these disks (by device) in other files. All else stays as it is, letter by letter: other programs' metadata too."""
    return _DEVICES.sub(lambda devices: _DISK.sub(lambda disk: _replaced(disk.group(0), places), devices.group(0)), xml, count=1)


def _read(element: Element) -> DiskImage:
    source, driver, target = element.find("./source"), element.find("./driver"), element.find("./target")
    return DiskImage(
        device=target.get("dev", "") if target is not None else "",
        type=element.get("type", "file"),
        path=source.get("file") or source.get("dev") or source.get("volume") or source.get("name") or "",
        format=driver.get("type", "") if driver is not None else "",
        chain=_chain(element),
        is_read_only=element.find("./readonly") is not None or element.get("device", "disk") in ("cdrom", "floppy"),
        is_encrypted=element.find("./encryption") is not None or source.find("./encryption") is not None,
        has_block_job=element.find("./mirror") is not None,
    )


def _chain(disk: Element) -> tuple[tuple[str, str], ...]:
    found, store = [], disk.find("./backingStore")
    while store is not None:
        source, kind = store.find("./source"), store.find("./format")
        if source is not None:
            found.append((source.get("file") or source.get("dev") or source.get("name") or "", kind.get("type", "") if kind is not None else ""))
        store = store.find("./backingStore")
    return tuple(found)


def _replaced(xml: str, places: Mapping[str, NewPlace]) -> str:
    disk = parse(xml)
    target, source, driver = disk.find("./target"), disk.find("./source"), disk.find("./driver")
    place = places.get(target.get("dev", "")) if target is not None else None
    if place is None or source is None or driver is None:
        return xml
    source.set("file", place.path)
    source.attrib.pop("index", None)
    driver.set("type", place.format)
    # What is below it there, libvirt reads from the image itself, whose backing format is explicit.
    for element in [*disk.findall("./backingStore"), *disk.findall("./mirror")]:
        disk.remove(element)
    return to_text(disk).strip()
