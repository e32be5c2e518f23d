# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guest's disk image: its program with the parameters written in, and what it has written there since."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from .commands import LabError
from .heartbeat import TICK_MS

PARAMETER_OFFSET = 512
PARAMETER_MARK = b"VMOPSPAR"
PAGE_BYTES = 4096
SECTOR_BYTES = 512
MIB = 1 << 20
FIRST_COUNTED_SECTOR = 64
COUNTED_SECTORS = 64
TICKS_PER_SECOND = 1000 // TICK_MS
BELOW_WORKING_SET_MIB = 16  # the guest's memory below its working set: guest.S, WORKING_SET


@dataclass(frozen=True)
class GuestLoad:
    """What a guest does all the time. dirty_mib_s: memory written per second, in turn over working_set_mib; beats and writes in ticks of 10 ms."""

    dirty_mib_s: float = 0.0
    working_set_mib: int = 16
    heartbeat_ticks: int = 1
    disk_write_ticks: int = 10

    def pages_per_tick(self) -> int:
        """At least one page if any memory is to be dirtied: 0.4 MiB/s is the slowest rate."""
        pages = round(self.dirty_mib_s * MIB / PAGE_BYTES / TICKS_PER_SECOND)
        return max(1, pages) if self.dirty_mib_s > 0 else 0


def write_image(program: Path, image: Path, load: GuestLoad, *, disk_mib: int) -> None:
    """Write a sparse raw disk of disk_mib with the guest's program and its load."""
    content = bytearray(program.read_bytes())
    if not content.startswith(PARAMETER_MARK, PARAMETER_OFFSET):
        raise LabError(f"{program} is not the lab's guest: no {PARAMETER_MARK.decode()} at offset {PARAMETER_OFFSET}")
    pages = load.working_set_mib * MIB // PAGE_BYTES
    values = (load.pages_per_tick(), pages, load.heartbeat_ticks, load.disk_write_ticks, FIRST_COUNTED_SECTOR, COUNTED_SECTORS)
    struct.pack_into(f"<{len(values)}I", content, PARAMETER_OFFSET + len(PARAMETER_MARK), *values)
    with image.open("wb") as disk:
        disk.truncate(disk_mib * MIB)
        disk.write(content)


def count_on_disk(image: Path) -> int:
    """The largest write number found in the counted sectors of a raw image: the last write that reached the disk."""
    with image.open("rb") as disk:
        disk.seek(FIRST_COUNTED_SECTOR * SECTOR_BYTES)
        content = disk.read(COUNTED_SECTORS * SECTOR_BYTES)
    return int(max(number for (number,) in struct.iter_unpack("<I", content)))
