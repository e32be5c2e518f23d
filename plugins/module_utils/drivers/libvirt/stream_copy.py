# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies one volume from a pool of one host to a pool of another (or the same) through this process: streamed, sparse, never at rest here.

Both ends have connections of their own, since a stream fills its connection. The memory used is bounded by the pieces between the two threads.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, Union

from ...model.errors import HostUnreachable, MigrationError
from .connection import Connection, HostSession
from .failures import is_about_connecting, refused
from .library import libvirt
from .stream_checksum import Checksum
from .threads import start_daemon
from .volumes import find_volume

PIECE_BYTES = 256 * 1024 - 24
"""What one message of libvirt's protocol carries at most (262,120 bytes): a larger wish is answered in such pieces."""

PIECES_WAITING = 32
MIB = 1024 * 1024
_PATIENCE_SECONDS = 0.2

Result = TypeVar("Result")
Piece = Union[bytes, int]  # noqa: UP007 (what ansible-test checks with does not know the other form outside of annotations)
"""Data, or the length of a hole."""


class CopyCancelledError(MigrationError):
    """The copy was ended on request; what there is of it is not whole."""

    default_code = "cancelled"


@dataclass(frozen=True, slots=True)
class VolumeEnd:
    """A volume as one host has it."""

    session: HostSession
    path: str


@dataclass(frozen=True, slots=True)
class Copied:
    """What went through: the length with holes, the bytes of data alone, and the checksum of the content."""

    length_bytes: int
    data_bytes: int
    checksum: str


