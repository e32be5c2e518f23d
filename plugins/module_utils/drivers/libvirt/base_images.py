# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base images (templates) on the destination: the whole lower chain is proven to be the same before a move starts, and copied where it is absent.

libvirt copies the top image only, and believes what is under it: with another base, or none, it succeeds and the guest's data is silently lost (CSK-15).
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...model.errors import MoveFailed, OperationInProgress, StateConflict
from ...model.note import VmNote
from ...model.request import MoveOptions, VerifyCopy
from . import partial
from .connection import READ_SECONDS, Connection, HostSession
from .copy_plan import BaseImage, base_differs
from .image_files import ImageFile, NewImage, delete_file, find_image, make_image
from .made_files import Maker, made_usage, put_maker
from .migrate import Ends
from .stream_copy import CopyControl, Piece, VolumeEnd, copy_volume, read_volume
from .volumes import refresh, users_of

Progressed = Callable[[int], None]
"""Told of so many bytes more, holes included; may raise to end what is under way."""

WAIT_STEP_SECONDS = 0.5


class BaseImages:
    """Makes sure of base images. Lives as long as its driver: what it has read once of an unchanged file it does not read again, and of the moves of one
    run that need the same base the first one copies it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[tuple[str, str], threading.Lock] = {}
        self._digests: dict[tuple[str, str, int, str], str] = {}
        self._moved: dict[tuple[str, str], int] = {}

    def ensure(self, ends: Ends, base: BaseImage, work: BaseWork) -> None:
        """Have it on the destination, the same to the last byte. Raises MigrationError with the reason why it is not."""
        key = (ends.target.name, base.target_path)
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        seen = self._moved.get(key, 0)
        while not turn.acquire(timeout=WAIT_STEP_SECONDS):
            # Another move of this run is at it; its progress is ours, for one that stands still would count as stalled.
            moved = self._moved.get(key, 0)
            work.meter(moved - seen)
            seen = moved
        try:
            self._ensure(ends, base, dataclasses.replace(work, meter=lambda count: self._told(key, count, work)))
        finally:
            turn.release()

    def _told(self, key: tuple[str, str], count: int, work: BaseWork) -> None:
        self._moved[key] = self._moved.get(key, 0) + count
        work.meter(count)

    def _ensure(self, ends: Ends, base: BaseImage, work: BaseWork) -> None:
        """The same when it is our turn. Another controller that copies it is waited for as long as its copy grows."""
        if base.is_shared:
            self._compare(ends, base, work)
            return
        patience = min(work.options.claim_wait_seconds, 0.8 * work.options.stall_seconds)
        until, size = time.monotonic() + patience, 0
        while not self._is_settled(ends, base, work):
            if time.monotonic() > until:
                raise OperationInProgress(f"{base.target_path} is being copied to {ends.target.name} by somebody else.", hint="Run the task again later.")
            growing = ends.target.run("looking at a copy that others make", lambda link: find_image(link, base.target_path), READ_SECONDS)
            grown = growing.allocated_bytes - size if growing is not None else 0
            if grown > 0:
                until, size = time.monotonic() + patience, size + grown
            work.meter(max(grown, 0))
            time.sleep(WAIT_STEP_SECONDS)

    def _is_settled(self, ends: Ends, base: BaseImage, work: BaseWork) -> bool:
        """One look: compared or copied, or False where another controller is just copying it."""
        mark = ends.target.run("asking who copies a base image", lambda link: partial.find(link, base.target_pool, base.target_path))
        if mark is not None:
            if mark.operation_id != work.note.operation_id and not partial.is_dead(mark, work.vm):
                return False
            ends.target.run("removing an unfinished copy", lambda link: _clear(link, base, mark), READ_SECONDS)
        if ends.target.run("looking for a base image", lambda link: find_image(link, base.target_path), READ_SECONDS) is not None:
            self._compare(ends, base, work)
            return True
        return self._copy(ends, base, work)

    def _compare(self, ends: Ends, base: BaseImage, work: BaseWork) -> None:
        there = ends.target.run("looking at a base image", lambda link: find_image(link, base.target_path), READ_SECONDS)
        here = BaseImage(base.source_path, base.format, base.target_path, base.target_pool, base.image, base.is_shared, base.below, there)
        against = base_differs(here, ends.target.name, work.vm_name)
        if against is not None:
            raise StateConflict(against.message, code=against.code, hint=against.hint)
        if base.is_shared or there is None:
            return  # one file: its sharing is proven, or told by its place on the network
        mine = self._digest(ends.source, base.source_path, base.image, work.meter)
        other = self._digest(ends.target, base.target_path, there, work.meter)
        if mine != other:
            raise StateConflict(
                f"{base.target_path} on {ends.target.name} and {base.source_path} on {ends.source.name}, on which {work.vm_name} rests, have other content.",
                code="template_mismatch",
                hint="Copy the base into the disk (flatten), or make it the same on both hosts.",
            )

    def _digest(self, session: HostSession, path: str, image: ImageFile, meter: Progressed) -> str:
        key = _key(session, path, image)
        known = self._digests.get(key)
        if known is None:
            known = read_volume(VolumeEnd(session, path), _Told(meter)).checksum
            self._digests[key] = known
        return known

    def _copy(self, ends: Ends, base: BaseImage, work: BaseWork) -> bool:
        """Copy it under a mark that says so, prove the copy, and only then let others see it as whole. False where another was quicker."""
        mark = partial.Partial(work.note.operation_id, work.note.controller, work.vm, base.target_path)
        try:
            ends.target.run("marking a base image's copy", lambda link: partial.put(link, base.target_pool, mark))
        except OperationInProgress:
            return False
        image = NewImage(base.target_path.rpartition("/")[2], "raw", base.image.physical_bytes)
        ends.target.run(f"making {base.target_path}", lambda link: make_image(link, base.target_pool, image), READ_SECONDS, repeat=False)
        sent = copy_volume(
            VolumeEnd(ends.source, base.source_path), VolumeEnd(ends.target, base.target_path), _Told(work.meter, work.options.copy_cap_mib_s)
        ).checksum
        ends.target.run("looking at the copy", lambda link: refresh(link, base.target_pool), READ_SECONDS)
        if work.options.verify_copy is VerifyCopy.READBACK:
            read = read_volume(VolumeEnd(ends.target, base.target_path), _Told(work.meter)).checksum
            if read != sent:
                raise MoveFailed(f"The copy {base.target_path} on {ends.target.name} is not what was sent.", code="copy_differs")
        copied = ends.target.run("looking at the copy", lambda link: find_image(link, base.target_path), READ_SECONDS)
        self._digests[_key(ends.source, base.source_path, base.image)] = sent
        if copied is not None:
            self._digests[_key(ends.target, base.target_path, copied)] = sent
        ends.target.run("marking the copy as whole", lambda link: _whole(link, base, work))
        return True


@dataclass(frozen=True, slots=True)
class BaseWork:
    """On whose behalf base images are looked after. ``meter`` is told of bytes read or sent, and raises where the move is cancelled."""

    note: VmNote
    vm: str
    vm_name: str
    options: MoveOptions
    meter: Progressed

    def maker(self, path: str) -> Maker:
        """Who makes a file for this move."""
        return Maker(self.note.operation_id, self.note.controller, self.vm, path)


def _key(session: HostSession, path: str, image: ImageFile) -> tuple[str, str, int, str]:
    return session.name, path, image.physical_bytes, image.modified


class _Told(CopyControl):
    """A stream under way that tells a move's meter, which ends it by an error where the move is cancelled."""

    def __init__(self, meter: Progressed, speed_mib_s: int = 0) -> None:
        super().__init__(speed_mib_s)
        self._meter = meter

    def passed(self, piece: Piece) -> None:
        """Count a piece."""
        super().passed(piece)
        self._meter(piece if isinstance(piece, int) else len(piece))


def _clear(connection: Connection, base: BaseImage, mark: partial.Partial) -> None:
    """A file that nobody finished goes; one that was proven, or that something rests on, is whole and stays."""
    if not partial.is_proven(mark):
        users = users_of(connection, base.target_path)
        if users:
            text = f"{base.target_path} is marked as an unfinished copy, and is used by {', '.join(users)}."
            raise StateConflict(text, code="template_mismatch", hint="Find out whether it is whole; then remove the mark (virsh secret-list).")
        delete_file(connection, base.target_path)
    partial.drop(connection, base.target_pool, base.target_path, mark.operation_id)


def _whole(connection: Connection, base: BaseImage, work: BaseWork) -> None:
    put_maker(connection, made_usage(base.target_path), work.maker(base.target_path))
    partial.drop(connection, base.target_pool, base.target_path, work.note.operation_id)
