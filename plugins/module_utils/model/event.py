# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run tells while it goes on: one small event after the other, for the terminal, the report and the time line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .progress import Phase


class EventKind(StrEnum):
    """What happened. ``note`` is a remark for people; the others carry their fields."""

    PLAN = "plan"
    HOST = "host"
    POOL = "pool"
    WAITING = "waiting"
    ADOPTED = "adopted"
    FOREIGN = "foreign"
    STARTED = "started"
    PROGRESS = "progress"
    RETRY = "retry"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``at`` in epoch seconds of the driver's clock; ``percent`` and ``eta_seconds`` belong to progress;
    ``done`` of ``total`` count the run's moves.

    ``lines`` is a plan as a table for people.
    """

    kind: EventKind
    at: float
    vm: str = ""
    vm_name: str = ""
    source: str = ""
    target: str = ""
    phase: Phase | None = None
    percent: float = 0.0
    rate_mib_s: float = 0.0
    remaining_bytes: int = 0
    eta_seconds: float | None = None
    downtime_ms: float | None = None
    done: int = 0
    total: int = 0
    message: str = ""
    lines: tuple[str, ...] = ()


Reporter = Callable[[Event], None]
