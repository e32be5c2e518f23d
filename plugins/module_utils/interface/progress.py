# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress: events as JSON lines in the module's own temporary folder, where the action plugin reads them. The run never fails for its sake."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..model.codec import encode
from ..model.event import Event, EventKind
from ..model.plan import Plan
from ..model.progress import Phase
from .plan_view import plan_lines

PROGRESS_FILE = "vmops-progress.jsonl"
EVERY_SECONDS = 10.0
EVERY_PERCENT = 5.0

_COPYING = (None, Phase.COPYING, Phase.SWITCHING)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was last said of a VM, and when (seconds of the machine's own clock)."""

    at: float
    percent: float
    target: str


class ProgressFile:
    """A ``Reporter`` that writes. Samples of one VM are thinned out: the first, then one per 10 s (real time) or 5 %; its end has an event of its own."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / PROGRESS_FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, _Told] = {}
        self._plans_shown = 0

    def __call__(self, event: Event) -> None:
        """Write one event, or leave it out."""
        with self._lock:
            if event.kind is EventKind.PLAN and self._plans_shown:
                self._plans_shown -= 1  # it has been shown as a table already
            elif event.kind is not EventKind.PROGRESS or self._is_due(event):
                self._write(event)

    def plan(self, plan: Plan, at: float) -> None:
        """Write the plan as a table, ahead of the event of its start; ``at`` in epoch seconds of the driver's clock."""
        with self._lock:
            self._plans_shown += bool(plan.migrations)
            self._write(Event(EventKind.PLAN, at, total=len(plan.migrations), lines=plan_lines(plan)))

    def _is_due(self, event: Event) -> bool:
        if event.phase not in _COPYING:
            return False  # the events of start and end say as much
        last, now = self._told.get(event.vm), self._clock()
        due = (
            last is None
            or last.target != event.target
            or now - last.at >= EVERY_SECONDS
            or abs(event.percent - last.percent) >= EVERY_PERCENT
            or (event.percent >= 100 > last.percent)
        )
        if due:
            self._told[event.vm] = _Told(now, event.percent, event.target)
        return due

    def _write(self, event: Event) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(encode(event)) + "\n")
        except OSError:
            # A full disk or a folder that is gone must not end a drain.
            return
