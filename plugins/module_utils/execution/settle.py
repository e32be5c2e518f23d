# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a move: ask both hypervisors where the VM is, then finish or roll back. Nothing is concluded from an error's text."""

from __future__ import annotations

from dataclasses import dataclass

from ..drivers.driver import LIGHT, Job, Presence, Verdict, Verification
from ..model.errors import MigrationError
from ..model.event import EventKind
from ..model.migration import Migration, MigrationType, Mode
from ..model.note import VmNote
from ..model.progress import Phase
from ..model.reason import Reason, blocking, hard, warning
from ..model.vm import PowerState
from .operation import RunContext
from .watch import Ending, Watch, WatchResult

ASK_AGAIN_SECONDS = 2.0
ASK_TIMES = 5


@dataclass(frozen=True, slots=True)
class Settled:
    """Where one attempt left its VM. ``try_elsewhere``: it failed in a way that another target may cure."""

    phase: Phase
    host: str
    reasons: tuple[Reason, ...] = ()
    try_elsewhere: bool = False
    changed: bool = False
    downtime_ms: float | None = None
    transferred_bytes: int = 0


def watch_and_settle(context: RunContext, job: Job) -> Settled:
    """Wait for a job's end and settle it."""
    while True:
        watched = Watch(context, job).wait()
        if watched.ending is Ending.LEFT:
            reason = warning(
                "left_in_flight",
                f"The move of {job.migration.vm_name} to {job.migration.target_host} goes on without this run.",
                "Run the same task again: it is then waited for, verified and finished.",
            )
            return Settled(Phase.UNKNOWN, job.migration.source_host, (reason,), changed=True)
        settled = settle(context, job.migration, job.note, watched)
        if settled is not None:
            return settled


def settle(context: RunContext, migration: Migration, note: VmNote, watched: WatchResult) -> Settled | None:
    """Verify, then finish or roll back. None: it turned out to be still in flight, wait on."""
    context.tell(EventKind.PROGRESS, migration, phase=Phase.VERIFYING)
    verification = _ask(context, migration, note)
    verdict = _resolved(verification, migration)
    bytes_moved = watched.last.processed_bytes if watched.last else 0
    if verdict is Verdict.IN_FLIGHT and watched.ending is Ending.ENDED and not blocking(verification.reasons):
        return None
    if verdict is Verdict.ARRIVED:
        return _arrived(context, migration, note, verification, bytes_moved)
    if verdict is Verdict.AT_SOURCE:
        return _stayed(context, migration, note, watched, verification)
    if verdict is Verdict.NOWHERE:
        found = _look_everywhere(context, migration)
        if found is not None:
            return Settled(Phase.FAILED, found, (_astray(migration, found), *verification.reasons), changed=True)
    return Settled(Phase.UNKNOWN, "", (*verification.reasons, _unresolved(migration, verdict, watched)), changed=True)


def _ask(context: RunContext, migration: Migration, note: VmNote) -> Verification:
    """Ask until the answer is one of the two good ones, a few times: right after a switch both ends may still be at work."""
    verification = _ask_once(context, migration, note)
    for _again in range(ASK_TIMES - 1):
        if verification.verdict in (Verdict.ARRIVED, Verdict.AT_SOURCE):
            break
        context.driver.clock.sleep(ASK_AGAIN_SECONDS)
        verification = _ask_once(context, migration, note)
    return verification


def _ask_once(context: RunContext, migration: Migration, note: VmNote) -> Verification:
    try:
        return context.driver.verify(migration, note)
    except MigrationError as error:
        return Verification(Verdict.UNREACHABLE, reasons=(hard(error.code, error.message, error.hint),))


def _resolved(verification: Verification, migration: Migration) -> Verdict:
    """Two definitions of which exactly one is alive are no riddle: the living one is the VM."""
    if verification.verdict is not Verdict.ON_BOTH:
        return verification.verdict
    alive = [presence.host for presence in verification.presences if _is_alive(presence)]
    if alive == [migration.target_host]:
        return Verdict.ARRIVED
    if alive == [migration.source_host]:
        return Verdict.AT_SOURCE
    return Verdict.ON_BOTH


def _is_alive(presence: Presence) -> bool:
    return not presence.incoming and presence.power_state in (PowerState.RUNNING, PowerState.PAUSED)


def _arrived(context: RunContext, migration: Migration, note: VmNote, verification: Verification, bytes_moved: int) -> Settled:
    if blocking(verification.reasons):  # it is there, and not as it should be: nothing is removed, and nobody is told that all is well
        return Settled(Phase.FAILED, migration.target_host, verification.reasons, changed=True, transferred_bytes=bytes_moved)
    context.tell(EventKind.PROGRESS, migration, phase=Phase.CLEANING)
    try:
        leftovers = context.driver.finish(migration, note)
    except MigrationError as error:
        return _unfinished(context, migration, note, error, bytes_moved)
    return Settled(
        Phase.DONE,
        migration.target_host,
        verification.reasons + leftovers,
        changed=True,
        downtime_ms=verification.downtime_ms,
        transferred_bytes=bytes_moved,
    )


