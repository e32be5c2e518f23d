# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated time: runs faster than real time, and is the same for all processes that share a state file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .state import Anchor


class SimulatedClock:
    """A ``driver.Clock``. Before anything has been done in the world it counts from this process's own beginning, which is real time then.

    Never runs backwards within a process, whatever the machine's clock or another process does.
    """

    def __init__(self, speed: float, read_anchor: Callable[[], Anchor | None]) -> None:
        self._read_anchor = read_anchor
        self._own = Anchor(time.time(), time.time(), speed)
        self._latest = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Simulated epoch seconds. Raises InputError where the state file cannot be read."""
        anchor = self._anchor()
        now = anchor.simulated + max(0.0, time.time() - anchor.real) * anchor.speed
        with self._lock:
            self._latest = max(self._latest, now)
            return self._latest

    def sleep(self, seconds: float) -> None:
        """Wait that many simulated seconds."""
        if seconds > 0:
            time.sleep(seconds / self._anchor().speed)

    def anchored(self, now: float) -> Anchor:
        """An anchor that lets time run on from ``now`` at this process's own speed."""
        return Anchor(time.time(), now, self._own.speed)

    def _anchor(self) -> Anchor:
        return self._read_anchor() or self._own
