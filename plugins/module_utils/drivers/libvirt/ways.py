# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways to move: by a live migration (``live.py``), by mirroring disks on one host (``block.py``), by copying what is at rest (``cold.py``).

Each has the methods of the contract that are about one move; the driver asks here whose a move is, and hands it on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from ...model.errors import StateConflict
from ...model.intent import TimeoutAction
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.progress import Progress
from ...model.reason import Reason
from ...model.request import MoveOptions
from ..driver import InFlight, Job, Verification

Handle = TypeVar("Handle")


class Way(Protocol):
    """One way to move; see ``driver.Driver`` for the methods of the same names."""

    @property
    def handle(self) -> type:
        """The type of what its jobs carry."""

    def makes(self, migration: Migration, note: VmNote | None = None) -> bool:
        """True for the moves that are made this way. The note, where there is one, says more than an adopted migration."""

    def check(self, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions) -> VmNote:
        """See ``driver.Driver``."""

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> Any:
        """Begin, and return the handle at once."""

    def adopt(self, migration: Migration, found: InFlight, note: VmNote) -> Any:
        """The handle of a move of ours that another process began."""

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """See ``driver.Driver``; of jobs of this way alone."""

    def cancel(self, job: Job) -> None:
        """See ``driver.Driver``."""

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """See ``driver.Driver``."""

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """See ``driver.Driver``."""

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""


class Ways:
    """All of them; a move belongs to the first that makes it."""

    def __init__(self, *ways: Way) -> None:
        self._ways = ways

    def of(self, migration: Migration, note: VmNote | None = None) -> Way:
        """The way of a move."""
        return next(way for way in self._ways if way.makes(migration, note))

    def of_job(self, job: Job) -> Way:
        """The way of a job. Raises TypeError for one of another driver."""
        found = next((way for way in self._ways if isinstance(job.handle, way.handle)), None)
        if found is None:
            raise TypeError("this job was not made by the libvirt driver")
        return found

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """One sample per job, in order; the jobs of one way are asked together."""
        owners = [self.of_job(job) for job in jobs]
        samples = {id(way): iter(way.poll([job for job, owner in zip(jobs, owners, strict=True) if owner is way])) for way in self._ways if way in owners}
        return tuple(next(samples[id(owner)]) for owner in owners)


def handle_of(job: Job, kind: type[Handle]) -> Handle:
    """What a way keeps of a job that it made. Raises TypeError for another's."""
    if not isinstance(job.handle, kind):
        raise TypeError(f"this job carries no {kind.__name__}")
    return job.handle


def sends_no_memory(job: Job, action: TimeoutAction) -> StateConflict:
    """What is answered where a move that only copies disks shall be hurried."""
    return StateConflict(f"The move of {job.migration.vm_name} sends no memory; {action.value} does not bring it to its end.", code="capability_missing")
