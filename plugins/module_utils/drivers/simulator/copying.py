# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One move: its disks one after the other, then its memory by pre-copy: rounds over what the guest goes on rewriting, then a pause for the rest.

Model: C. Clark et al., Live Migration of Virtual Machines (NSDI 2005), with a working set that bounds what can be dirty; the end of the rounds and the
throttling of the guest are QEMU's (docs/devel/migration: downtime-limit; auto-converge: cpu-throttle-initial 20, cpu-throttle-increment 10, max 99).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from ...model.migration import Mode
from .simulation import Physics
from .state import SENDING, Move, Stage

MIB = 1024 * 1024
THROTTLE_FIRST_PERCENT = 20
THROTTLE_STEP_PERCENT = 10
THROTTLE_MOST_PERCENT = 99
THROTTLE_ABOVE_SHARE = 0.5
"""A round that leaves more than this share of itself dirty raises the throttle (throttle-trigger-threshold 50)."""
_SAME_BYTES = 1.0
"""Sums of bytes are floats; a fault at the very end of a copy must not be missed for their last digit."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a guest rewrites its memory: bytes per second, spread over at most ``working_set_bytes``."""

    dirty_bytes_s: float
    working_set_bytes: float


def dirty_bytes_s(move: Move, guest: Behaviour) -> float:
    """The rate at which the guest rewrites memory that is to be sent again, throttled and paused as it may be."""
    if move.stage not in (Stage.CONNECTING, Stage.COPYING) or move.paused_since is not None or not move.is_in_memory:
        return 0.0
    return guest.dirty_bytes_s * (100 - move.throttle_percent) / 100


def seconds_to_event(move: Move, rate: float, physics: Physics, now: float) -> float:
    """Seconds until the move enters its next stage, disk or round, or its fault strikes, at ``rate`` bytes per second; infinite where nothing moves."""
    fixed = {
        Stage.CONNECTING: physics.connect_seconds,
        Stage.STOPPING: move.stop_seconds,
        Stage.RESUMING: physics.resume_seconds,
        Stage.STARTING: physics.boot_seconds,
    }.get(move.stage)
    if fixed is not None:
        return max(0.0, move.stage_since + fixed - now)
    to_send = move.remaining_bytes
    if move.fails_at_bytes >= 0:
        to_send = min(to_send, max(0.0, move.fails_at_bytes - move.sent_bytes))
    if to_send <= 0:
        return 0.0
    return to_send / rate if rate > 0 else math.inf


def carried_on(move: Move, guest: Behaviour, rate: float, seconds: float) -> Move:
    """The move after that many seconds without an event."""
    if seconds <= 0 or move.stage not in SENDING:
        return move
    sent = min(move.remaining_bytes, rate * seconds)
    dirtied = min(guest.working_set_bytes, move.dirtied_bytes + dirty_bytes_s(move, guest) * seconds)
    return dataclasses.replace(move, remaining_bytes=move.remaining_bytes - sent, sent_bytes=move.sent_bytes + sent, dirtied_bytes=dirtied)


def turned(move: Move, rate: float, at: float) -> Move:
    """The move after the event that is due at ``at``."""
    if move.stage not in SENDING:
        return _after_a_wait(move, at)
    if move.fails_at_bytes >= 0 and move.fails_at_bytes - move.sent_bytes <= move.remaining_bytes + _SAME_BYTES:
        return move.ended(Stage.FAILED, at, move.fails_with)
    # Epoch seconds are no finer than a quarter of a microsecond, so some hundred bytes may be left of a round that is over.
    move = dataclasses.replace(move, sent_bytes=move.sent_bytes + move.remaining_bytes, remaining_bytes=0.0)
    if move.stage is Stage.COPYING_DISKS:
        return _disk_from(move, move.disk + 1, at)
    if move.stage is Stage.SWITCHING:
        return dataclasses.replace(move, stage=Stage.RESUMING, stage_since=at, downtime_ms=(at - move.stage_since) * 1000)
    if move.stage is Stage.POST_COPY:
        return move.ended(Stage.ARRIVED, at, downtime_ms=move.downtime_ms)
    return _next_round(move, rate, at)


def _after_a_wait(move: Move, at: float) -> Move:
    if move.stage is Stage.CONNECTING:
        if move.doom:
            return move.ended(Stage.FAILED, at, move.doom)
        if move.stops_guest:
            return dataclasses.replace(move, stage=Stage.STOPPING, stage_since=at)
        return _disk_from(dataclasses.replace(move, paused_since=at if move.mode is Mode.SUSPENDED else None), 0, at)
    if move.stage is Stage.STOPPING:
        return _disk_from(dataclasses.replace(move, stopped_since=at), 0, at)
    if move.stage is Stage.STARTING:
        return move.ended(Stage.ARRIVED, at, downtime_ms=(at - (move.stopped_since or at)) * 1000)
    # RESUMING. stage_since is the beginning of this stage; the pause began with the one before, whose length is kept in downtime_ms meanwhile.
    downtime_ms = (move.downtime_ms or 0.0) + (at - move.stage_since) * 1000
    return move.ended(Stage.ARRIVED, at, downtime_ms=downtime_ms if move.paused_since is None else (at - move.paused_since) * 1000)


