# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves by copying as the driver calls them: of VMs that are stopped or off, and of detached volumes. Remembers the moves that this process carries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ...model.errors import StateConflict
from ...model.intent import TimeoutAction
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.progress import Progress
from ...model.reason import Reason
from ...model.request import MoveOptions
from ..driver import InFlight, Job, Verdict, Verification
from . import cold_check, cold_note, cold_run, cold_settle, cold_verify, detached
from .cold_backing import images_below
from .cold_move import ColdJob, ColdMove, is_cold
from .connection import Hosts
from .file_users import UserSearch
from .image_files import pool_holding
from .live_storage import Keeps, written_in_place
from .migrate import Ends
from .pools import PoolMap
from .ways import handle_of, sends_no_memory


class ColdMoves:
    """See ``ways.Way``. A move lasts as long as this process; what it leaves behind, another one ends."""

    handle = ColdJob

    def __init__(self, hosts: Hosts, pools_of: Callable[[tuple[str, ...]], PoolMap], keeps: Keeps, users: UserSearch) -> None:
        self._hosts = hosts
        self._pools_of = pools_of
        self._keeps = keeps
        self._users = users
        self._jobs: dict[str, ColdJob] = {}
        self._lock = threading.Lock()

    def makes(self, migration: Migration, note: VmNote | None = None) -> bool:
        """True for cold and offline moves, and for detached volumes."""
        return is_cold(migration, note)

    def check(self, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
        """Every reason against it; writes nothing."""
        return cold_check.check(self._hosts, migration, options) if migration.vm else detached.check(self._hosts, migration)

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions) -> VmNote:
        """The completed note, kept with the VM, or for a detached volume with its target host."""
        return cold_note.write_note(self._hosts, migration, note, options) if migration.vm else detached.write_note(self._hosts, migration, note)

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> ColdJob:
        """Begin, and return at once."""
        move = ColdMove(self._hosts, migration, note, options)
        if migration.vm and move.changes_host:
            self._prove_sharing(move)
        job = cold_run.begin(move) if migration.vm else detached.begin(move)
        with self._lock:
            self._jobs[_key(migration)] = job
        return job

    def adopt(self, migration: Migration, _found: InFlight, _note: VmNote) -> ColdJob:
        """Raises StateConflict: no move of this way goes on without its process."""
        raise StateConflict(f"The move of {migration.vm_name} is not under way any more.", hint="Run the task again.")

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """Where the threads are."""
        return tuple(handle_of(job, ColdJob).sample(job.migration.id) for job in jobs)

    def cancel(self, job: Job) -> None:
        """Ask the move to end at its next step. Raises StateConflict past the point of no return."""
        handle = handle_of(job, ColdJob)
        with handle.lock:
            if handle.is_committed and not handle.over.is_set():
                raise StateConflict(f"{job.migration.vm_name} is at its new place already; its move cannot be cancelled any more.")
            handle.control.cancel()

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """Raises StateConflict: it sends no memory."""
        raise sends_no_memory(job, action)

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """Where it is, by asking both hosts; in flight while our own thread is at work on it."""
        job = self._job(migration)
        if job is not None and not job.over.is_set():
            return Verification(Verdict.IN_FLIGHT)
        move = ColdMove(self._hosts, migration, note)
        return cold_verify.verify(move, job.downtime_ms if job is not None else None) if migration.vm else detached.verify(move)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """After ``arrived``."""
        move = self._at_rest(migration, note)
        return self._keeps.told(migration, note) + (cold_settle.finish(move, self._users) if migration.vm else detached.finish(move, self._users))

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """After ``at_source``."""
        move = self._at_rest(migration, note)
        return self._keeps.told(migration, note) + (cold_settle.roll_back(move) if migration.vm else detached.roll_back(move))

    def _prove_sharing(self, move: ColdMove) -> None:
        """Before anything is stopped: what both hosts read in place, disks that stay and what copied ones rest on, is one and the same (PCD-14)."""
        ends, migration = Ends(move.source, move.target), move.migration
        pools = self._pools_of((move.source.name, move.target.name))
        copied = [volume.source_path for volume in move.note.volumes]
        stays = move.source.run("reading the disks that stay", lambda link: written_in_place(link, migration))
        below = {path for file in copied for path in images_below(move.source, file)}
        said_shared = [path for path in sorted(below) if _is_one_pool(pools, move, path)]  # the others are compared byte by byte
        self._keeps.prove_in_place(ends, pools, [*(path for path in stays if path not in copied), *said_shared], migration, move.note)

    def _at_rest(self, migration: Migration, note: VmNote) -> ColdMove:
        job = self._job(migration)
        if job is not None and not job.over.is_set():
            raise StateConflict(f"The move of {migration.vm_name} is still under way.", hint="Cancel it, or wait for its end.")
        return ColdMove(self._hosts, migration, note)

    def _job(self, migration: Migration) -> ColdJob | None:
        with self._lock:
            return self._jobs.get(_key(migration))


def _is_one_pool(pools: PoolMap, move: ColdMove, path: str) -> bool:
    here, there = (pool_holding(pools.pools_on(name), path) for name in (move.source.name, move.target.name))
    return here is not None and there is not None and here.uuid == there.uuid


def _key(migration: Migration) -> str:
    return migration.vm or migration.volumes[0].volume
