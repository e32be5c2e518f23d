# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live (and suspended) moves from host to host, with the disks or without, as the driver calls them: libvirt's own migration."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ...model.intent import TimeoutAction
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.progress import Progress
from ...model.reason import Reason, blocking
from ...model.request import MoveOptions
from ..driver import InFlight, Job, Verification
from .connection import Connection, Hosts
from .copy_plan import CopyPlan, plan_copies
from .copy_settle import remove_sources
from .file_users import UserSearch
from .hurry import hurry
from .live_storage import Keeps, Preparation, completed_note, is_copying
from .media import paths_of
from .migrate import Ends, MoveJob, abort, begin
from .move_parameters import memory_cap_mib_s
from .notes import put_note
from .pools import PoolMap
from .precheck import check
from .progress import poll
from .settle import finish, roll_back
from .travel import complete_note, is_between_hosts, take_all_off
from .verify import disk_paths, verify
from .ways import handle_of


class LiveMoves:
    """See ``ways.Way``: what neither of the other ways makes. ``pools_of`` reads the pools of hosts. Peer to peer, a move outlives this process."""

    handle = MoveJob

    def __init__(self, hosts: Hosts, pools_of: Callable[[tuple[str, ...]], PoolMap], keeps: Keeps, users: UserSearch) -> None:
        self._hosts = hosts
        self._pools_of = pools_of
        self._paths: dict[str, tuple[str, ...]] = {}
        self._keeps = keeps
        self._users = users
        self._lock = threading.Lock()

    def makes(self, _migration: Migration, _note: VmNote | None = None) -> bool:
        """True: it is asked last."""
        return True

    def check(self, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
        """Of both hosts, and where that is well, of the copies."""
        found = check(self._ends(migration), migration, options)
        return found + self._copies(migration).reasons if is_copying(migration) and not blocking(found) else found

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions) -> VmNote:
        """Kept with the VM. Remembers the disks' paths, for ``verify``."""
        if is_copying(migration):
            note = completed_note(self._copies(migration), note)
        ends = self._ends(migration)

        def write(connection: Connection) -> tuple[VmNote, tuple[str, ...]]:
            domain = connection.raw.lookupByUUIDString(migration.vm)
            whole = complete_note(domain, ends.target, note, options) if is_between_hosts(migration) else note
            put_note(domain, whole)
            return whole, tuple(path for path in disk_paths(connection, migration.vm) if path not in paths_of(whole))

        written, paths = ends.source.run(f"writing the note of {migration.vm_name}", write)
        with self._lock:
            self._paths[migration.vm] = paths
        return written

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> MoveJob:
        """Take off what cannot travel, and begin."""
        ends = self._ends(migration)
        if is_between_hosts(migration):
            take_all_off(ends.source, migration, note)
        prepare = Preparation(ends, lambda: self._pools(migration), migration, note, options, self._keeps)
        return begin(ends, migration, options, prepare)

    def adopt(self, _migration: Migration, _found: InFlight, note: VmNote) -> MoveJob:
        """Watched only: the hosts carry it."""
        handle = MoveJob(is_watched_only=True, memory_cap_mib_s=memory_cap_mib_s(note))
        handle.call_over.set()
        return handle

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """All of them at once, each of its source."""
        return poll(jobs, self._hosts.get)

    def cancel(self, job: Job) -> None:
        """By the source's daemon."""
        abort(self._hosts.get(job.migration.source_host), job.migration, handle_of(job, MoveJob))

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """Pause the guest, or switch to post-copy, or take that up again."""
        hurry(self._ends(job.migration), job, handle_of(job, MoveJob), action)

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """By asking both hosts."""
        with self._lock:
            paths = self._paths.get(migration.vm)
        return verify(self._hosts, migration, note, paths)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """After ``arrived``."""
        return self._keeps.told(migration, note) + remove_sources(self._hosts, self._users, migration, note) + finish(self._hosts, migration, note)

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """After ``at_source``."""
        return self._keeps.told(migration, note) + roll_back(self._hosts, self._users, migration, note, self._keeps.watch)

    def _pools(self, migration: Migration) -> PoolMap:
        return self._pools_of((migration.source_host, migration.target_host))

    def _copies(self, migration: Migration) -> CopyPlan:
        return plan_copies(self._ends(migration), self._pools(migration), migration)

    def _ends(self, migration: Migration) -> Ends:
        return Ends(self._hosts.get(migration.source_host), self._hosts.get(migration.target_host))
