# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to hosts: opened within a time, kept alive, one for control and one for progress, further ones for jobs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...model.errors import HostUnreachable, InputError, MigrationError
from ...model.options import HostOptions, SiteOptions
from .failures import cannot_open, is_about_connecting, refused
from .library import libvirt, prepare
from .threads import bounded, each, start_daemon
from .uri import Uri, controller_uri, peer_uri

KEEPALIVE_INTERVAL_SECONDS = 5
KEEPALIVE_COUNT = 5
SHORT_CALL_SECONDS = 15.0
READ_SECONDS = 120.0
_FAILURE_REMEMBERED_SECONDS = 0.5
_SILENT_PATIENCE_SECONDS = 0.3
_SILENT_RETRY_SECONDS = 60.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Opening:
    """A connection that did not come within the time to connect; libvirt still tries."""

    future: Future[Connection]
    since: float


class QemuSilentError(Exception):
    """A call waits for a QEMU that does not answer. The host is asked again, on a fresh connection and more carefully; never leaves this driver."""


@dataclass(eq=False)
class HostHealth:
    """What all connections to one host know of it: until when its QEMUs are not to be asked, because one does not answer (monotonic seconds)."""

    careful_until: float = 0.0

    def is_careful(self) -> bool:
        """True while only libvirt itself may be asked."""
        return time.monotonic() < self.careful_until

    def be_careful(self, until: float) -> None:
        """Do so until then."""
        self.careful_until = until


@dataclass(eq=False)
class Connection:
    """One open connection. ``raw`` is libvirt's; ``cache`` keeps what cannot change while it is open (capabilities)."""

    raw: Any
    health: HostHealth = field(default_factory=HostHealth)
    cache: dict[Any, Any] = field(default_factory=dict)

    def is_alive(self) -> bool:
        """False once the other side, or keep-alive, has closed it. Asks nobody."""
        try:
            return bool(self.raw.isAlive())
        except libvirt.libvirtError:
            return False

    def close(self) -> None:
        """Close without waiting for a host that hangs."""
        with contextlib.suppress(TimeoutError, libvirt.libvirtError):
            bounded(self.raw.close, 2.0, "vmops-close")


