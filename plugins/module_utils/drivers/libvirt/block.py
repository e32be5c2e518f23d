# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves of a VM's disks on its own host while it holds memory, as the driver calls them: QEMU's mirrors, and one switch in the end."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.intent import TimeoutAction
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.progress import Progress
from ...model.reason import Reason
from ...model.request import MoveOptions
from ..driver import InFlight, Job, Verification
from .block_copy import BlockJob, abort_block_move, begin_block_move, carry_on, sample_of
from .block_disks import is_block_move, is_of_block_move
from .block_note import check_block_move, write_block_note
from .block_settle import finish_block_move, roll_back_block_move
from .block_verify import verify_block_move
from .connection import Hosts, HostSession
from .file_users import UserSearch
from .ways import handle_of, sends_no_memory


class BlockMoves:
    """See ``ways.Way``. The mirrors outlive this process; whoever adopts them carries them on to the switch."""

    handle = BlockJob

    def __init__(self, hosts: Hosts, users: UserSearch) -> None:
        self._hosts = hosts
        self._users = users

    def makes(self, migration: Migration, note: VmNote | None = None) -> bool:
        """True for storage alone, live or suspended."""
        return is_block_move(migration) if note is None else is_of_block_move(note)

    def check(self, migration: Migration, _options: MoveOptions) -> tuple[Reason, ...]:
        """Every reason against it; writes nothing."""
        return check_block_move(self._session(migration), migration)

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions) -> VmNote:
        """The note with every file that is about to be made, kept with the VM."""
        return write_block_note(self._session(migration), migration, note, options)

    def start(self, migration: Migration, note: VmNote, _options: MoveOptions) -> BlockJob:
        """Make the files, and begin; the cap stands in the note."""
        return begin_block_move(self._session(migration), migration, note)

    def adopt(self, migration: Migration, found: InFlight, note: VmNote) -> BlockJob:
        """Carried on from wherever it stands."""
        return carry_on(self._hosts.get(found.source_host), migration, note)

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """What the carrying threads last saw."""
        return tuple(sample_of(job, handle_of(job, BlockJob)) for job in jobs)

    def cancel(self, job: Job) -> None:
        """Until the switch."""
        abort_block_move(job.migration, handle_of(job, BlockJob))

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """Raises StateConflict: it sends no memory."""
        raise sends_no_memory(job, action)

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """By the definitions in use and kept, and the files."""
        return verify_block_move(self._hosts, migration, note)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """After ``arrived``."""
        return finish_block_move(self._hosts, self._users, migration, note)

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """After ``at_source``."""
        return roll_back_block_move(self._hosts, self._users, migration, note)

    def _session(self, migration: Migration) -> HostSession:
        return self._hosts.get(migration.source_host)
