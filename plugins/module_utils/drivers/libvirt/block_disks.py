# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The disks of a live storage move on one host, as the host has them now against what the note says. Asked, or read from a definition."""

from __future__ import annotations

from dataclasses import dataclass

from ...model.migration import DiskCopy, Migration, MigrationType, Mode
from ...model.note import NotedVolume, VmNote
from ...model.vm import PowerState
from .connection import Connection
from .domain_xml import DiskFacts, read_domain
from .domains import ask_state, find_domain
from .failures import is_missing
from .library import libvirt
from .notes import note_of

SWITCHING = "@switching"
MODES = (Mode.LIVE, Mode.SUSPENDED)


@dataclass(frozen=True, slots=True)
class CopyWay:
    """How all disks of the move are copied, kept in the note's ``stage`` for whoever has to go on with it. ``bandwidth_mib_s`` 0: no cap.

    ``is_switching``: the guest was running, and is paused by us for the moment of the switch.
    """

    copy: DiskCopy = DiskCopy.FULL
    bandwidth_mib_s: int = 0
    is_switching: bool = False

    @property
    def is_incremental(self) -> bool:
        """True where a copy rests on what its disk rests on."""
        return self.copy is DiskCopy.INCREMENTAL

    @property
    def stage(self) -> str:
        """As the note keeps it."""
        return f"{self.copy.value}@{self.bandwidth_mib_s}{SWITCHING if self.is_switching else ''}"

    @classmethod
    def of(cls, note: VmNote) -> CopyWay:
        """What a note says; a whole copy without a cap where it says nothing."""
        copy, _at, cap = note.stage.removesuffix(SWITCHING).partition("@")
        is_switching = note.stage.endswith(SWITCHING)
        return cls(DiskCopy(copy) if copy in set(DiskCopy) else DiskCopy.FULL, int(cap) if cap.isdecimal() else 0, is_switching)


@dataclass(frozen=True, slots=True)
class DiskView:
    """One noted disk. ``now``: what the VM uses, or would use (None: it has no such disk); ``kept``: in the definition that outlives it (None: none)."""

    volume: NotedVolume
    now: DiskFacts | None
    kept: DiskFacts | None = None

    @property
    def is_copying(self) -> bool:
        """True while a block job of this move runs on it, ready to switch or not."""
        return self.now is not None and self.now.has_block_job and self.now.mirror_path == self.volume.target_path

    @property
    def is_ready(self) -> bool:
        """True where all of it is at its target."""
        return self.is_copying and self.now is not None and self.now.mirror_ready

    @property
    def has_moved(self) -> bool:
        """True where the VM uses the copy."""
        return self.now is not None and self.now.path == self.volume.target_path

    @property
    def is_at_source(self) -> bool:
        """True where the VM uses the file that it did before."""
        return self.now is not None and self.now.path == self.volume.source_path


@dataclass(frozen=True, slots=True)
class MoveView:
    """The VM of a move, and each of its noted disks in their order."""

    power_state: PowerState
    is_active: bool
    is_persistent: bool
    note: VmNote | None
    disks: tuple[DiskView, ...]

    @property
    def is_copying(self) -> bool:
        """True while any block job of this move runs."""
        return any(disk.is_copying for disk in self.disks)

    def disk(self, volume: NotedVolume) -> DiskView:
        """The view of one noted disk."""
        return next(disk for disk in self.disks if disk.volume == volume)

    def belongs_to(self, note: VmNote) -> bool:
        """True where the VM carries the note of this very operation."""
        return self.note is not None and self.note.operation_id == note.operation_id


def is_block_move(migration: Migration) -> bool:
    """True for a move of a VM's disks on its own host while it holds memory."""
    return migration.type is MigrationType.STORAGE and migration.mode in MODES


def is_of_block_move(note: VmNote) -> bool:
    """The same, of a note."""
    return note.migration_type == MigrationType.STORAGE.value and note.mode in {mode.value for mode in MODES}


def view_disks(volumes: tuple[NotedVolume, ...], now: tuple[DiskFacts, ...], kept: tuple[DiskFacts, ...] | None) -> tuple[DiskView, ...]:
    """The noted disks as two definitions show them: the one in use and the one that is kept (None: none)."""

    def find(disks: tuple[DiskFacts, ...] | None, device: str) -> DiskFacts | None:
        return next((disk for disk in disks or () if disk.device == device), None)

    return tuple(DiskView(volume, find(now, volume.device), find(kept, volume.device)) for volume in volumes)


def look(connection: Connection, uuid: str, note: VmNote) -> MoveView | None:
    """The VM and its noted disks, asked afresh; None where the host does not know the VM."""
    state, domain = ask_state(connection, uuid), find_domain(connection, uuid)
    if state is None or domain is None:
        return None
    try:
        now = read_domain(domain.XMLDesc(0)).disks
        kept = read_domain(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).disks if state.is_persistent else None
        found = note_of(domain)
    except libvirt.libvirtError as error:
        if is_missing(error):
            return None
        raise
    return MoveView(state.power_state, state.is_active, state.is_persistent, found, view_disks(note.volumes, now, kept))
