# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds a good order of admission: several list orders, each simulated, the shortest one taken."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from .admission import Admission
from .jobs import Capacity, Job, Timeline
from .routes import Channel

SMALL = 200
"""Up to so many jobs every list order is tried; above, only the first."""

PACING_GAIN = 0.95
"""Jobs are made to wait for bandwidth only where that shortens the whole to this share or less: the fewer constraints, the less a delay costs."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The jobs in the order of their admission, with everything that they wait for, and the time line that follows."""

    jobs: tuple[Job, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)


def schedule(jobs: Sequence[Job], capacity: Capacity, *, keep_order: bool = False) -> Schedule:
    """Order the jobs. With ``keep_order`` they are admitted as given wherever slots allow.

    Sharing bandwidth costs nothing as a rule. It does where jobs wait for others, which had better not share theirs with jobs that nobody waits for, and
    where guests rewrite memory faster than a share of the bandwidth can carry: then jobs may be made to wait for one another. Depends on the jobs alone,
    not on chance: equal values keep the given order.
    """
    if not jobs:
        return Schedule()
    orders = [list(jobs)] if keep_order else _orders(jobs, capacity)
    if len(jobs) > SMALL:
        orders = orders[:1]
    best = _shortest([_simulated(order, capacity) for order in orders])
    if keep_order or len(jobs) > SMALL or not (any(job.after for job in jobs) or _starved(best)):
        return best
    paced = _shortest([_simulated(_paced(order, capacity), capacity) for order in orders])
    return paced if paced.timeline.makespan_seconds <= PACING_GAIN * best.timeline.makespan_seconds else best


def _starved(found: Schedule) -> bool:
    """True where a guest, known to rewrite its memory fast, would come to an end alone and does not with its share."""
    slots = found.timeline.slots
    return any(
        job.vm.dirty_rate_mib_s is not None and job.at(job.route.bandwidth_mbps).converges and not job.at(slots[job.id].bandwidth_mbps).converges
        for job in found.jobs
    )


def _simulated(order: Sequence[Job], capacity: Capacity) -> Schedule:
    timeline = Admission(order, capacity).run()
    admitted = sorted(range(len(order)), key=lambda index: (timeline.slots[order[index].id].start, index))
    return Schedule(tuple(order[index] for index in admitted), timeline)


def _shortest(found: Sequence[Schedule]) -> Schedule:
    best = found[0]
    for other in found[1:]:
        if other.timeline.makespan_seconds < best.timeline.makespan_seconds - 1e-6:
            best = other
    return best


def _paced(order: Sequence[Job], capacity: Capacity) -> list[Job]:
    """The jobs as they would start if each waited for all the bandwidth it can use; what each of them waited for is put into ``after``."""
    slots = Admission(order, capacity, unshared=True).run().slots
    paced = []
    for job in sorted(order, key=lambda job: slots[job.id].start):
        start = slots[job.id].start
        waited = {other.id for other in order if start > 0 and slots[other.id].end == start and set(other.route.channels) & set(job.route.channels)}
        paced.append(dataclasses.replace(job, after=job.after | waited))
    return paced


def _orders(jobs: Sequence[Job], capacity: Capacity) -> list[list[Job]]:
    """Longest first (Graham 1969); those on the busiest channel first; those that others wait for first; and as given."""
    seconds = {job.id: job.best_seconds for job in jobs}
    load: dict[Channel, float] = defaultdict(float)
    for job in jobs:
        for channel in job.route.channels:
            load[channel] += seconds[job.id] * job.route.bandwidth_mbps / capacity.channels_mbps[channel]
    busiest = {job.id: max(load[channel] for channel in job.route.channels) for job in jobs}
    tail = _tails(jobs, seconds)
    return [
        sorted(jobs, key=lambda job: (-tail[job.id], -seconds[job.id])),
        sorted(jobs, key=lambda job: (-busiest[job.id], -tail[job.id])),
        sorted(jobs, key=lambda job: (-tail[job.id] - busiest[job.id], -seconds[job.id])),
        sorted(jobs, key=lambda job: (-tail[job.id], -busiest[job.id], seconds[job.id])),
        list(jobs),
    ]


def _tails(jobs: Sequence[Job], seconds: dict[str, float]) -> dict[str, float]:
    """For every job the length of the longest chain that begins with it."""
    followers: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        for other in job.after:
            followers[other].append(job.id)
    tails: dict[str, float] = {}
    for job in jobs:
        stack = [job.id]
        while stack:
            missing = [other for other in followers[stack[-1]] if other not in tails]
            if missing:
                stack += missing
                continue
            top = stack.pop()
            tails[top] = seconds[top] + max((tails[other] for other in followers[top]), default=0.0)
    return tails