def _disk_from(move: Move, number: int, at: float) -> Move:
    """The copy of the disk of that number, or of the next one that has anything to copy; after the last one, what follows the disks."""
    while number < len(move.disks) and move.disks[number].size_bytes <= 0:
        number += 1
    if number == len(move.disks):
        return _after_the_disks(dataclasses.replace(move, disk=number), at)
    size = move.disks[number].size_bytes
    return dataclasses.replace(move, stage=Stage.COPYING_DISKS, stage_since=at, disk=number, round_bytes=size, remaining_bytes=size)


def _after_the_disks(move: Move, at: float) -> Move:
    if move.is_in_memory:
        size = move.memory_bytes
        return dataclasses.replace(move, stage=Stage.COPYING, stage_since=at, iteration=1, round_bytes=size, remaining_bytes=size)
    if move.fails_at_bytes >= 0:
        return move.ended(Stage.FAILED, at, move.fails_with)
    if move.stops_guest:
        return dataclasses.replace(move, stage=Stage.STARTING, stage_since=at)
    if move.vm and move.mode in (Mode.LIVE, Mode.SUSPENDED):
        return dataclasses.replace(move, stage=Stage.RESUMING, stage_since=at)
    return move.ended(Stage.ARRIVED, at)


def _next_round(move: Move, rate: float, at: float) -> Move:
    """What the guest rewrote is the next round; if it can be sent within the allowed downtime, the last one."""
    size = move.dirtied_bytes
    following = dataclasses.replace(move, iteration=move.iteration + 1, round_bytes=size, remaining_bytes=size, dirtied_bytes=0.0)
    if size <= rate * move.max_downtime_ms / 1000:
        return dataclasses.replace(following, stage=Stage.SWITCHING, stage_since=at)
    if move.auto_converge and size > THROTTLE_ABOVE_SHARE * move.round_bytes:
        raised = move.throttle_percent + THROTTLE_STEP_PERCENT if move.throttle_percent else THROTTLE_FIRST_PERCENT
        return dataclasses.replace(following, throttle_percent=min(THROTTLE_MOST_PERCENT, raised))
    return following


def suspended(move: Move, at: float) -> Move:
    """The move with its guest paused until the copy is whole."""
    return move if move.paused_since is not None else dataclasses.replace(move, paused_since=at)


def post_copied(move: Move, physics: Physics, at: float) -> Move:
    """The move with its guest at the destination already: what is not there yet follows, and nothing is sent twice."""
    return dataclasses.replace(
        move,
        stage=Stage.POST_COPY,
        stage_since=at,
        post_copy_since=at,
        remaining_bytes=min(move.memory_bytes, move.remaining_bytes + move.dirtied_bytes),
        dirtied_bytes=0.0,
        fails_at_bytes=-1.0,
        downtime_ms=physics.resume_seconds * 1000,
    )


def bytes_to_come(move: Move, guest: Behaviour, rate: float, rounds: int = 30) -> float:
    """What is still to be sent if the rate stays: the sum of the coming rounds, for progress in percent. Rounds beyond ``rounds`` are not counted."""
    if not move.is_active or move.stage in (Stage.RESUMING, Stage.STARTING):
        return 0.0
    if move.stage in (Stage.CONNECTING, Stage.STOPPING, Stage.COPYING_DISKS):
        return planned_remaining(move)
    if move.stage in (Stage.SWITCHING, Stage.POST_COPY) or rate <= 0:
        return move.remaining_bytes
    per_byte = dirty_bytes_s(move, guest) / rate
    total = move.remaining_bytes
    size = min(guest.working_set_bytes, move.dirtied_bytes + move.remaining_bytes * per_byte)
    enough = rate * move.max_downtime_ms / 1000
    for _round in range(rounds):
        total += size
        if size <= enough:
            break
        size = min(guest.working_set_bytes, size * per_byte)
    return total


def planned_remaining(move: Move) -> float:
    """What is left of disks and of the present round, and the whole memory as long as it has not been begun. Never grows in the phase of the disks."""
    if move.stage in (Stage.CONNECTING, Stage.STOPPING, Stage.COPYING_DISKS):
        return move.remaining_bytes + move.disk_bytes_to_come + move.memory_bytes
    return move.remaining_bytes