def _unfinished(context: RunContext, migration: Migration, note: VmNote, error: MigrationError, bytes_moved: int) -> Settled:
    """It had arrived, and to finish it failed: a VM that cannot start at its new place may be back at its source by now, so both are asked again."""
    verification = _ask(context, migration, note)
    verdict = _resolved(verification, migration)
    failed = hard(error.code, error.message, error.hint)
    host = migration.source_host if verdict is Verdict.AT_SOURCE else migration.target_host
    is_down = _is_down(note, verification, host)
    reasons = (*verification.reasons, *_told_down(is_down, migration, host))
    if verdict is Verdict.AT_SOURCE:
        return Settled(Phase.FAILED, host, (failed, *reasons), try_elsewhere=not is_down, changed=is_down)
    incomplete = warning("finish_incomplete", f"{migration.vm_name} is on {host}, but: {error.message}", "Run the task again to finish it.")
    if verdict is not Verdict.ARRIVED:
        return Settled(Phase.UNKNOWN, "", (*verification.reasons, incomplete), changed=True)
    if blocking(reasons):  # not as it should be: no "done, but"
        return Settled(Phase.FAILED, host, (failed, *reasons), changed=True, transferred_bytes=bytes_moved)
    return Settled(Phase.DONE, host, (*reasons, incomplete), changed=True, downtime_ms=verification.downtime_ms, transferred_bytes=bytes_moved)


def _was_alive(note: VmNote) -> bool:
    return note.power_state in (PowerState.RUNNING.value, PowerState.PAUSED.value)


def _is_down(note: VmNote, verification: Verification, host: str) -> bool:
    """True where a VM that ran, or was paused, before its move was seen on that host and does neither there."""
    here = [presence for presence in verification.presences if presence.host == host]
    return _was_alive(note) and bool(here) and not any(_is_alive(presence) for presence in here)


def _told_down(is_down: bool, migration: Migration, host: str) -> tuple[Reason, ...]:
    text = f"{migration.vm_name} is off on {host}: it was stopped for its move and does not run again."
    return (hard("not_started_again", text, "See why, then run the task again, or start it by hand."),) if is_down else ()


def _stayed(context: RunContext, migration: Migration, note: VmNote, watched: WatchResult, verification: Verification) -> Settled:
    source = migration.source_host
    try:
        leftovers, is_rolled_back = context.driver.rollback(migration, note), True
    except MigrationError as error:
        leftovers, is_rolled_back = (warning("rollback_incomplete", error.message, error.hint or "Run the task again to clean it up."),), False
    if _is_down(note, verification, source):  # as a VM is that was stopped for a cold move, until the roll-back has started it again
        verification = _ask(context, migration, note)
    is_down = _is_down(note, verification, source)
    stopped_by_us = is_down and migration.mode is Mode.COLD and not is_rolled_back
    found = (*_told_down(stopped_by_us, migration, source), *leftovers)
    asked = watched.cancelled_for
    if asked is not None:
        failed = asked.code in ("move_stalled", "move_timeout")
        phase = Phase.FAILED if failed or stopped_by_us else Phase.CANCELLED
        return Settled(phase, source, (asked, *found), try_elsewhere=failed and not stopped_by_us, changed=stopped_by_us)
    said = f" The hypervisor said: {watched.message}" if watched.message else ""
    if is_down and not stopped_by_us:
        reason = warning("power_state_changed", f"{migration.vm_name} was shut down on {source} during its move.{said}")
        return Settled(Phase.CANCELLED, source, (reason, *verification.reasons, *leftovers))
    where = f"is on {source}" if stopped_by_us else f"{'runs' if _was_alive(note) else 'is'} on {source} as before"
    failed_reason = hard("move_failed", f"The move of {migration.vm_name} {_to(migration)} failed; it {where}.{said}")
    reasons = (failed_reason, *verification.reasons, *found)
    return Settled(Phase.FAILED, source, reasons, try_elsewhere=not stopped_by_us, changed=stopped_by_us)


def _to(migration: Migration) -> str:
    pools = ", ".join(sorted({move.target_pool for move in migration.volumes if move.moves and move.target_pool}))
    return f"to {pools}" if migration.type is MigrationType.STORAGE else f"to {migration.target_host}"


def _look_everywhere(context: RunContext, migration: Migration) -> str | None:
    """The host that runs the VM, of those that were not part of the move."""
    try:
        vm = context.driver.snapshot(LIGHT).vm_by_id.get(migration.vm)
    except MigrationError:
        return None
    return vm.host if vm is not None and vm.is_active else None


def _astray(migration: Migration, host: str) -> Reason:
    return hard(
        "wrong_destination",
        f"{migration.vm_name} runs on {host}, although it was sent to {migration.target_host}.",
        f"Correct site.hosts.{migration.target_host}.peer_uri: it seems to lead to {host}. Nothing was removed.",
    )


def _unresolved(migration: Migration, verdict: Verdict, watched: WatchResult) -> Reason:
    said = f" The hypervisor said: {watched.message}" if watched.message else ""
    texts = {
        Verdict.ON_BOTH: f"runs on both {migration.source_host} and {migration.target_host}",
        Verdict.NOWHERE: f"was found neither on {migration.source_host} nor on {migration.target_host}",
        Verdict.IN_FLIGHT: "is still in flight",
        Verdict.UNREACHABLE: f"cannot be located: {migration.source_host} or {migration.target_host} does not answer",
    }
    return hard(
        "whereabouts_unknown",
        f"{migration.vm_name} {texts.get(verdict, verdict.value)}.{said}",
        "Nothing was removed. Make both hosts reachable and run the task again; it asks both and finishes the move.",
    )
