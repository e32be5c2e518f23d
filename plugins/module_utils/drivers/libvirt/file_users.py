# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who uses a file, on every host that may see it: under another path where its pool is mounted elsewhere, and unseen where a host is silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .connection import READ_SECONDS, Connection, Hosts, HostSession
from .image_files import pool_holding
from .pools import HostPool, PoolMap, read_pools
from .volumes import refresh, users_of

READ_AGAIN_SECONDS = 10.0
OTHERS_SECONDS = 30.0

PoolsOf = Callable[[Mapping[str, tuple[HostPool, ...]]], PoolMap]
"""Tells which pool of which host is which pool of the site, from the pools of those hosts that answered."""


@dataclass(frozen=True, slots=True)
class FileUsers:
    """``used``: its users, as names for people. ``unasked``: hosts that may have users of it and do not answer."""

    used: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """True unless it is known that nobody needs the file. What is unknown is not assumed."""
        return bool(self.used or self.unasked)

    @property
    def hint(self) -> str:
        """What to do about a file that stays for them."""
        alone = " A pool that no other host has is told so by scope: host in vmops_site.pools." if self.unasked else ""
        return f"Remove it, when nothing uses it.{alone}"

    def __str__(self) -> str:
        """In words, after the name of the file."""
        parts = [f"is used by {', '.join(self.used)}"] if self.used else []
        parts += [f"may be used on {', '.join(self.unasked)}, which cannot be asked"] if self.unasked else []
        return " and ".join(parts) or "has no user"


class UserSearch:
    """Asks all hosts of a site that may have the pool of a file. Only the operator's own word (``scope: host``) makes a pool one of its host alone.

    The pools of all hosts are read at most every READ_AGAIN_SECONDS; who uses a file is asked anew each time.
    """

    def __init__(self, hosts: Hosts, pools_of: PoolsOf) -> None:
        self._hosts = hosts
        self._pools_of = pools_of
        self._lock = threading.Lock()
        self._read: _Reading | None = None

    def of(self, host: str, path: str, but_vm: str = "") -> FileUsers:
        """The users of the file that has this path on that host; ``but_vm``: a VM (UUID) that is none of them there, as it has moved away.

        Raises HostUnreachable where that host itself is silent.
        """
        reading = self._pools(host)
        known, own = reading.known, pool_holding(reading.known.pools_on(host), path)
        places = {host: (path,)} if own is None else {host: (path,), **self._places(known, host, own, path)}
        unasked = [] if own is None or known.is_declared_local(host, own) else [name for name in reading.silent if _may_see(known, name, places)]

        def ask(session: HostSession) -> tuple[str, ...]:
            return session.run("asking who uses a file", lambda connection: look(connection, session.name), _patience(session.name, host))

        def look(connection: Connection, name: str) -> tuple[str, ...]:
            for pool in filter(None, (pool_holding(known.pools_on(name), place) for place in places[name])):
                refresh(connection, pool.name)  # what rests on the file may have come since libvirt's last look
            return tuple(user for place in places[name] for user in users_of(connection, place, but_vm if name == host else ""))

        found, errors = self._hosts.on_each([name for name in places if name not in reading.silent], ask)
        if host in errors:
            raise errors[host]
        used = [f"{user} on {name}" for name in sorted(found) for user in found[name]]
        return FileUsers(tuple(dict.fromkeys(used)), tuple(sorted({*unasked, *errors})))

    def _pools(self, host: str) -> _Reading:
        with self._lock:
            reading = self._read
            if reading is None or time.monotonic() - reading.at > READ_AGAIN_SECONDS or host in reading.silent:
                seen, errors = self._hosts.on_each(
                    self._hosts.names, lambda session: session.run("reading its pools", read_pools, _patience(session.name, host))
                )
                if host in errors:
                    raise errors[host]
                reading = self._read = _Reading(self._pools_of(seen), tuple(sorted(errors)), time.monotonic())
        return reading

    def _places(self, known: PoolMap, host: str, own: HostPool, path: str) -> dict[str, tuple[str, ...]]:
        """The file's paths on each other host that has its pool."""
        within, found = path.removeprefix(own.path.rstrip("/")), {}
        for name in self._hosts.names:
            there = [pool.path.rstrip("/") + within for pool in known.same_storage(host, own, name) if pool.path] if name != host else []
            if there:
                found[name] = tuple(dict.fromkeys(there))
        return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """The pools of all hosts as they were read at that time (monotonic seconds), and who was silent then."""

    known: PoolMap
    silent: tuple[str, ...]
    at: float


def _patience(name: str, host: str) -> float:
    """A host is waited for as long as a reading may take; the others, whose storage may hang, for less."""
    return READ_SECONDS if name == host else OTHERS_SECONDS


def _may_see(known: PoolMap, name: str, places: Mapping[str, tuple[str, ...]]) -> bool:
    """True where a silent host has the pool, or was never asked what it has."""
    return name in places or not known.pools_on(name)
