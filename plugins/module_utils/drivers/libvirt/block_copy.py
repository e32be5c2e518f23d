# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live storage moves on one host: QEMU mirrors the disks one after the other, and the VM switches to all copies at once when all are ready.

QEMU mirrors alone: a killed controller costs nothing, but nobody switches. Whoever adopts the move does, and begins the disks that are not copied yet.
Until the first switch an abort or a failure (a full pool) leaves the VM as it was; the switches follow one another within milliseconds.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ...model.errors import HostUnreachable, MigrationError, MoveFailed, StateConflict
from ...model.migration import Migration, Mode
from ...model.note import NotedVolume, VmNote
from ...model.progress import Phase, Progress
from ...model.vm import PowerState
from ..driver import Job
from .block_disks import CopyWay, MoveView, look
from .block_files import find_pool, make_file
from .block_mirror import MIB, copying_now, drop_mirror, hold_guest, mirror, resume_guest, switch
from .connection import READ_SECONDS, Connection, HostSession
from .domains import Domain, ask_state
from .failures import is_about_connecting
from .library import libvirt
from .made_files import Maker, drop_maker, made_usage, put_maker
from .threads import start_daemon

LOOK_SECONDS = 0.2
RETRY_SECONDS = 1.0
SWITCH_SECONDS = 60.0
STALE_SECONDS = 3.0

Result = TypeVar("Result")


@dataclass(eq=False)
class BlockJob:
    """A storage move that a thread of this process carries. Its fields change while it lasts.

    ``is_switching``: the point of no return. ``message``: why it ended without success. ``trouble``: why the host cannot be asked at the moment.
    """

    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_cancelled: bool = False
    is_switching: bool = False
    message: str = ""
    last: Progress | None = None
    seen_at: float = field(default_factory=time.monotonic)
    trouble: HostUnreachable | None = None


def begin_block_move(session: HostSession, migration: Migration, note: VmNote) -> BlockJob:
    """Make the files and start to copy; returns at once. Raises StateConflict where the VM is in no state to, or a file is in the way."""
    session.run("making the files to copy to", lambda connection: _prepare(connection, migration, note), READ_SECONDS, repeat=False)
    return carry_on(session, migration, note)


def carry_on(session: HostSession, migration: Migration, note: VmNote) -> BlockJob:
    """Carry a move that has begun, from wherever it stands, to its end; returns at once."""
    job = BlockJob()
    carrier = _Carrier(session, migration, note, job)
    start_daemon(carrier.carry, f"vmops-block-{migration.vm}")
    return job


def abort_block_move(migration: Migration, job: BlockJob) -> None:
    """Ask the carrying thread to abort, and return. Raises StateConflict once the VM switches."""
    with job.lock:
        if job.is_switching and not job.over.is_set():
            raise StateConflict(f"{migration.vm_name} is switching to its copied disks; the move cannot be aborted any more.")
        job.is_cancelled = True


def sample_of(job: Job, handle: BlockJob) -> Progress:
    """A sample of the move; asks nobody. Raises HostUnreachable while the host cannot be asked."""
    last = handle.last or Progress(job.migration.id, Phase.PREPARING)
    if handle.over.is_set():
        return dataclasses.replace(last, phase=Phase.VERIFYING, ended=True, message=handle.message, at=time.time())
    if handle.trouble is not None:
        raise handle.trouble
    if time.monotonic() - handle.seen_at > STALE_SECONDS:
        return dataclasses.replace(last, message=f"{job.migration.source_host} is slow to tell of the move", at=time.time())
    return dataclasses.replace(last, at=time.time())


def _prepare(connection: Connection, migration: Migration, note: VmNote) -> None:
    state = ask_state(connection, migration.vm)
    if state is None or not state.is_active or state.is_incoming:
        raise StateConflict(f"VM {migration.vm_name} does not run on {migration.source_host} any more.", hint="Run the task again.")
    if state.job is not None:
        raise StateConflict(f"VM {migration.vm_name} is busy with another operation of the hypervisor ({state.job.value}).", hint="Wait for its end.")
    domain = connection.raw.lookupByUUIDString(migration.vm)
    view = look(connection, migration.vm, note)
    if view is None or not view.belongs_to(note):
        raise StateConflict(f"VM {migration.vm_name} does not carry the note of this move; nothing was begun.", hint="Run the task again.")
    for volume in note.volumes:
        _make(connection, domain, note, view, volume)


