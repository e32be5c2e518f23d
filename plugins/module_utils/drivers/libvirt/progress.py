# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samples of moves under way: jobStats on the source, on a connection kept for this, never waited for longer than a moment."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from ...model.errors import HostUnreachable, MigrationError
from ...model.migration import Migration
from ...model.progress import Phase, Progress
from ..driver import Job
from .connection import Connection, HostSession
from .domains import Domain, find_domain, is_broken_postcopy, is_postcopy, job_kind
from .library import libvirt
from .migrate import MoveJob
from .threads import start_daemon
from .ways import handle_of

ASK_SECONDS = 3.0
ASK_AGAIN_SECONDS = 6.0
ASK_AGAIN_TIMES = 2
"""How often a question that hangs is asked anew: each keeps one of the source daemon's workers, of which it has twenty."""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Answer:
    """The source's word on a move: its statistics (None: no job), and whether the guest runs at the destination already, or hangs between the two."""

    stats: dict[str, Any] | None = None
    is_postcopy: bool = False
    is_broken: bool = False


def poll(jobs: Sequence[Job], session_of: Callable[[str], HostSession]) -> tuple[Progress, ...]:
    """One sample per job, in order. A host that is slow to answer gives its last sample again, so that a stall shows.

    Raises HostUnreachable where a job's source cannot be asked at all.
    """
    asked = [(job, _ask(job, session_of)) for job in jobs]
    until = time.monotonic() + ASK_SECONDS
    samples = []
    for job, question in asked:
        try:
            patience = 0.0 if handle_of(job, MoveJob).is_asked_in_vain else max(0.0, until - time.monotonic())
            samples.append(_sample(job, question, patience))
        except TimeoutError:
            if not handle_of(job, MoveJob).is_asked_in_vain:
                session_of(job.migration.source_host).forget("progress")
            handle_of(job, MoveJob).is_asked_in_vain = True
            samples.append(_last(job, f"{job.migration.source_host} is slow to tell of the move"))
    return tuple(samples)


def _ask(job: Job, session_of: Callable[[str], HostSession]) -> Future[_Answer] | None:
    """The question under way for a job; None where its call has returned, so that there is nothing to ask."""
    handle = handle_of(job, MoveJob)
    if handle.call_over.is_set() and not (handle.is_watched_only or handle.lost_sight or handle.is_post_copy):
        return None
    hangs = handle.asking is not None and not handle.asking.done() and time.monotonic() - handle.asked_at > ASK_AGAIN_SECONDS
    if hangs and handle.asked_again < ASK_AGAIN_TIMES:
        handle.asking, handle.asked_again = None, handle.asked_again + 1
    if handle.asking is None:
        # The answer may be lost behind a neighbour's call that hangs on the same connection, so what is asked anew gets one of its own.
        purpose = f"progress of {job.migration.vm}, {handle.asked_again}" if handle.asked_again else "progress"
        handle.asked_at = time.monotonic()
        handle.asking = start_daemon(
            lambda: _job_stats(session_of(job.migration.source_host), job.migration, handle, purpose), f"vmops-poll-{job.migration.vm}"
        )
    question: Future[_Answer] = handle.asking
    return question


def _sample(job: Job, question: Future[_Answer] | None, seconds: float) -> Progress:
    handle = handle_of(job, MoveJob)
    last = _last(job, handle.message)
    if question is None:
        return dataclasses.replace(last, phase=Phase.VERIFYING, ended=True)
    wait([question], timeout=seconds)
    if not question.done():
        raise TimeoutError
    handle.asking, handle.asked_again, handle.is_asked_in_vain = None, 0, False
    try:
        answer = question.result()
    except HostUnreachable:
        raise
    except MigrationError as error:
        return _last(job, error.message)  # the host answers, but not this; the next sample may tell more
    if answer.is_postcopy:
        handle.is_post_copy = True
    if answer.stats is not None:
        sample = to_progress(job.migration.id, answer.stats, job.migration.memory_mib)
        handle.last = dataclasses.replace(sample, past_return=answer.is_postcopy, interrupted=answer.is_broken)
        return handle.last
    if answer.is_postcopy:
        return dataclasses.replace(last, past_return=True, interrupted=answer.is_broken or handle.call_over.is_set())
    # Of a move that we only watch, an absent job is the end; of our own, the call is about to return, or has not begun.
    over = handle.is_watched_only or handle.lost_sight or (handle.is_post_copy and handle.call_over.is_set())
    return dataclasses.replace(last, ended=over, phase=Phase.VERIFYING if over else last.phase)


