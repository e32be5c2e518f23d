# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the schedule is made of: jobs, the units that they occupy, the channels that they share, and the time line that comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model.site import Limits
from ..model.vm import Vm
from .durations import DEFAULT_CALIBRATION, Calibration, Estimate, estimate, with_disks
from .routes import Channel, Route

Unit = tuple[str, str]
"""A slot of something: (``host`` | ``link`` | ``pool`` | ``run``, its name)."""

WHOLE_RUN: Unit = ("run", "")


@dataclass(frozen=True, slots=True)
class Job:
    """One move as the schedule sees it. ``after`` are ids of jobs that must have ended before it starts.

    ``disk_bytes`` are copied besides the memory, at ``speed_mib_s`` at most (0: no cap), but for ``uncapped_bytes`` of them;
    without ``has_memory`` the disks are all that is copied.
    """

    id: str
    vm: Vm
    source: str
    target: str
    route: Route
    units: tuple[Unit, ...]
    after: frozenset[str] = frozenset()
    calibration: Calibration = DEFAULT_CALIBRATION
    disk_bytes: int = 0
    has_memory: bool = True
    speed_mib_s: int = 0
    uncapped_bytes: int = 0

    def at(self, bandwidth_mbps: float) -> Estimate:
        """Its course at a steady bandwidth."""
        vm = self.vm
        memory_mib = vm.memory_mib if self.has_memory else 0
        course = estimate(memory_mib, vm.dirty_rate_mib_s, vm.working_set_mib, bandwidth_mbps, self.calibration)
        return with_disks(course, self.disk_bytes, bandwidth_mbps, self.calibration, self.speed_mib_s, self.uncapped_bytes)

    @property
    def best_seconds(self) -> float:
        """Its duration when it has the way for itself."""
        return self.at(self.route.bandwidth_mbps).seconds


@dataclass(frozen=True, slots=True)
class Slot:
    """When a job runs, in seconds from the start of the plan, and the bandwidth that it has on average."""

    start: float
    end: float
    bandwidth_mbps: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The slots of all jobs, by id."""

    slots: Mapping[str, Slot] = field(default_factory=dict)

    @property
    def makespan_seconds(self) -> float:
        """The end of the last one."""
        return max((slot.end for slot in self.slots.values()), default=0.0)


@dataclass(frozen=True)
class Capacity:
    """How much there is of everything: units by the site's limits, ``parallel`` for the whole run (0: no limit), bandwidth of channels."""

    limits: Limits
    parallel: int
    channels_mbps: Mapping[Channel, float]

    def units(self, unit: Unit) -> float:
        """How many units there are; a job occupies one of most of them."""
        return self.parallel or float("inf") if unit == WHOLE_RUN else self.limits.of(*unit)

    def cost(self, job: Job, unit: Unit) -> int:
        """How many of them the job takes."""
        return self.limits.cost(*unit, copies_disks=job.disk_bytes > 0)