def _make(connection: Connection, domain: Domain, note: VmNote, view: MoveView, volume: NotedVolume) -> None:
    """The empty file for one disk, over what the disk rests on if it is copied without that."""
    disk = view.disk(volume).now
    if disk is None or disk.path != volume.source_path:
        raise StateConflict(f"Disk {volume.device} of {domain.name()} is not {volume.source_path} any more.", hint="Run the task again.")
    size = int(domain.blockInfo(volume.device)[0])
    backing = (disk.backing[0], disk.backing_format) if disk.backing and CopyWay.of(note).is_incremental else None
    usage, maker = made_usage(volume.target_path), Maker(note.operation_id, note.controller, domain.UUIDString(), volume.target_path)
    other = put_maker(connection, usage, maker)
    if other is not None and other.vm == maker.vm:  # of a move of this very VM, which we have claimed, that nobody settled: a file of it is still refused below
        drop_maker(connection, usage, other.operation_id)
        other = put_maker(connection, usage, maker)
    if other is not None:
        text = f"{volume.target_path} (for disk {volume.device}) is being made by operation {other.operation_id} of {other.controller}."
        raise StateConflict(text, code="volume_exists", hint=f"Wait for its end, or undefine its mark if it is dead for sure: {usage}.")
    try:
        make_file(connection, note.source, volume, size, backing)
    except (MigrationError, libvirt.libvirtError) as error:
        # Somebody's file came in between: without the mark no rollback takes it for a leftover of ours.
        if isinstance(error, MigrationError) or not is_about_connecting(error):
            drop_maker(connection, usage, maker.operation_id)
        raise