def _last(job: Job, message: str) -> Progress:
    """What was last known of the job, told anew."""
    last = handle_of(job, MoveJob).last or Progress(job.migration.id, Phase.PREPARING)
    return dataclasses.replace(last, message=message, at=time.time())


def _job_stats(session: HostSession, migration: Migration, handle: MoveJob, purpose: str) -> _Answer:
    """What the source says of the move now."""

    def ask(connection: Connection) -> _Answer:
        domain = find_domain(connection, migration.vm)
        if domain is None:
            return _Answer()
        try:
            state, reason = domain.state()
            stats: dict[str, Any] = domain.jobStats()
            _lift_cap(domain, stats, handle)
        except libvirt.libvirtError as error:
            if error.get_error_code() in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_UNSUPPORTED):
                return _Answer()
            raise
        return _Answer(stats if job_kind(stats) is not None else None, is_postcopy(state, reason), is_broken_postcopy(state, reason))

    return session.run("asking for the move's progress", ask, None, purpose=purpose)


def _lift_cap(domain: Domain, stats: Mapping[str, Any], handle: MoveJob) -> None:
    """The cap of the disks alone ends with them. Where libvirt will not hear of it yet, the next question tries again."""
    if handle.memory_cap_mib_s is None or not stats.get("memory_total", 0):
        return
    with contextlib.suppress(libvirt.libvirtError):
        domain.migrateSetMaxSpeed(handle.memory_cap_mib_s, 0)
        handle.memory_cap_mib_s = None


def to_progress(migration_id: str, stats: dict[str, Any], memory_mib: int = 0) -> Progress:
    """A sample from libvirt's statistics (https://libvirt.org/html/libvirt-libvirt-domain.html, VIR_DOMAIN_JOB_*).

    The percentage is what does not remain of the whole: it falls back a little when the guest rewrites memory, as the work does. Disks go first; while they do,
    the memory that follows (``memory_mib``) counts as still to come.
    """
    to_come = memory_mib * MIB if stats.get("disk_total", 0) and not stats.get("memory_total", 0) else 0
    total = stats.get("memory_total", 0) + stats.get("disk_total", 0) + to_come
    remaining = stats.get("memory_remaining", 0) + stats.get("disk_remaining", 0) + to_come
    processed = stats.get("memory_processed", 0) + stats.get("disk_processed", 0)
    dirty_pages = stats.get("memory_dirty_rate")
    return Progress(
        migration_id=migration_id,
        phase=_phase(total, remaining, processed),
        percent=round(min(99.9, 100.0 * (total - remaining) / total), 1) if total else 0.0,
        processed_bytes=processed,
        remaining_bytes=remaining,
        total_bytes=total,
        rate_mib_s=round((stats.get("memory_bps", 0) + stats.get("disk_bps", 0)) / MIB, 2),
        dirty_rate_mib_s=dirty_pages * stats.get("memory_page_size", 4096) / MIB if dirty_pages is not None else None,
        expected_downtime_ms=stats.get("downtime"),
        passes=max(0, stats.get("memory_iteration", 0) - 1),
        at=time.time(),
    )


def _phase(total: int, remaining: int, processed: int) -> Phase:
    if total == 0:
        return Phase.PREPARING
    return Phase.SWITCHING if remaining == 0 and processed > 0 else Phase.COPYING
