# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for one move: progress, stall, timeout, deadline, stop. Every wait has an end, every end a name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..drivers.driver import Job
from ..model.errors import MigrationError, StateConflict
from ..model.event import EventKind
from ..model.intent import TimeoutAction
from ..model.migration import DiskCopy, Mode
from ..model.progress import Phase, Progress
from ..model.reason import Reason, hard, warning
from ..model.request import MoveOptions, OnDeadline, Transport
from .cancel_requests import CancelRequests
from .operation import LEAVE_AT_ONCE, RunContext

CANCEL_GRACE_SECONDS = 60.0
SILENCE_SECONDS = 90.0
TAKE_UP_PAUSE_SECONDS = 5.0
TAKE_UP_LEAST_SECONDS = 600.0
"""For at least so long a post-copy that broke off is taken up again: its guest is in two parts, so giving up early would help nobody."""


class Ending(StrEnum):
    """``ended``: the hypervisor's job is over, well or badly. ``left``: it goes on without us. ``lost``: it cannot be watched any more."""

    ENDED = "ended"
    LEFT = "left"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class WatchResult:
    """How the wait ended; ``cancelled_for`` is why we aborted the move, ``message`` the hypervisor's own last word."""

    ending: Ending
    cancelled_for: Reason | None = None
    message: str = ""
    last: Progress | None = None


def limit_seconds(job: Job, options: MoveOptions) -> float:
    """How long that move may take: one that copies disks has a limit of its own (CSK-06)."""
    migration = job.migration
    copies = migration.disk_copy is not DiskCopy.NONE or bool(job.note.volumes) or any(volume.moves for volume in migration.volumes)
    return options.storage_timeout_seconds if copies else options.timeout_seconds


