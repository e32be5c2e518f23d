# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a migration really took: what durations can be reckoned from instead of assumptions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeasuredMove:
    """One finished live move.

    ``bandwidth_mbps`` (megabit per second) is what it had, ``seconds`` how long it took from start to end. ``dirty_rate_mib_s`` and ``working_set_mib``
    as in ``Vm``, ``disk_bytes`` what was copied of its volumes.
    """

    memory_mib: int
    bandwidth_mbps: float
    seconds: float
    dirty_rate_mib_s: float | None = None
    working_set_mib: int | None = None
    disk_bytes: int = 0
