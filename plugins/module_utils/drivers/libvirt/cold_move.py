# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves by copying through this process: what all their files share. A VM that is stopped or off, or a detached volume; stop, copy, define, start.

The point of no return is one call of libvirt: the definition with the new paths, whose note says ``switched``. It makes the VM on another host known
there, or changes it where it is. Before it the VM belongs to its source, after it to its target; the one is never started after it, the other never before.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum

from ...model.migration import Migration, Mode
from ...model.note import NotedVolume, VmNote
from ...model.progress import Phase, Progress
from ...model.request import MoveOptions
from ..driver import DEFAULTS
from .cold_xml import Place, Way
from .connection import Connection, Hosts, HostSession
from .domains import Domain, find_domain
from .notes import note_of, put_note
from .stream_copy import CopyControl
from .volumes import describe, find_volume, pool_name

NVRAM = "nvram"
"""The device name of UEFI variables among the noted volumes."""


class Stage(StrEnum):
    """How far a move has come, as its note says.

    ``noted``: nothing has changed. ``stopping``: autostart is off, the VM is stopped, volumes are copied. ``copied``: all copies are verified. ``switched``:
    the VM is the one with the new paths; it was not started there. ``starting``: it is about to be started there, so that it may have run and never goes
    back. ``started``: it was started there, and never is again by this move.
    """

    NOTED = "noted"
    STOPPING = "stopping"
    COPIED = "copied"
    SWITCHED = "switched"
    STARTING = "starting"
    STARTED = "started"

    @property
    def is_committed(self) -> bool:
        """True past the point of no return."""
        return self in (Stage.SWITCHED, Stage.STARTING, Stage.STARTED)

    @property
    def may_have_run(self) -> bool:
        """True where the VM's disks at the target may hold what those at the source do not."""
        return self in (Stage.STARTING, Stage.STARTED)


def stage_of(note: VmNote) -> Stage:
    """The stage of a note of such a move."""
    return Stage(note.stage) if note.stage in tuple(Stage) else Stage.NOTED


def at_stage(note: VmNote, stage: Stage) -> VmNote:
    """The note at that stage."""
    return dataclasses.replace(note, stage=stage.value)


def is_cold(migration: Migration, note: VmNote | None = None) -> bool:
    """True for the moves that these files make. An adopted migration says less than its note."""
    return not migration.vm or migration.mode in (Mode.COLD, Mode.OFFLINE) or (note is not None and note.mode in (Mode.COLD.value, Mode.OFFLINE.value))


@dataclass(eq=False)
class ColdJob:
    """A move under way in a thread of this process. Its fields change while it lasts.

    ``legs``: how often each byte passes (twice where it is read back), ``compared_bytes``: what is read beside, before the guest is stopped.
    ``patient_until``: a guest is shutting down or being started, and may take so long (monotonic seconds).
    """

    control: CopyControl
    phase: Phase = Phase.PREPARING
    length_bytes: int = 0
    legs: int = 1
    compared_bytes: int = 0
    message: str = ""
    patient_until: float | None = None
    stopped_at: float | None = None
    started_at: float | None = None
    is_committed: bool = False
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def commit(self) -> None:
        """From now on it cannot be cancelled. Raises CopyCancelledError where it was cancelled before."""
        with self.lock:
            self.control.require_going()
            self.is_committed = True

    @property
    def downtime_ms(self) -> float | None:
        """From the VM's end to its start, as this process saw them."""
        return None if self.stopped_at is None or self.started_at is None else (self.started_at - self.stopped_at) * 1000.0

    def sample(self, migration_id: str) -> Progress:
        """Where it stands. A guest that may take its time to shut down or start counts down what remains, so that this wait, which has an end, is no stall."""
        total, done = self.length_bytes * self.legs + self.compared_bytes, self.control.processed_bytes
        until = self.patient_until
        waiting = int(max(0.0, until - time.monotonic()) * 10) if until is not None else 0
        ended = self.over.is_set()
        return Progress(
            migration_id=migration_id,
            phase=Phase.VERIFYING if ended else self.phase,
            percent=round(min(99.9, 100.0 * done / total), 1) if total else 0.0,
            processed_bytes=max(0, done - self.compared_bytes) // self.legs,
            remaining_bytes=max(0, total - done) + waiting,
            total_bytes=total,
            ended=ended,
            message=self.message,
            at=time.time(),
        )


@dataclass(frozen=True, slots=True)
class ColdMove:
    """One move with everything that it needs."""

    hosts: Hosts
    migration: Migration
    note: VmNote
    options: MoveOptions = DEFAULTS

    @property
    def source(self) -> HostSession:
        """The host that the VM, or volume, is read on."""
        return self.hosts.get(self.note.source)

    @property
    def target(self) -> HostSession:
        """The host that it is written on."""
        return self.hosts.get(self.note.target)

    @property
    def changes_host(self) -> bool:
        """False where only the storage changes."""
        return self.note.source != self.note.target


def our_note(domain: Domain | None, note: VmNote) -> VmNote | None:
    """The note of this very operation as the domain carries it now; None where it carries another or none."""
    found = note_of(domain) if domain is not None else None
    return found if found is not None and found.operation_id == note.operation_id else None


def write_stage(connection: Connection, move: ColdMove, stage: Stage) -> None:
    """Write the stage into the note of the VM on this host; a VM that does not carry this operation's note is left alone."""
    domain = find_domain(connection, move.migration.vm)
    found = our_note(domain, move.note)
    if found is not None and found.stage != stage.value:
        put_note(domain, at_stage(found, stage))


def way_of(connection: Connection, note: VmNote, volume: NotedVolume, *, back: bool = False) -> Way:
    """Old and new place of a noted volume; ``back``: the other way round. ``connection``: the host of the new place, which knows what it is there."""
    source = Place(volume.source_path, pool_name(note.source, volume.source_pool), volume.source_path.rpartition("/")[2])
    target = Place(volume.target_path, pool_name(note.target, volume.target_pool), volume.target_path.rpartition("/")[2])
    old, new = (target, source) if back else (source, target)
    found = find_volume(connection, new.path)
    return old, dataclasses.replace(new, is_block=found is not None and describe(found).is_block)
