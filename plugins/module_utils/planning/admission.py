# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulates the admission of jobs as slots come free, the way the executor admits them, with bandwidth shared by all that run."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .jobs import WHOLE_RUN, Capacity, Job, Slot, Timeline, Unit
from .routes import Channel


@dataclass(slots=True)
class _Running:
    """A job under way: the share of its work that is left, and how long the whole would take at its present rate."""

    job: Job
    rank: int
    started: float
    left: float
    seconds: float
    rate_mbps: float
    since: float
    sent: float = 0.0
    version: int = 0


class Admission:
    """One simulated run. Jobs are admitted in the order given wherever their units are free and what they wait for has ended.

    A channel's bandwidth is shared equally by the jobs on it: a job that is held up elsewhere leaves its share unused, so the time line errs on the
    long side. With ``unshared`` a job is admitted only where it finds all the bandwidth that it could have alone. Raises ValueError where jobs wait for
    each other.
    """

    def __init__(self, jobs: Sequence[Job], capacity: Capacity, *, unshared: bool = False) -> None:
        self._jobs = jobs
        self._capacity = capacity
        self._unshared = unshared
        self._used: dict[Unit, int] = defaultdict(int)
        self._waiting: dict[Unit | Channel, list[int]] = defaultdict(list)
        self._blockers: dict[int, int] = {}
        self._followers: dict[str, list[int]] = defaultdict(list)
        self._on: dict[Channel, set[int]] = defaultdict(set)
        self._running: dict[int, _Running] = {}
        self._events: list[tuple[float, int, int]] = []
        self._slots: dict[str, Slot] = {}

    def run(self) -> Timeline:
        """Simulate to the end."""
        known = {job.id for job in self._jobs}
        for rank, job in enumerate(self._jobs):
            before = job.after & known
            self._blockers[rank] = len(before)
            for other in before:
                self._followers[other].append(rank)
        for rank, job in enumerate(self._jobs):
            if not self._blockers[rank]:
                self._try(rank, job, 0.0)
        while self._events:
            now, rank, version = heapq.heappop(self._events)
            if rank in self._running and self._running[rank].version == version:
                self._end(rank, now)
        if len(self._slots) != len(self._jobs):
            raise ValueError("jobs wait for each other: " + ", ".join(job.id for job in self._jobs if job.id not in self._slots))
        return Timeline(self._slots)

    def _units(self, job: Job) -> tuple[Unit, ...]:
        return (WHOLE_RUN, *job.units)

    def _has_room(self, job: Job, unit: Unit) -> bool:
        return self._used[unit] + self._capacity.cost(job, unit) <= self._capacity.units(unit)

    def _blocked_by(self, job: Job) -> Unit | Channel | None:
        """The first unit without a free slot, or channel without enough bandwidth."""
        for unit in self._units(job):
            if not self._has_room(job, unit):
                return unit
        for channel in job.route.channels if self._unshared else ():
            taken_mbps = sum(self._jobs[rank].route.bandwidth_mbps for rank in self._on[channel])
            if taken_mbps and taken_mbps + job.route.bandwidth_mbps > self._capacity.channels_mbps[channel] * (1 + 1e-9):
                return channel
        return None

    def _try(self, rank: int, job: Job, now: float) -> None:
        """Start the job, or let it wait for the first thing that has no room for it."""
        blocker = self._blocked_by(job)
        if blocker is not None:
            heapq.heappush(self._waiting[blocker], rank)
            return
        for unit in self._units(job):
            self._used[unit] += self._capacity.cost(job, unit)
        self._running[rank] = _Running(job, rank, now, 1.0, 1.0, 0.0, now)
        for channel in job.route.channels:
            self._on[channel].add(rank)
        self._share(job, now)

    def _end(self, rank: int, now: float) -> None:
        run = self._running.pop(rank)
        job = run.job
        run.sent += run.rate_mbps * (now - run.since)
        lasted = now - run.started
        self._slots[job.id] = Slot(run.started, now, run.sent / lasted if lasted > 0 else run.rate_mbps)
        for channel in job.route.channels:
            self._on[channel].discard(rank)
        for unit in self._units(job):
            self._used[unit] -= self._capacity.cost(job, unit)
        self._share(job, now)
        ready = []
        for follower in self._followers[job.id]:
            self._blockers[follower] -= 1
            if not self._blockers[follower]:
                ready.append(follower)
        if self._unshared:
            for channel in job.route.channels:  # one behind the first may need less bandwidth: look at them all
                ready += self._waiting.pop(channel, [])
        self._admit(sorted(ready), self._units(job), now)

    def _admit(self, ready: list[int], freed: tuple[Unit, ...], now: float) -> None:
        """Try those that were waiting for what has come free, in their order."""
        while True:
            heads = [(self._waiting[unit][0], unit) for unit in freed if self._waiting[unit] and self._has_room(self._jobs[self._waiting[unit][0]], unit)]
            if ready and (not heads or ready[0] < min(heads)[0]):
                rank = ready.pop(0)
            elif heads:
                rank = heapq.heappop(self._waiting[min(heads)[1]])
            else:
                return
            self._try(rank, self._jobs[rank], now)

    def _share(self, job: Job, now: float) -> None:
        """Give every job on this job's channels its new rate."""
        for rank in sorted({rank for channel in job.route.channels for rank in self._on[channel]}):
            run = self._running[rank]
            rate_mbps = min(run.job.route.cap_mbps, *(self._capacity.channels_mbps[channel] / len(self._on[channel]) for channel in run.job.route.channels))
            if rate_mbps == run.rate_mbps:
                continue
            run.left -= (now - run.since) / run.seconds
            run.sent += run.rate_mbps * (now - run.since)
            run.rate_mbps, run.since = rate_mbps, now
            run.seconds = run.job.at(rate_mbps).seconds
            run.version += 1
            heapq.heappush(self._events, (now + max(run.left, 0.0) * run.seconds, rank, run.version))
