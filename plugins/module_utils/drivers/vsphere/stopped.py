# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves of a VM that is stopped for them, or suspended: first the note says so, then the guest is stopped, then vCenter relocates what is at rest.

The VM is started when its move is settled, or taken back (``settle.py``); a run that dies in between leaves that to the next one, by the note.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...model.errors import MigrationError, MoveFailed
from ...model.migration import Migration, Mode
from ...model.note import VmNote
from .connection import VCenter
from .power import STOPPING, shut_down, suspend
from .settle import put_note


@dataclass
class StopControl:
    """What the thread that stops a guest and the one that waits for the move tell each other."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    message: str = ""

    def require_going(self) -> None:
        """Raises MoveFailed (``cancelled``) where somebody has given the move up."""
        if self.cancelled.is_set():
            raise MoveFailed("aborted before it began", code="cancelled")


@dataclass
class RelocateJob:
    """What a job carries: the task (None as long as there is none, or for a move that was over before it could be seen), and for a guest that is stopped first
    the control of that.
    """

    task: Any
    stop: StopControl | None = None

    def give_up(self) -> None:
        """Begin nothing more."""
        if self.stop is not None:
            self.stop.cancelled.set()


@dataclass(frozen=True)
class StopSteps:
    """The steps before the relocation; ``relocate`` begins it and gives its task, ``abort`` cancels that."""

    center: VCenter
    migration: Migration
    note: VmNote
    shutdown_seconds: float
    relocate: Callable[[], Any]
    abort: Callable[[RelocateJob], None]

    def carry(self, job: RelocateJob) -> None:
        """Run in a thread of its own. What it says of its end is for people; where the VM is, and whether it runs, is asked of vCenter."""
        control = job.stop or StopControl()
        try:
            self._stop(control)
            control.require_going()
            job.task = self.relocate()
            if control.cancelled.is_set():  # in this very moment, by somebody who saw no task yet
                self.abort(job)
        except MigrationError as error:
            control.message = str(error)
        finally:
            control.over.set()

    def _stop(self, control: StopControl) -> None:
        vm, name = self.migration.vm, self.migration.vm_name
        put_note(self.center, vm, name, dataclasses.replace(self.note, stage=STOPPING))
        control.require_going()
        if self.migration.mode is Mode.SUSPENDED:
            suspend(self.center, vm, name)
        else:
            shut_down(self.center, vm, name, self.shutdown_seconds, control.require_going)