class Watch:
    """One move being waited for. Its fields change while it waits; it is used once."""

    def __init__(self, context: RunContext, job: Job) -> None:
        self._context = context
        self._job = job
        self._clock = context.driver.clock
        self._started = self._clock.now()
        self._limit = limit_seconds(job, context.options)
        self._moved_at = self._started
        self._remaining = -1
        self._seen_at = self._started
        self._cancelled_at: float | None = None
        self._cancelled_for: Reason | None = None
        self._timeout_passed = False
        self._switch_tried = False
        self._told_past_return = False
        self._told_hint = ""
        self._broken_since: float | None = None
        self._taken_up_at = 0.0
        self._last: Progress | None = None
        self._requests = CancelRequests(context.driver, job.migration)

    def wait(self) -> WatchResult:
        """Block until the move ended, was left alone or cannot be watched."""
        while True:
            ending = self._step()
            if ending is not None:
                return WatchResult(ending, self._cancelled_for, self._last.message if self._last else "", self._last)
            self._clock.sleep(self._context.driver.poll_seconds)

    def _step(self) -> Ending | None:
        now = self._clock.now()
        try:
            progress = self._context.driver.poll([self._job])[0]
        except MigrationError:
            # Whatever it is, the move goes on: it is never reported as one that did not begin.
            return Ending.LOST if now - self._seen_at > SILENCE_SECONDS or self._context.stop() in LEAVE_AT_ONCE else None
        self._seen_at = now
        self._last = progress
        if progress.ended:
            return Ending.ENDED
        self._context.tell_progress(self._job.migration, progress)
        if progress.remaining_bytes != self._remaining or not progress.is_measured or self._waits_for_guest(progress):
            self._remaining, self._moved_at = progress.remaining_bytes, now
        if progress.past_return:
            return self._follow(progress, now)
        if self._cancelled_at is not None:
            return Ending.LOST if now - self._cancelled_at > CANCEL_GRACE_SECONDS else None
        if self._may_leave():
            return Ending.LEFT
        reason = self._reason_to_cancel(now)
        if reason is not None:
            self._cancel(reason, now)
        elif progress.passes and not self._switch_tried:
            self._switch()
        return None

    def _may_leave(self) -> bool:
        mode = self._job.migration.mode
        by_itself = mode not in self._context.driver.capabilities.needs_controller
        return by_itself and (self._is_cold or self._context.options.transport is Transport.P2P) and self._context.stop() in LEAVE_AT_ONCE

    @property
    def _is_cold(self) -> bool:
        return self._job.migration.mode in (Mode.COLD, Mode.OFFLINE)

    def _waits_for_guest(self, progress: Progress) -> bool:
        """True while a cold move copies nothing for a good reason: its guest shuts down or starts, or the copy is looked at."""
        return self._is_cold and progress.phase is not Phase.COPYING

    def _reason_to_cancel(self, now: float) -> Reason | None:
        options, vm = self._context.options, self._job.migration.vm_name
        if self._context.stop() in LEAVE_AT_ONCE:
            return warning("controller_stopped", f"The move of {vm} was aborted because it cannot go on without its controller.")
        if options.deadline is not None and now >= options.deadline and options.on_deadline is OnDeadline.CANCEL_RUNNING:
            return warning("deadline_reached", f"The move of {vm} was aborted at the deadline (on_deadline: cancel_running).")
        if (asked := self._requests.reason()) is not None:
            return asked
        if now - self._moved_at > options.stall_seconds:
            return hard(
                "move_stalled",
                f"The move of {vm} transferred nothing for {options.stall_seconds:.0f} s.",
                "Check the migration network between the two hosts.",
            )
        if now - self._started > self._limit and not self._timeout_passed:
            return self._on_timeout()
        return None

    def _on_timeout(self) -> Reason | None:
        """What was chosen for this case (CAS-22). An action that is not possible (any more) ends in an abort, which is always safe before the switch."""
        options, migration = self._context.options, self._job.migration
        action, failed = options.on_timeout, ""
        told = f"exceeds its timeout of {self._limit:.0f} s"
        if action is TimeoutAction.CONTINUE:
            self._timeout_passed = True
            self._tell(f"{told} and goes on (on_timeout: continue)")
            return None
        if action is not TimeoutAction.ABORT:
            try:
                self._context.driver.hurry(self._job, action)
            except StateConflict as error:
                failed = f" It could not be brought to its end (on_timeout: {action.value}): {error.message}"
            except MigrationError:
                return None  # its host did not answer; it is asked again at the next step
            else:
                self._timeout_passed = True
                acts = "paused until its copy is whole" if action is TimeoutAction.SUSPEND else f"runs on {migration.target_host} while the rest follows"
                self._tell(f"{told}: {acts} (on_timeout: {action.value})")
                return None
        self._timeout_passed = True
        return hard(
            "move_timeout",
            f"The move of {migration.vm_name} did not end within {self._limit:.0f} s.{failed}",
            "Raise its timeout, lower the VM's load, or allow auto_converge or post_copy.",
            ("CAS-22", "CSK-06"),
        )

    def _switch(self) -> None:
        """After the first whole pass the rest follows (CAS-33), unless the switch is kept for the timeout."""
        options = self._context.options
        if not options.post_copy or options.on_timeout is TimeoutAction.POST_COPY:
            return
        self._switch_tried = True
        try:
            self._context.driver.hurry(self._job, TimeoutAction.POST_COPY)
        except MigrationError as error:
            self._tell(f"goes on without post-copy: {error.message}")

    def _follow(self, progress: Progress, now: float) -> Ending | None:
        """The guest runs at its destination and the rest of its memory follows: nothing is aborted any more, and what breaks off is taken up again (CAS-34)."""
        migration, options = self._job.migration, self._context.options
        self._cancelled_at = self._cancelled_for = None
        if not self._told_past_return:
            self._told_past_return = True
            self._tell(f"runs on {migration.target_host} from now on, and the rest of its memory follows (post-copy)")
        if self._context.stop() in LEAVE_AT_ONCE:
            return Ending.LEFT
        if not progress.interrupted and now - self._moved_at <= options.stall_seconds:
            self._broken_since = None
            return None
        if self._broken_since is None:
            self._broken_since = now
            self._tell(f"its post-copy has broken off between {migration.source_host} and {migration.target_host}; it is taken up again when the way is free")
        if now - self._broken_since > max(self._limit, TAKE_UP_LEAST_SECONDS):
            return Ending.LOST
        return self._take_up() if now - self._taken_up_at > TAKE_UP_PAUSE_SECONDS else None

    def _take_up(self) -> Ending | None:
        try:
            self._context.driver.hurry(self._job, TimeoutAction.POST_COPY)
            self._moved_at = self._clock.now()
        except MigrationError as error:
            if error.code == "post_copy_lost":
                return Ending.LOST
            # The way is not free yet: the next try tells. What would free it is said once.
            if error.hint and error.hint != self._told_hint:
                self._told_hint = error.hint
                self._tell(f"{error.message} {error.hint}")
        self._taken_up_at = self._clock.now()
        return None

    def _tell(self, text: str) -> None:
        self._context.tell(EventKind.NOTE, self._job.migration, text)

    def _cancel(self, reason: Reason, now: float) -> None:
        self._cancelled_at, self._cancelled_for = now, reason
        try:
            self._context.driver.cancel(self._job)
        except MigrationError as error:
            # It may have ended in this very moment; the next polls and verify tell.
            self._tell(f"could not be aborted: {error.message}")
