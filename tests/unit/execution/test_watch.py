# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a move that does not end by itself: a small world with a guest, a link and a clock, and what becomes of the guest."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job
from ansible_collections.vmops.migration.plugins.module_utils.execution.watch import Ending, Watch, WatchResult, limit_seconds
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import TimeoutAction
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Migration, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, NotedVolume, NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase, Progress
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

MOVE = Migration("m1", "1", "web", "kvm1", "kvm2")
NOTE = VmNote("op", Controller(), 0.0, NotePhase.MOVING, "kvm1", "kvm2")
POST_COPY = TimeoutAction.POST_COPY


@dataclass
class World:
    """A guest that rewrites its memory as fast as the link carries it, until somebody pauses it or lets it run at its destination.

    ``breaks_at`` and ``heals_at``: between these the link is broken. ``is_lost``: no half of a guest in post-copy can go on.
    """

    seconds: float = 0.0
    place: str = "source"
    remaining: float = 1000.0
    paused: bool = False
    aborted: bool = False
    breaks_at: float = 1e9
    heals_at: float = 0.0
    allows_post_copy: bool = True
    silent_until: float = 0.0
    is_lost: bool = False
    connected: bool = True
    told: list[str] = field(default_factory=list)

    capabilities = SimpleNamespace(needs_controller=frozenset())
    poll_seconds = 1.0

    @property
    def clock(self) -> World:
        return self

    @property
    def link_is_well(self) -> bool:
        return not self.breaks_at <= self.seconds < self.heals_at

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if not self.link_is_well:
            self.connected = False
        elif self.connected and (self.paused or self.place == "both"):
            self.remaining = max(0.0, self.remaining - 50.0 * seconds)

    def poll(self, _jobs: list[Job]) -> tuple[Progress, ...]:
        ended = self.aborted or self.remaining == 0
        in_two = self.place == "both" and not ended
        wiggle = int(self.seconds) % 2 if self.place == "source" and self.link_is_well else 0
        return (
            Progress(
                "m1",
                Phase.COPYING,
                remaining_bytes=int(self.remaining) + wiggle,
                passes=int(self.seconds // 5),
                past_return=in_two,
                interrupted=in_two and not self.connected,
                ended=ended,
            ),
        )

    def cancel(self, _job: Job) -> None:
        self.aborted = True

    def hurry(self, _job: Job, action: TimeoutAction) -> None:
        if self.seconds < self.silent_until:
            raise HostUnreachable("kvm1", "no answer")
        if action is TimeoutAction.SUSPEND:
            self.paused = True
        elif self.place == "both":
            if self.is_lost:
                raise StateConflict("neither half can go on", code="post_copy_lost")
            if not self.link_is_well:
                raise StateConflict("no way")
            self.connected = True
        elif self.allows_post_copy:
            self.place = "both"
        else:
            raise StateConflict("it was not started so")


def wait(world: World, options: MoveOptions, stop: str = "") -> WatchResult:
    context: Any = SimpleNamespace(
        driver=world,
        options=options,
        stop=lambda: stop,
        tell_progress=lambda *_given: None,
        tell=lambda _kind, _migration, message="", **_more: world.told.append(message),
    )
    return Watch(context, Job(MOVE, NOTE, 0.0)).wait()


def said(world: World) -> str:
    return "; ".join(world.told)


@pytest.mark.rule("CAS-22", sign="-")
def test_at_the_timeout_a_move_is_aborted_unless_something_else_was_chosen() -> None:
    world = World()
    result = wait(world, MoveOptions(timeout_seconds=20))
    assert (result.ending, world.aborted, world.place, world.paused) == (Ending.ENDED, True, "source", False)
    assert result.cancelled_for is not None
    assert result.cancelled_for.code == "move_timeout"


@pytest.mark.rule("CAS-22", sign="+")
def test_a_guest_that_is_suspended_at_the_timeout_is_moved_whole() -> None:
    world = World()
    result = wait(world, MoveOptions(timeout_seconds=20, on_timeout=TimeoutAction.SUSPEND))
    assert (result.cancelled_for, world.aborted, world.remaining) == (None, False, 0)
    assert "paused until its copy is whole (on_timeout: suspend)" in said(world)


@pytest.mark.rule("CAS-33", sign="+")
def test_post_copy_begins_after_the_first_pass_or_at_the_timeout_where_that_was_chosen() -> None:
    early, late = World(), World()
    wait(early, MoveOptions(timeout_seconds=60, post_copy=True))
    wait(late, MoveOptions(timeout_seconds=60, post_copy=True, on_timeout=POST_COPY))
    assert (early.remaining, late.remaining) == (0, 0)
    assert early.seconds < 60 < late.seconds
    assert "exceeds its timeout" not in said(early)
    assert "exceeds its timeout" in said(late)


def test_a_move_that_cannot_switch_goes_on_without_and_is_aborted_in_time() -> None:
    world = World(allows_post_copy=False)
    result = wait(world, MoveOptions(timeout_seconds=20, post_copy=True))
    assert world.aborted
    assert said(world).count("goes on without post-copy") == 1
    at_timeout = World(allows_post_copy=False)
    result = wait(at_timeout, MoveOptions(timeout_seconds=20, post_copy=True, on_timeout=POST_COPY))
    assert at_timeout.aborted
    assert result.cancelled_for is not None
    assert "it was not started so" in result.cancelled_for.message


def test_a_host_that_does_not_answer_at_the_timeout_is_asked_again() -> None:
    world = World(silent_until=40.0)
    wait(world, MoveOptions(timeout_seconds=20, on_timeout=TimeoutAction.SUSPEND))
    assert (world.paused, world.aborted, world.remaining) == (True, False, 0)


def test_a_move_may_go_on_beyond_its_timeout() -> None:
    world = World(breaks_at=200.0, heals_at=1e9)
    result = wait(world, MoveOptions(timeout_seconds=20, on_timeout=TimeoutAction.CONTINUE))
    assert world.seconds > 200
    assert result.cancelled_for is not None
    assert result.cancelled_for.code == "move_stalled"


@pytest.mark.rule("CAS-34", sign="+")
def test_a_post_copy_that_breaks_off_is_never_aborted_but_taken_up_when_the_way_is_free() -> None:
    world = World(breaks_at=10.0, heals_at=300.0)
    result = wait(world, MoveOptions(timeout_seconds=20, post_copy=True))
    assert (result.ending, result.cancelled_for, world.aborted, world.remaining) == (Ending.ENDED, None, False, 0)
    assert said(world).count("has broken off") == 1


def test_a_post_copy_that_stays_broken_is_given_up_unaborted_after_a_while() -> None:
    world = World(breaks_at=10.0, heals_at=1e9)
    result = wait(world, MoveOptions(timeout_seconds=20, post_copy=True))
    assert (result.ending, world.aborted) == (Ending.LOST, False)


def test_a_post_copy_of_which_no_half_can_go_on_is_told_at_once() -> None:
    world = World(breaks_at=10.0, heals_at=1e9, is_lost=True)
    assert wait(world, MoveOptions(post_copy=True)).ending is Ending.LOST
    assert world.seconds < 60


def test_a_run_that_is_told_to_end_leaves_a_guest_in_post_copy_alone() -> None:
    world = World(place="both")
    result = wait(world, MoveOptions(post_copy=True), stop="signal")
    assert (result.ending, world.aborted) == (Ending.LEFT, False)


@pytest.mark.rule("CSK-06", sign="+")
def test_a_move_that_copies_disks_has_a_limit_of_its_own() -> None:
    options = MoveOptions(timeout_seconds=60)
    copying = (
        Job(Migration("m1", "1", "web", "kvm1", "kvm2", disk_copy=DiskCopy.FULL), NOTE, 0.0),
        Job(Migration("m1", "1", "web", "kvm1", "kvm2", volumes=(VolumeMove("1/a", "ssd", "hdd"),)), NOTE, 0.0),
        Job(MOVE, VmNote("op", Controller(), 0.0, NotePhase.MOVING, "kvm1", "kvm2", volumes=(NotedVolume("a", "/a", "/b"),)), 0.0),
    )
    assert {limit_seconds(job, options) for job in copying} == {86400.0}
    assert limit_seconds(Job(MOVE, NOTE, 0.0), options) == 60
