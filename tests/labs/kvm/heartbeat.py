# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a guest's heartbeat from its serial log, and measuring the gaps between beats while it moves."""

from __future__ import annotations

import itertools
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

UP = re.compile(rb"UP ([0-9a-f]{8})\r\n")
BEAT = re.compile(rb"HB ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8})\r\n")
TICK_MS = 10
TAIL_BYTES = 4096
WATCH_INTERVAL_S = 0.003


@dataclass(frozen=True)
class Heartbeat:
    """One beat: the boot it belongs to, ticks of 10 ms since that boot (guest time), sectors written to the disk since that boot."""

    boot_id: str
    tick: int
    disk_writes: int


class HeartbeatLog:
    """The serial log of one guest. Source and destination of a migration append to the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self) -> Heartbeat | None:
        """The newest complete beat; None when there is none yet."""
        try:
            with self.path.open("rb") as log:
                log.seek(0, 2)
                log.seek(max(0, log.tell() - TAIL_BYTES))
                beats = BEAT.findall(log.read())
        except FileNotFoundError:
            return None
        return _beat(*beats[-1]) if beats else None

    def beats(self) -> list[Heartbeat]:
        """All complete beats, in the order in which they were written."""
        return [_beat(*groups) for groups in BEAT.findall(self._read())]

    def boots(self) -> list[str]:
        """The boot id of every time that the guest came up; one when it was never restarted."""
        return [boot.decode() for boot in UP.findall(self._read())]

    def faults(self) -> list[str]:
        """What a guest that lives once and goes on must not show: a beat of another boot, or a tick that is not after the one before."""
        found = []
        beats = self.beats()
        for before, after in itertools.pairwise(beats):
            if after.boot_id != before.boot_id:
                found.append(f"boot {before.boot_id} at tick {before.tick} is followed by boot {after.boot_id}")
            elif after.tick <= before.tick:
                found.append(f"tick {before.tick} is followed by tick {after.tick}")
        return found

    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""


@dataclass
class _Watched:
    size: int
    grown_at: float
    largest_gap_s: float


class GapWatch:
    """Watches the growth of many logs in one thread. A gap is the time in which a guest wrote nothing, as the machine's clock sees it.

    A late look makes a gap seem longer, never shorter: `largest_lateness_ms` says by how much at most.
    """

    def __init__(self) -> None:
        self._logs: dict[HeartbeatLog, _Watched] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._largest_lateness_s = 0.0

    def add(self, log: HeartbeatLog) -> None:
        """Watch the log from now on; again from now on if it is watched already."""
        with self._lock:
            self._logs[log] = _Watched(log.size(), time.monotonic(), 0.0)
            if self._thread is None:
                self._stop.clear()
                self._thread = threading.Thread(target=self._watch, name="heartbeat-gaps", daemon=True)
                self._thread.start()

    def remove(self, log: HeartbeatLog) -> None:
        with self._lock:
            self._logs.pop(log, None)

    def largest_gap_ms(self, log: HeartbeatLog) -> float:
        """The largest gap since `add`, the one that still lasts included."""
        with self._lock:
            watched = self._logs[log]
            return 1000 * max(watched.largest_gap_s, time.monotonic() - watched.grown_at)

    @property
    def largest_lateness_ms(self) -> float:
        return 1000 * self._largest_lateness_s

    def stop(self) -> None:
        """End the thread; what was measured stays readable. `add` starts it again."""
        thread = self._thread
        if thread is not None:
            self._stop.set()
            thread.join(timeout=5)
            self._thread = None

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(WATCH_INTERVAL_S):
            now = time.monotonic()
            self._largest_lateness_s = max(self._largest_lateness_s, now - before - WATCH_INTERVAL_S)
            before = now
            with self._lock:
                for log, watched in self._logs.items():
                    size = log.size()
                    if size != watched.size:
                        watched.largest_gap_s = max(watched.largest_gap_s, now - watched.grown_at)
                        watched.size, watched.grown_at = size, now


def _beat(boot_id: bytes, tick: bytes, disk_writes: bytes) -> Heartbeat:
    return Heartbeat(boot_id.decode(), int(tick, 16), int(disk_writes, 16))
