# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lower bound on the makespan, and what binds: no order of the same moves, however clever, ends earlier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..model.plan import Binding
from .durations import MIB
from .jobs import Capacity, Job, Unit
from .routes import Channel


def lower_bound(jobs: Sequence[Job], capacity: Capacity) -> Binding | None:
    """The largest of: the longest single move; the work on a host, link, pool or the whole run over its units; the bytes through a network card or shared
    link over its bandwidth. None without jobs.

    Every move is taken at the bandwidth that it would have alone: less bandwidth means more time and, as the guest goes on rewriting memory, more bytes.
    Order constraints do not count, because others might have been chosen.
    """
    bounds = [*(Binding("vm", job.vm.name, job.best_seconds) for job in jobs), *_units(jobs, capacity), *_channels(jobs, capacity)]
    return max(bounds, key=lambda bound: (bound.seconds, bound.kind, bound.name), default=None)


def _units(jobs: Sequence[Job], capacity: Capacity) -> list[Binding]:
    work: dict[Unit, float] = defaultdict(float)
    for job in jobs:
        for unit in (*job.units, ("run", "")):
            work[unit] += job.best_seconds * capacity.cost(job, unit)
    names = {("run", ""): "all moves (parallel)"}
    return [Binding(unit[0], names.get(unit, unit[1]), seconds / capacity.units(unit)) for unit, seconds in work.items()]


def _channels(jobs: Sequence[Job], capacity: Capacity) -> list[Binding]:
    """Seconds that a channel needs for what must pass it; a host's network card counts as the host."""
    megabits: dict[Channel, float] = defaultdict(float)
    for job in jobs:
        sent = job.at(job.route.bandwidth_mbps).bytes / MIB * (MIB * 8 / 1e6) / job.calibration.efficiency
        for channel in job.route.channels:
            megabits[channel] += sent
    return [Binding("link" if channel[0] == "link" else "host", channel[1], amount / capacity.channels_mbps[channel]) for channel, amount in megabits.items()]
