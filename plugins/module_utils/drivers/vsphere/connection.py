# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session with a vCenter server or an ESXi host: opened when it is first needed, renewed when it has expired, always logged out."""

from __future__ import annotations

import http.client
import importlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ...model.errors import HostUnreachable, InputError
from ...model.options import SiteOptions, VsphereOptions
from .errors import failures, is_cut, is_logged_out, of_call, untrusted
from .library import pyvmomi

Result = TypeVar("Result")

ANSWER_SECONDS = 120.0
"""How long one call may take to be answered; a wait for changes takes less."""


@dataclass(frozen=True)
class Link:
    """An open session. ``service`` is pyVmomi's ServiceInstance, ``content`` what it gives access to."""

    service: Any
    content: Any

    def object(self, kind: Any, moid: str) -> Any:
        """The managed object of that type and id; nothing is asked of the server."""
        return kind(moid, self.service._stub)


class VCenter:
    """The server that the options name. May be used by several threads: pyVmomi keeps a pool of connections. Nothing is opened before the first call."""

    def __init__(self, options: SiteOptions) -> None:
        pyvmomi()
        self._options: VsphereOptions = options.vsphere
        self._patience = options.connect_timeout_seconds
        self._link: Link | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def hostname(self) -> str:
        """The server's name or address."""
        return self._options.hostname

    def run(self, doing: str, call: Callable[[Link], Result], *, repeat: bool = True) -> Result:
        """The call's result. ``doing`` completes "... failed".

        After an expired session one new login is made, and the call again: an expired session carried nothing out. After a broken connection the call is made
        again only where ``repeat`` says that twice is as good as once. Raises InputError (login, certificate), HostUnreachable, StateConflict.
        """
        link = self._opened()
        try:
            return call(link)
        except failures() as error:
            if not is_logged_out(error) and not (repeat and is_cut(error)):
                raise of_call(error, doing, self.hostname) from None
        try:
            return call(self._reopened(link))
        except failures() as error:
            raise of_call(error, doing, self.hostname) from None

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password, for an API that has sessions of its own."""
        return self._options.username, self._options.password

    def file(self, path: str) -> AbstractContextManager[http.client.HTTPResponse]:
        """The answer of the server's file server to a question for that path, in the same session."""
        cookie = str(self._opened().service._stub.cookie).partition(";")[0]
        return self.exchange("GET", path, {"Cookie": cookie})

    @contextmanager
    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Iterator[http.client.HTTPResponse]:
        """The answer to a question over HTTP that is none of the SOAP API, with the same trust. Raises HostUnreachable."""
        given = self._options
        connection = http.client.HTTPSConnection(given.hostname, given.port, timeout=ANSWER_SECONDS, context=_context(given))
        try:
            connection.request(method, path, body, dict(headers))
            yield connection.getresponse()
        except (http.client.HTTPException, OSError) as error:
            raise of_call(error, f"asking for {path.partition('?')[0]}", self.hostname) from None
        finally:
            connection.close()

    def close(self) -> None:
        """Log out. Never raises: a session that cannot be ended now ends by itself when it is idle."""
        with self._lock:
            link, self._link, self._closed = self._link, None, True
        if link is not None:
            _log_out(link)

    def _opened(self) -> Link:
        with self._lock:
            if self._link is None:
                self._link = self._open()
            return self._link

    def _reopened(self, old: Link) -> Link:
        """The session that another thread has opened meanwhile, or a new one."""
        with self._lock:
            if self._link is None or self._link is old:
                self._link = self._open()
            return self._link

    def _open(self) -> Link:
        if self._closed:
            raise HostUnreachable(self.hostname, f"The session with {self.hostname} was closed.", hint="Run the task again.")
        context = _context(self._options)
        self._knock(context)
        given = self._options
        try:
            service = importlib.import_module("pyVim.connect").SmartConnect(
                host=given.hostname, port=given.port, user=given.username, pwd=given.password, sslContext=context, httpConnectionTimeout=ANSWER_SECONDS
            )
            return Link(service, service.RetrieveContent())
        except failures() as error:
            raise of_call(error, "logging in", self.hostname) from None

    def _knock(self, context: ssl.SSLContext) -> None:
        """Open a connection and close it: what is wrong on the way is told better by the standard library than by pyVmomi, and no password is sent before."""
        address = (self._options.hostname, self._options.port)
        try:
            with (
                socket.create_connection(address, timeout=self._patience) as plain,
                context.wrap_socket(plain, server_hostname=self._options.hostname),
            ):
                return
        except ssl.SSLCertVerificationError as error:
            raise untrusted(self.hostname, error.verify_message) from None
        except ssl.SSLError as error:
            text = f"{self.hostname} does not speak TLS on port {address[1]} ({error.reason})."
            raise HostUnreachable(self.hostname, text, hint="Check site.vsphere.port.") from None
        except OSError as error:
            text = f"{self.hostname} cannot be reached on port {address[1]}: {error}."
            raise HostUnreachable(self.hostname, text, hint="Check site.vsphere.hostname, the port, and the way there.") from None


def _context(given: VsphereOptions) -> ssl.SSLContext:
    """Certificates are verified, for every name; pyVmomi by itself would not do it for localhost."""
    try:
        context = ssl.create_default_context(cafile=given.ca_path or None)
    except (ssl.SSLError, OSError) as error:
        hint = "It has to hold the certificates of the trusted authorities in PEM form."
        raise InputError("site.vsphere.ca_path", f"{given.ca_path!r} cannot be read: {error}.", hint=hint) from None
    if not given.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _log_out(link: Link) -> None:
    try:
        link.content.sessionManager.Logout()
    except failures():
        return  # nobody waits for it, and the server ends idle sessions by itself
