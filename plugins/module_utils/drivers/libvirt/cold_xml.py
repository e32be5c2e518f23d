# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions with other paths in them: of a domain that moves with its disks, and of its snapshots. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import register_namespace

from ...model.note import VmNote
from .domain_xml import Element, parse, to_text
from .note_text import NAMESPACE, note_element

_PREFIXES = re.compile(r"xmlns:([A-Za-z_][\w.-]*)=['\"]([^'\"]+)['\"]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a volume is on its host: its path, and libvirt's names for its pool and for itself."""

    path: str
    pool: str = ""
    volume: str = ""
    is_block: bool = False


Way = tuple[Place, Place]


@dataclass(frozen=True, slots=True)
class Peculiarities:
    """What a definition says of state beside the disks. ``secrets`` are the UUIDs that its disks' encryption needs."""

    nvram: str
    has_tpm: bool
    secrets: tuple[str, ...]


def peculiarities(xml: str) -> Peculiarities:
    """Read them from a definition."""
    root = parse(xml)
    nvram = root.find("./os/nvram")
    return Peculiarities(
        nvram=_nvram_path(nvram) if nvram is not None else "",
        has_tpm=any(backend.get("type") == "emulator" for backend in root.iterfind("./devices/tpm/backend")),
        secrets=tuple(secret.get("uuid", "") for secret in root.iterfind("./devices/disk//encryption/secret") if secret.get("uuid")),
    )


def with_new_places(xml: str, ways: Sequence[Way], note: VmNote | None = None) -> str:
    """A domain's or snapshot's definition with every volume at its new place, and with this note in the place of the one that it has."""
    # Elements of other namespaces keep the prefixes that people know them by.
    for prefix, uri in _PREFIXES.findall(xml):
        with contextlib.suppress(ValueError):  # a prefix that the library keeps for itself
            register_namespace(prefix, uri)
    root = parse(xml)
    for disk in root.iter("disk"):
        for old, new in ways:
            if disk.find("./source") is not None and _move(disk, old, new):
                break
    for nvram in root.iter("nvram"):
        for old, new in ways:
            if _nvram_path(nvram) == old.path:
                _set_nvram(nvram, new.path)
                break
    if note is not None:
        found = root.find(f"./metadata/{{{NAMESPACE}}}migration")
        if found is not None:
            found.text = parse(note_element(note)).text
    return to_text(root)


def external_memory(snapshot_xml: str) -> str:
    """The file that holds a snapshot's memory beside the disks; empty where there is none."""
    memory = parse(snapshot_xml).find("./memory")
    return str(memory.get("file", "")) if memory is not None and memory.get("snapshot") == "external" else ""


def snapshot_name(snapshot_xml: str) -> str:
    """The name of a snapshot from its definition."""
    return str(parse(snapshot_xml).findtext("./name", ""))


def _move(disk: Element, old: Place, new: Place) -> bool:
    source = disk.find("./source")
    if disk.get("type") == "volume":
        if (source.get("pool"), source.get("volume")) != (old.pool, old.volume):
            return False
        source.set("pool", new.pool)
        source.set("volume", new.volume)
        return True
    if old.path not in _paths(source):
        return False
    for name in ("file", "dev"):
        source.attrib.pop(name, None)
    source.set("dev" if new.is_block else "file", new.path)
    if disk.get("type") is not None:
        disk.set("type", "block" if new.is_block else "file")
    return True


def _paths(source: Element) -> Iterator[str]:
    for name in ("file", "dev"):
        if source.get(name):
            yield source.get(name)


def _nvram_path(nvram: Element) -> str:
    source = nvram.find("./source")
    return str(source.get("file", "") if source is not None else (nvram.text or "").strip())


def _set_nvram(nvram: Element, path: str) -> None:
    source = nvram.find("./source")
    if source is not None:
        source.set("file", path)
    else:
        nvram.text = path