class HostSession:
    """All connections to one host, opened when they are first needed. Used by several threads at once.

    Control and progress have connections of their own, because a daemon works on five calls of one connection at a time only
    (``max_client_requests``) and a move's call lasts as long as the move.
    """

    def __init__(self, name: str, options: HostOptions, connect_timeout_seconds: float) -> None:
        self.name = name
        self.options = options
        self.uri: Uri = controller_uri(name, options.uri)
        self.peer_uri: Uri = peer_uri(name, options.peer_uri)
        self._timeout = connect_timeout_seconds
        self._lock = threading.Lock()
        self._opening = {purpose: threading.Lock() for purpose in ("control", "progress")}
        self._kept: dict[str, Connection] = {}
        self._failure: tuple[float, HostUnreachable] | None = None
        self._late: dict[str, _Opening] = {}
        self._health = HostHealth()

    def run(
        self, doing: str, action: Callable[[Connection], Result], seconds: float | None = SHORT_CALL_SECONDS, purpose: str = "control", repeat: bool = True
    ) -> Result:
        """The action's result, with the connection kept for that purpose.

        ``seconds`` bounds the whole action (None: only keep-alive bounds each call). An action that meets a connection that has just broken is
        repeated once on a new one, so it must be repeatable unless ``repeat`` is off. Raises HostUnreachable, or what ``refused`` makes of an error.
        """
        for is_last in (False, False, True):
            connection = self._connection(purpose)
            try:
                return self._once(doing, action, seconds, purpose, connection)
            except QemuSilentError:
                # Beside a call that waits, others on its connection take five seconds now and then (seen with libvirt 9.0).
                self._drop(purpose, connection)
                if is_last:
                    raise HostUnreachable(self.name, f"{self.name}: a QEMU there does not answer, while {doing}.") from None
            except HostUnreachable:
                if is_last or not repeat or connection.is_alive():
                    raise
        raise HostUnreachable(self.name, f"{self.name} ({self.uri.shown}) did not answer, while {doing}.")

    def ping(self) -> None:
        """Make sure that the host answers within the time to connect."""
        self.run("asking whether it answers", lambda connection: connection.raw.getLibVersion(), self._timeout)

    def open(self) -> Connection:
        """A new connection of the caller's own. Raises HostUnreachable within the time to connect."""
        future = start_daemon(self._open, f"vmops-open-{self.name}")
        try:
            return future.result(timeout=self._timeout)
        except TimeoutError:
            future.add_done_callback(_close_late)
            raise self._silent() from None
        except libvirt.libvirtError as error:
            raise cannot_open(self.name, self.uri, error.get_error_message() or str(error)) from None

    def forget(self, purpose: str) -> None:
        """Take a new connection for that purpose the next time, because a call hangs on the one that is kept."""
        with self._lock:
            self._kept.pop(purpose, None)

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            kept, self._kept = list(self._kept.values()), {}
            late, self._late = list(self._late.values()), {}
        for opening in late:
            opening.future.add_done_callback(_close_late)
        for connection in kept:
            connection.close()

    def _once(self, doing: str, action: Callable[[Connection], Result], seconds: float | None, purpose: str, connection: Connection) -> Result:
        try:
            if seconds is None:
                return action(connection)
            return bounded(lambda: action(connection), seconds, f"vmops-{self.name}")
        except TimeoutError:
            self._drop(purpose, connection)
            raise HostUnreachable(self.name, f"{self.name} ({self.uri.shown}) did not answer within {seconds:g} seconds, while {doing}.") from None
        except libvirt.libvirtError as error:
            if is_about_connecting(error) or not connection.is_alive():
                self._drop(purpose, connection)
                raise HostUnreachable(self.name, f"The connection to {self.name} broke while {doing}: {error.get_error_message()}.") from None
            raise refused(self.name, doing, error) from None

    def _connection(self, purpose: str) -> Connection:
        with self._opening[purpose]:
            with self._lock:
                kept = self._kept.get(purpose)
                failure = self._failure
            if kept and kept.is_alive():
                return kept
            if failure and time.monotonic() - failure[0] < _FAILURE_REMEMBERED_SECONDS:
                raise HostUnreachable(self.name, failure[1].message, hint=failure[1].hint)
            try:
                fresh = self._open_kept(purpose)
            except HostUnreachable as error:
                self._failure = (time.monotonic(), error)
                raise
            with self._lock:
                self._kept[purpose] = fresh
            return fresh

    def _open_kept(self, purpose: str) -> Connection:
        """A connection to keep. A host that was silent for the whole time to connect is not waited for so long again and again: libvirt's try
        goes on behind, and whoever asks next only looks whether it has come.
        """
        late = self._late.pop(purpose, None)
        fresh = late is None or time.monotonic() - late.since > _SILENT_RETRY_SECONDS
        opening = _Opening(start_daemon(self._open, f"vmops-open-{self.name}"), time.monotonic()) if late is None or fresh else late
        if late is not None and opening is not late:
            late.future.add_done_callback(_close_late)
        try:
            return opening.future.result(timeout=self._timeout if fresh else _SILENT_PATIENCE_SECONDS)
        except TimeoutError:
            self._late[purpose] = opening
            raise self._silent() from None
        except libvirt.libvirtError as error:
            raise cannot_open(self.name, self.uri, error.get_error_message() or str(error)) from None

    def _silent(self) -> HostUnreachable:
        return cannot_open(self.name, self.uri, f"it did not answer within {self._timeout:g} seconds")

    def _drop(self, purpose: str, connection: Connection) -> None:
        with self._lock:
            if self._kept.get(purpose) is connection:
                del self._kept[purpose]

    def _open(self) -> Connection:
        raw = libvirt.open(self.uri.text)
        with contextlib.suppress(libvirt.libvirtError):  # a connection that knows no keep-alive is one on this machine
            raw.setKeepAlive(KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_COUNT)
        return Connection(raw, self._health)


class Hosts:
    """The sessions of all hosts of the site. Raises InputError for hosts whose options cannot be right; opens nothing yet."""

    def __init__(self, options: SiteOptions) -> None:
        prepare()
        if not options.hosts:
            raise InputError("site.hosts", "is empty.", hint="Name every host with its uri; libvirt knows no other hosts by itself.")
        self._sessions = {name: HostSession(name, host, options.connect_timeout_seconds) for name, host in options.hosts.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """All hosts, in the operator's order."""
        return tuple(self._sessions)

    def get(self, name: str) -> HostSession:
        """The session of a host. Raises InputError (``host_unknown``)."""
        session = self._sessions.get(name)
        if session is None:
            raise InputError("site.hosts", f"host {name!r} is not in the site.", code="host_unknown", hint=f"Known hosts: {', '.join(self.names)}.")
        return session

    def on_each(self, names: Iterable[str], action: Callable[[HostSession], Result]) -> tuple[Mapping[str, Result], Mapping[str, MigrationError]]:
        """Run the action on these hosts at once: results by host, and errors by host. An error that is none of ours is raised."""
        futures: Mapping[str, Future[Result]] = each(names, lambda name: action(self.get(name)))
        results, errors = {}, {}
        for name, future in futures.items():
            error = future.exception()
            if error is None:
                results[name] = future.result()
            elif isinstance(error, MigrationError):
                errors[name] = error
            else:
                raise error
        return results, errors

    def close(self) -> None:
        """Close everything."""
        each(self.names, lambda name: self.get(name).close())


def _close_late(future: Future[Connection]) -> None:
    if not future.exception():
        future.result().close()
