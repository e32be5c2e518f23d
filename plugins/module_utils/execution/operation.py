# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run's identity and tools: what every step of the execution needs to know."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from ..drivers.driver import Driver
from ..drivers.liveness import this_controller
from ..model.event import Event, EventKind, Reporter
from ..model.migration import Migration
from ..model.note import Controller
from ..model.progress import Phase, Progress
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from .claims import ClaimKeeper

StopSignal = Callable[[], str]
"""Why the run shall end: empty while it shall go on, else ``signal``, ``controller_gone``, ``stop_request`` or ``deadline``."""

LEAVE_AT_ONCE = ("signal", "controller_gone")
"""Reasons to end without waiting for moves that the hypervisors carry alone."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Who does this run: an id that is written into every note and claim, the process, and whether a drain remembers homes."""

    id: str
    controller: Controller
    remembers_home: bool = False


def new_operation(*, remembers_home: bool = False) -> Operation:
    """An operation of this process with a fresh id."""
    return Operation(uuid.uuid4().hex[:12], this_controller(), remembers_home)


class CurrentSite:
    """The site as last seen. Partial snapshots keep it fresh while moves go on; the planner reads it for retries."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()

    @property
    def site(self) -> Site:
        """The newest view."""
        return self._site

    def refresh(self, part: Site) -> Site:
        """Lay a fresher, partial snapshot over it; gives the result."""
        with self._lock:
            self._site = self._site.refreshed(part)
            return self._site


class Tally:
    """How many of a run's moves have ended; shown in its events."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._lock = threading.Lock()

    def count_one(self) -> None:
        """One more has ended."""
        with self._lock:
            self.done += 1


@dataclass(frozen=True)
class RunContext:
    """Everything that the steps of one run share."""

    driver: Driver
    current: CurrentSite
    request: PlanRequest
    options: MoveOptions
    operation: Operation
    keeper: ClaimKeeper
    reporter: Reporter
    stop: StopSignal
    tally: Tally

    def tell(self, kind: EventKind, migration: Migration, message: str = "", phase: Phase | None = None, downtime_ms: float | None = None) -> None:
        """Report an event of one migration."""
        self.reporter(
            Event(
                kind,
                self.driver.clock.now(),
                vm=migration.vm,
                vm_name=migration.vm_name,
                source=migration.source_host,
                target=migration.target_host,
                phase=phase,
                downtime_ms=downtime_ms,
                done=self.tally.done,
                total=self.tally.total,
                message=message,
            )
        )

    def tell_progress(self, migration: Migration, progress: Progress) -> None:
        """Report a sample of one migration."""
        rate_bytes = progress.rate_mib_s * 2**20
        self.reporter(
            Event(
                EventKind.PROGRESS,
                progress.at or self.driver.clock.now(),
                vm=migration.vm,
                vm_name=migration.vm_name,
                source=migration.source_host,
                target=migration.target_host,
                phase=progress.phase,
                percent=progress.percent,
                rate_mib_s=progress.rate_mib_s,
                remaining_bytes=progress.remaining_bytes,
                eta_seconds=progress.remaining_bytes / rate_bytes if rate_bytes > 0 else None,
                done=self.tally.done,
                total=self.tally.total,
            )
        )
