# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves of a disk that belongs to no VM: vCenter's virtual disk manager copies it under another name, the copy is proven and renamed, then its source goes.

The note is kept with the target's datastore. It is called proven before the copy gets its final name, so that a whole disk of that name, without a proven note,
is never taken for the copy.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...model.errors import MigrationError, MoveFailed
from ...model.migration import Migration
from ...model.note import NotedVolume, VmNote
from ...model.progress import Phase, Progress
from ...model.reason import Reason, hard, warning
from ...model.request import MoveOptions, VerifyCopy
from ..driver import Job, Verdict, Verification
from . import datastore_files as files
from .connection import VCenter
from .errors import fault_text
from .file_proof import are_equal
from .inventory import DatastoreEntry, Inventory
from .kept_book import KeptBook
from .library import vim, vmodl
from .properties import moid_of
from .tasks import states_of

PROVEN = "proven"
PROVEN_BEFORE = "proven before"
"""Stages of the note: the copy is proven, by this operation; and: one that died had proven it and given it its name, so that it is compared again."""

LOOK_SECONDS = 0.2


@dataclass
class CopyJob:
    """A copy under way, as its thread tells of it."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    phase: Phase = Phase.PREPARING
    percent: float = 0.0
    message: str = ""

    def require_going(self, _count: int = 0) -> None:
        """Raises MoveFailed (``cancelled``) where somebody has given the copy up."""
        if self.cancelled.is_set():
            raise MoveFailed("the copy was cancelled", code="cancelled")


@dataclass(frozen=True)
class Ends:
    """Datastore and path of the disk before and after, and the name under which its copy is made."""

    source: DatastoreEntry
    target: DatastoreEntry
    path: str

    def partial(self, operation_id: str) -> str:
        """The name of the copy of that operation while it is not proven."""
        return f"{self.path.removesuffix('.vmdk')}.vmops-{operation_id[:8]}.vmdk"


class DetachedMoves:
    """The contract's methods about one disk of no VM."""

    def __init__(self, center: VCenter, book: KeptBook, inventory_of: Callable[[], Inventory]) -> None:
        self._center = center
        self._book = book
        self._inventory_of = inventory_of

    def check(self, migration: Migration) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        try:
            ends = self._ends(migration)
            files.refuse_first_class(ends.path, ends.source)
            found = self._unfit(migration, ends)
            user = files.user_of(self._center, ends.source, ends.path)
            here, there = self._has(ends.source, ends.path), self._has(ends.target, ends.path)
        except MigrationError as error:
            return (hard(error.code, error.message, error.hint),)
        name = files.full_path(ends.source, ends.path)
        if user is not None:
            found += (hard("volume_in_use", f"{name} is used by VM {user}.", "Move it with its VM."),)
        if not here:
            found += (hard("volume_missing", f"{name} is not there any more.", "Run the task again."),)
        if there and not self._is_proven(migration, ends):
            found += (hard("volume_exists", f"{files.full_path(ends.target, ends.path)} is there already.", "Rename or remove one of the two."),)
        return found

    @staticmethod
    def _unfit(migration: Migration, ends: Ends) -> tuple[Reason, ...]:
        (move,) = migration.volumes
        if not ends.path.endswith(".vmdk"):
            return (hard("volume_kind", f"{move.volume} is no virtual disk.", "Copy it in the datastore browser."),)
        if move.format:
            text = f"{move.volume} cannot become {move.format}: vCenter copies a disk of no VM as it is."
            return (hard("format_not_changed", text, "Leave the format as it is, or attach it to a VM and move it with that.", ("CAS-47",)),)
        return ()

    def write_note(self, migration: Migration, note: VmNote) -> VmNote:
        """Keep the note with the target's datastore, in the place of one that a dead run left; the claim on the volume says that there is no living one."""
        ends, (move,) = self._ends(migration), migration.volumes
        paths = (files.full_path(ends.source, ends.path), files.full_path(ends.target, ends.path))
        volume = NotedVolume("", *paths, move.source_pool or "", move.target_pool or "")
        left = self._book.read(ends.target.ref).volumes.get(move.volume)
        created = (ends.partial(note.operation_id), *(left.created if left is not None else ()))
        is_there = left is not None and left.stage in (PROVEN, PROVEN_BEFORE) and self._has(ends.target, ends.path)
        whole = dataclasses.replace(note, volumes=(volume,), created=created, stage=PROVEN_BEFORE if is_there else "")
        self._keep(ends, move.volume, whole)
        return whole

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> CopyJob:
        """Begin in a thread of this process; the copy itself is vCenter's task."""
        job = CopyJob()
        threading.Thread(target=self._carry, args=(migration, note, options, job), name="vmops-detached", daemon=True).start()
        return job

    def _carry(self, migration: Migration, note: VmNote, options: MoveOptions, job: CopyJob) -> None:
        try:
            self._steps(migration, note, options, job)
        except MigrationError as error:
            job.message = str(error)
        finally:
            job.over.set()

    def _steps(self, migration: Migration, note: VmNote, options: MoveOptions, job: CopyJob) -> None:
        ends, (move,) = self._ends(migration), migration.volumes
        for name in note.created[1:]:  # what dead runs left half made
            self._remove_if_there(ends.target, name)
        final = note.stage == PROVEN_BEFORE
        name = ends.path if final else ends.partial(note.operation_id)
        if not final:
            self._copy(ends, name, job)
        job.phase = Phase.VERIFYING
        self._prove(ends, name, options, job, always=final)
        job.require_going()
        self._keep(ends, move.volume, dataclasses.replace(note, stage=PROVEN))
        if not final:
            self._rename(ends.target, name, ends.path)

    def _copy(self, ends: Ends, name: str, job: CopyJob) -> None:
        inventory = self._inventory_of()
        source, target = files.full_path(ends.source, ends.path), files.full_path(ends.target, name)
        places = (inventory.datacenter_ref(ends.source), inventory.datacenter_ref(ends.target))
        doing = f"copying {source}"
        self._make_folder(ends.target, name)
        job.require_going()
        task = self._center.run(
            doing,
            lambda link: link.content.virtualDiskManager.CopyVirtualDisk_Task(source, places[0], target, places[1], destSpec=None, force=False),
            repeat=False,
        )
        job.phase = Phase.COPYING
        while not (state := states_of(self._center, [task])[moid_of(task)]).ended:
            job.percent = state.percent
            if job.cancelled.is_set():
                self._cancel_task(task)
            time.sleep(LOOK_SECONDS)
        if state.fault is not None or not state.known:
            raise MoveFailed(f"{doing} failed: {fault_text(state.fault) if state.fault is not None else 'its task is not known any more'}.")

    def _cancel_task(self, task: Any) -> None:
        def ask(_link: Any) -> None:
            try:
                task.CancelTask()
            except (vim().fault.InvalidState, vmodl().fault.NotSupported, vmodl().fault.ManagedObjectNotFound):
                return  # it ends by itself, and what it has made is removed then

        self._center.run("cancelling the copy", ask)

    def _make_folder(self, store: DatastoreEntry, path: str) -> None:
        folder = path.rpartition("/")[0]
        if not folder:
            return
        name, datacenter = files.full_path(store, folder), self._inventory_of().datacenter_ref(store)

        def make(link: Any) -> None:
            try:
                link.content.fileManager.MakeDirectory(name, datacenter, createParentDirectories=True)
            except vim().fault.FileAlreadyExists:
                return

        self._center.run(f"making folder {name}", make)

    def _prove(self, ends: Ends, name: str, options: MoveOptions, job: CopyJob, *, always: bool) -> None:
        """Raises MigrationError where the copy is not what its source is."""
        before, after = (self._file(store, path) for store, path in ((ends.source, ends.path), (ends.target, name)))
        text = f"The copy {files.full_path(ends.target, name)} is not equal to {files.full_path(ends.source, ends.path)}"
        if before is None or after is None or before.capacity_bytes != after.capacity_bytes:
            raise MoveFailed(f"{text}: one of them is missing, or they differ in size. The source is kept.")
        by_bytes = always or options.verify_copy is VerifyCopy.READBACK
        if by_bytes and not are_equal(self._center, self._inventory_of(), (ends.source, ends.path), (ends.target, name), job.require_going):
            raise MoveFailed(f"{text}. The source is kept.")

    def _rename(self, store: DatastoreEntry, name: str, path: str) -> None:
        datacenter = self._inventory_of().datacenter_ref(store)
        old, new = files.full_path(store, name), files.full_path(store, path)
        files.disk_task(self._center, f"renaming {old}", lambda disks: disks.MoveVirtualDisk_Task(old, datacenter, new, datacenter, force=False))

    @staticmethod
    def poll(jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """As the threads of the copies tell it."""
        return tuple(_progress(job) for job in jobs)

    @staticmethod
    def cancel(job: Job) -> None:
        """The copy's thread ends it at its next look."""
        _handle(job).cancelled.set()

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """Arrived where the proven copy has its name, or where it alone is left."""
        try:
            ends = self._ends(migration)
            here, there = self._has(ends.source, ends.path), self._has(ends.target, ends.path)
            proven = self._is_proven(migration, ends, note.operation_id)
        except MigrationError as error:
            return Verification(Verdict.UNREACHABLE, reasons=(hard(error.code, error.message, error.hint),))
        if there and (proven or not here):
            return Verification(Verdict.ARRIVED)
        return Verification(Verdict.AT_SOURCE if here else Verdict.NOWHERE)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """The source goes, unless a VM has it by now; the note goes last."""
        ends, (move,) = self._ends(migration), migration.volumes
        reasons: tuple[Reason, ...] = ()
        if self._has(ends.source, ends.path) and self._is_proven(migration, ends, note.operation_id):
            user = files.user_of(self._center, ends.source, ends.path)
            if user is None:
                files.remove(self._center, self._inventory_of(), ends.source, ends.path)
            else:
                text = f"{files.full_path(ends.source, ends.path)} is used by VM {user} by now; it is kept, and so is its copy."
                reasons = (warning("source_kept", text, "Remove the one that is not needed."),)
        self._keep(ends, move.volume, None)
        return reasons

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """What this operation has made goes; never a copy that was proven and has its name."""
        ends, (move,) = self._ends(migration), migration.volumes
        kept = self._book.read(ends.target.ref).volumes.get(move.volume)
        if kept is None or kept.operation_id != note.operation_id:
            return ()
        for name in kept.created:
            self._remove_if_there(ends.target, name)
        self._keep(ends, move.volume, kept if kept.stage == PROVEN_BEFORE else None)  # whose copy that is must not be forgotten
        return ()

    # ------------------------------------------------------------ inside

    def _ends(self, migration: Migration) -> Ends:
        (move,) = migration.volumes
        inventory = self._inventory_of()
        path = move.volume.removeprefix(f"{move.source_pool}/")
        return Ends(inventory.datastore(move.source_pool or ""), inventory.datastore(move.target_pool or ""), path)

    def _file(self, store: DatastoreEntry, path: str) -> files.DiskFile | None:
        return next((file for file in files.files_in(self._center, store, path.rpartition("/")[0]) if file.path == path), None)

    def _has(self, store: DatastoreEntry, path: str) -> bool:
        return self._file(store, path) is not None

    def _remove_if_there(self, store: DatastoreEntry, path: str) -> None:
        if self._has(store, path):
            files.remove(self._center, self._inventory_of(), store, path)

    def _is_proven(self, migration: Migration, ends: Ends, operation_id: str | None = None) -> bool:
        """By that operation; with None, by any, however long ago."""
        kept = self._book.read(ends.target.ref).volumes.get(migration.volumes[0].volume)
        if operation_id is None:
            return kept is not None and kept.stage in (PROVEN, PROVEN_BEFORE)
        return kept is not None and kept.stage == PROVEN and kept.operation_id == operation_id

    def _keep(self, ends: Ends, volume: str, note: VmNote | None) -> None:
        self._book.change(ends.target.ref, "writing the volume's note", lambda kept: (kept.with_volume(volume, note), None))


def _handle(job: Job) -> CopyJob:
    if not isinstance(job.handle, CopyJob):
        raise TypeError("this job is not the copy of a detached disk")
    return job.handle


def _progress(job: Job) -> Progress:
    copy = _handle(job)
    ended = copy.over.is_set()
    phase = Phase.UNKNOWN if ended else copy.phase
    return Progress(job.migration.id, phase, copy.percent, is_measured=False, ended=ended, message=copy.message, at=time.time())