class CopyControl:
    """One or several copies under way, as others see and steer them: position, cancelling, the cap of speed (0: none). Used by several threads."""

    def __init__(self, speed_mib_s: int = 0) -> None:
        self.processed_bytes = 0
        self._cancelled = threading.Event()
        self._bytes_per_second = speed_mib_s * MIB
        self._free_at = 0.0

    def cancel(self) -> None:
        """Ask for the end; the copy raises CopyCancelledError at its next piece."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """True once somebody asked for the end."""
        return self._cancelled.is_set()

    def require_going(self) -> None:
        """Raises CopyCancelledError once it was cancelled."""
        if self.is_cancelled:
            raise CopyCancelledError("The copy was cancelled.")

    def wait(self, seconds: float) -> None:
        """Sleep so long; raises CopyCancelledError as soon as it is cancelled."""
        self._cancelled.wait(seconds)
        self.require_going()

    def passed(self, piece: Piece) -> None:
        """Count a piece, and wait where it came faster than the cap allows; holes cost nothing."""
        self.require_going()
        if isinstance(piece, int):
            self.processed_bytes += piece
            return
        self.processed_bytes += len(piece)
        if self._bytes_per_second:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + len(piece) / self._bytes_per_second
            if self._free_at > now:
                self.wait(self._free_at - now)


def copy_volume(source: VolumeEnd, target: VolumeEnd, control: CopyControl) -> Copied:
    """Copy the bytes of the source's file into the target's, which must be there, empty and long enough; holes stay holes.

    Raises CopyCancelledError, HostUnreachable, or what ``refused`` makes of an error.
    """
    reading = source.session.open()
    try:
        writing = target.session.open()
    except BaseException:
        reading.close()
        raise
    pieces: queue.Queue[Piece | BaseException | None] = queue.Queue(PIECES_WAITING)
    writer = start_daemon(lambda: _told(target, writing, lambda: _write(writing, target.path, pieces)), f"vmops-write-{target.session.name}")

    def hand_over(piece: Piece | None) -> None:
        while not writer.done():
            control.require_going()
            with contextlib.suppress(queue.Full):
                pieces.put(piece, timeout=_PATIENCE_SECONDS)
                return
        error = writer.exception()
        raise error if error is not None else MigrationError(f"Writing {target.path} on {target.session.name} ended early.", code="copy_incomplete")

    try:
        copied = _told(source, reading, lambda: _read(reading, source.path, control, hand_over))
        hand_over(None)
        writer.result()
    except BaseException as error:
        _give_up(pieces, error)
        raise
    finally:
        reading.close()
        if writer.done():
            writing.close()
        else:  # it still gives up its stream; a host that hangs is waited for by nobody
            writer.add_done_callback(lambda _future: writing.close())
    return copied


def _give_up(pieces: queue.Queue[Piece | BaseException | None], error: BaseException) -> None:
    """Let the writer abort its stream, before anything that still waits for it."""
    with contextlib.suppress(queue.Empty):
        while True:
            pieces.get_nowait()
    with contextlib.suppress(queue.Full):
        pieces.put_nowait(error)


def read_volume(end: VolumeEnd, control: CopyControl) -> Copied:
    """Read a whole volume and keep nothing of it but its length and checksum. Raises as ``copy_volume``."""
    reading = end.session.open()
    try:
        return _told(end, reading, lambda: _read(reading, end.path, control, lambda _piece: None))
    finally:
        reading.close()


def are_equal(one: VolumeEnd, other: VolumeEnd, control: CopyControl) -> bool:
    """True where both volumes hold the same bytes; both are read whole. Raises as ``copy_volume``."""
    here, there = read_volume(one, control), read_volume(other, control)
    return (here.length_bytes, here.checksum) == (there.length_bytes, there.checksum)


def _read(connection: Connection, path: str, control: CopyControl, give: Callable[[Piece], None]) -> Copied:
    volume = find_volume(connection, path)
    if volume is None:
        raise MigrationError(f"No storage pool has a volume {path} (any more).", code="volume_missing")
    stream = connection.raw.newStream(0)
    volume.download(stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
    checksum, length, data = Checksum(), 0, 0
    try:
        while True:
            piece = _next_piece(stream)
            if not piece:
                break
            if isinstance(piece, int):
                checksum.hole(piece)
                length += piece
            else:
                checksum.data(piece)
                length, data = length + len(piece), data + len(piece)
            give(piece)
            control.passed(piece)
    except BaseException:
        _abort(stream)
        raise
    stream.finish()
    return Copied(length, data, checksum.hexdigest())


def _next_piece(stream: Any) -> Piece:
    """The next data or hole; empty at the end."""
    while True:
        got = stream.recvFlags(PIECE_BYTES, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if isinstance(got, bytes):
            return got
        length: int = stream.recvHole(0)
        if length:
            return length


def _write(connection: Connection, path: str, pieces: queue.Queue[Piece | BaseException | None]) -> None:
    volume = find_volume(connection, path)
    if volume is None:
        raise MigrationError(f"No storage pool has a volume {path} (any more).", code="volume_missing")
    stream = connection.raw.newStream(0)
    volume.upload(stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
    try:
        while (piece := pieces.get()) is not None:
            if isinstance(piece, BaseException):
                _abort(stream)
                return
            if isinstance(piece, int):
                stream.sendHole(piece, 0)
            else:
                _send(stream, piece)
    except BaseException:
        _abort(stream)
        raise
    stream.finish()


def _send(stream: Any, piece: bytes) -> None:
    sent = 0
    while sent < len(piece):
        sent += stream.send(piece[sent:] if sent else piece)


def _abort(stream: Any) -> None:
    with contextlib.suppress(libvirt.libvirtError):  # one that the other side has ended cannot be aborted
        stream.abort()


def _told(end: VolumeEnd, connection: Connection, action: Callable[[], Result]) -> Result:
    """The action's result; libvirt's errors as ours."""
    try:
        return action()
    except libvirt.libvirtError as error:
        name = end.session.name
        if is_about_connecting(error) or not connection.is_alive():
            raise HostUnreachable(name, f"The connection to {name} broke while copying {end.path}: {error.get_error_message()}.") from None
        raise refused(name, f"copying {end.path}", error) from None
