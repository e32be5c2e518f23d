# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress of one migration, as often as somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a migration stands. The last four are ends; ``unknown`` is resolved by asking both hypervisors."""

    PLANNED = "planned"
    CHECKING = "checking"
    PREPARING = "preparing"
    COPYING = "copying"
    SWITCHING = "switching"
    VERIFYING = "verifying"
    CLEANING = "cleaning"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Progress:
    """A sample.

    ``ended`` is True when the hypervisor's call has returned or its job is gone; that says nothing about success: ask ``verify``.
    ``message`` is the hypervisor's own word for an error. ``remaining_bytes`` is what a stall is judged by. ``at`` in epoch seconds of the driver's clock.
    ``passes`` counts the whole passes over the guest's memory that are done (0: the first, or not known). ``past_return``: the guest runs at the destination
    already and the rest of its memory follows (post-copy), so that there is no way back. ``interrupted``: that following has broken off; ``hurry`` takes it up.
    ``is_measured``: False where the hypervisor tells no bytes, so that no stall can be seen; the timeout of the move bounds it alone.
    """

    migration_id: str
    phase: Phase
    percent: float = 0.0
    processed_bytes: int = 0
    remaining_bytes: int = 0
    total_bytes: int = 0
    rate_mib_s: float = 0.0
    dirty_rate_mib_s: float | None = None
    expected_downtime_ms: float | None = None
    passes: int = 0
    past_return: bool = False
    interrupted: bool = False
    is_measured: bool = True
    ended: bool = False
    message: str = ""
    at: float = 0.0