class _Carrier:
    """One move carried to its end by one thread. Every step looks afresh and does only what is left, so that it may follow a dead one, or meet a living."""

    def __init__(self, session: HostSession, migration: Migration, note: VmNote, job: BlockJob) -> None:
        self._session = session
        self._migration = migration
        self._note = note
        self._job = job
        self._done: dict[str, tuple[int, int]] = {}

    def carry(self) -> None:
        """Copy, switch, and tell the end in the job."""
        job = self._job
        try:
            self._copy_and_switch()
        except MigrationError as error:
            job.message = error.message
        except Exception as error:  # noqa: BLE001 (a thread has nobody else to tell; where the VM is, verify asks)
            job.message = f"{type(error).__name__}: {error}"
        finally:
            self._clean_up("resuming the guest", lambda link: resume_guest(link, self._migration.vm, self._note))
            self._clean_up("aborting what is left", self._drop_mirrors)
            job.over.set()

    def _copy_and_switch(self) -> None:
        self._set_sizes()
        if self._note.mode == Mode.SUSPENDED.value:
            self._patiently("pausing the guest", lambda link: _pause(link, self._migration.vm))
        for volume in self._note.volumes:
            self._copy(volume)
        with self._job.lock:
            self._stop_if_told()
            self._job.is_switching = True
        self._patiently("holding the guest for the switch", lambda link: hold_guest(link, self._migration.vm, self._note))
        for volume in self._note.volumes:
            self._switch(volume)

    def _copy(self, volume: NotedVolume) -> None:
        """Mirror one disk until all of it is there."""
        begun = False
        while True:
            self._stop_if_told()
            disk = self._look().disk(volume)
            if disk.has_moved or disk.is_ready:
                self._count(volume)
                return
            if not disk.is_copying and begun:
                raise MoveFailed(self._given_up(volume))
            if not disk.is_copying:
                self._patiently(f"copying disk {volume.device}", lambda link: mirror(link, self._migration.vm, self._note, volume))
            begun = True
            self._count(volume)
            time.sleep(LOOK_SECONDS)

    def _switch(self, volume: NotedVolume) -> None:
        """Let the VM use the copy from now on."""
        while True:
            disk = self._look().disk(volume)
            if disk.has_moved:
                return
            if not disk.is_copying:
                raise MoveFailed(self._given_up(volume))
            if not disk.is_ready or not self._patiently(f"switching disk {volume.device}", lambda link: switch(link, self._migration.vm, volume)):
                time.sleep(LOOK_SECONDS)

    def _look(self) -> MoveView:
        view = self._patiently("looking at the disks", lambda link: look(link, self._migration.vm, self._note), purpose="progress")
        self._job.seen_at = time.monotonic()
        if view is None or not view.is_active:
            raise MoveFailed(f"{self._migration.vm_name} was switched off on {self._note.source} while its disks were copied.")
        if not view.belongs_to(self._note):
            raise MoveFailed(f"The note of this move is not with {self._migration.vm_name} any more: another run has ended it.")
        return view

    def _given_up(self, volume: NotedVolume) -> str:
        """libvirt does not tell why; the pool's room does, most often."""

        def ask(connection: Connection) -> str:
            free = int(find_pool(connection, self._note.source, volume.target_pool).info()[3])
            return f" {free} bytes are free in pool {volume.target_pool}."

        try:
            room = self._session.run("asking for the pool's room", ask)
        except MigrationError as error:
            room = f" {error.message}"
        return f"QEMU gave up copying disk {volume.device} to {volume.target_path}: the pool may be full, or not writable.{room}"

    def _drop_mirrors(self, connection: Connection) -> None:
        """After a failure, no disk may go on alone. After another run has ended this move, what runs is not ours."""
        view = look(connection, self._migration.vm, self._note)
        if view is None or not view.belongs_to(self._note):
            return
        for volume in self._note.volumes:
            drop_mirror(connection, self._migration.vm, volume)

    def _clean_up(self, doing: str, action: Callable[[Connection], None]) -> None:
        try:
            self._patiently(doing, action)
        except Exception as error:  # noqa: BLE001 (one that fails must not keep the other from being done)
            self._job.message = f"{self._job.message} {error}".strip()

    def _stop_if_told(self) -> None:
        if self._job.is_cancelled:
            raise MoveFailed(f"The copying of the disks of {self._migration.vm_name} was aborted.")

    def _patiently(self, doing: str, action: Callable[[Connection], Result], purpose: str = "control") -> Result:
        """The action's result, however long the host cannot be reached: QEMU goes on copying meanwhile, and nobody else would switch."""
        while True:
            try:
                result = self._session.run(doing, action, SWITCH_SECONDS, purpose=purpose)
            except HostUnreachable as error:
                self._job.trouble = error
                time.sleep(RETRY_SECONDS)
            else:
                self._job.trouble = None
                return result

    def _set_sizes(self) -> None:
        sizes: Mapping[str, int] = self._patiently("asking for the disks' sizes", lambda link: _sizes(link, self._migration.vm, self._note))
        self._done = {device: (0, size) for device, size in sizes.items()}

    def _count(self, volume: NotedVolume) -> None:
        """Progress over all disks: those before are whole, those after not begun."""
        now = self._patiently("asking for the copy's progress", lambda link: copying_now(link, self._migration.vm, volume.device), purpose="progress")
        whole = self._done.get(volume.device, (0, 0))[1]
        self._done[volume.device] = now or (whole, whole)
        before = self._job.last
        processed, total = sum(done for done, _all in self._done.values()), sum(size for _done, size in self._done.values())
        self._job.last = Progress(
            self._migration.id,
            Phase.COPYING if processed < total else Phase.SWITCHING,
            percent=round(min(99.9, 100.0 * processed / total), 1) if total else 0.0,
            processed_bytes=processed,
            remaining_bytes=total - processed,
            total_bytes=total,
            rate_mib_s=_rate_mib_s(before, processed),
            at=time.time(),
        )


def _rate_mib_s(before: Progress | None, processed_bytes: int) -> float:
    seconds = time.time() - before.at if before is not None else 0.0
    return round(max(0, processed_bytes - before.processed_bytes) / MIB / seconds, 2) if before is not None and seconds > 0 else 0.0


def _sizes(connection: Connection, uuid: str, note: VmNote) -> Mapping[str, int]:
    """Bytes of each noted disk; none for a VM that is off or gone."""
    state = ask_state(connection, uuid)
    if state is None or not state.is_active:
        return {}
    domain = connection.raw.lookupByUUIDString(uuid)
    return {volume.device: int(domain.blockInfo(volume.device)[0]) for volume in note.volumes}


def _pause(connection: Connection, uuid: str) -> None:
    state = ask_state(connection, uuid)
    if state is not None and state.power_state is PowerState.RUNNING:
        connection.raw.lookupByUUIDString(uuid).suspend()
