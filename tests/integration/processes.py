# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes as the kernel shows them: the descendants of one, each known by number and start time, because numbers are used again."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process that was there when it was looked for."""

    pid: int
    started_ticks: int
    command: tuple[str, ...]

    def is_alive(self) -> bool:
        """True where it runs still; one that only waits for its parent to collect it does not."""
        found = _stat(self.pid)
        return found is not None and found.started_ticks == self.started_ticks and found.state not in "ZX"

    def kill(self) -> None:
        """SIGKILL, if it is still the same one."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True)
class _Stat:
    parent: int
    state: str
    started_ticks: int


def _stat(pid: int) -> _Stat | None:
    """Fields 3, 4 and 22 of proc(5) stat; None for a process that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return _Stat(int(fields[1]), fields[0], int(fields[19]))


def descendants(pid: int) -> list[Process]:
    """All children of a process, theirs, and so on."""
    found = {int(entry.name): stat for entry in Path("/proc").iterdir() if entry.name.isdigit() and (stat := _stat(int(entry.name)))}
    family = {pid}
    while more := {child for child, stat in found.items() if stat.parent in family} - family:
        family |= more
    return [Process(child, found[child].started_ticks, _command(child)) for child in sorted(family - {pid})]


def _command(pid: int) -> tuple[str, ...]:
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0"))
    except OSError:
        return ()
