# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A short lock on a host, against other controllers: one of them admits a VM at a time. Made like a claim: a secret of a fixed usage id."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ...model.codec import decode, encode
from ...model.errors import InputError, MigrationError, OperationInProgress
from ...model.note import Claim, ClaimKind
from ..liveness import ClaimWatch, this_controller
from . import secrets
from .connection import Connection, HostSession

USAGE = f"{secrets.PREFIX}lock"
LIFETIME_SECONDS = 10.0
WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that this process made. It may have been broken since, if this process slept too long: ask before relying on it."""

    uuid: str

    def is_held(self, connection: Connection) -> bool:
        """True where it is still there."""
        return secrets.exists(connection, self.uuid)


@contextmanager
def host_lock(session: HostSession, watch: ClaimWatch) -> Iterator[HeldLock]:
    """Hold the host's lock for a few calls. A holder that died, or did not let go for its lifetime, is replaced. Raises OperationInProgress."""
    lock = HeldLock(str(uuid.uuid4()))
    until = time.monotonic() + WAIT_SECONDS
    while True:
        other = session.run("taking the host's lock", lambda connection: _try(connection, session.name, lock, watch))
        if other is None:
            break
        if time.monotonic() > until:
            raise OperationInProgress(f"The lock of host {session.name} is held by {other.controller} and not let go.", hint="Run the task again later.")
        time.sleep(random.uniform(0.02, 0.06))  # noqa: S311 (only spreads the tries)
    try:
        yield lock
    finally:
        _let_go(session, lock)


def _try(connection: Connection, host: str, lock: HeldLock, watch: ClaimWatch) -> Claim | None:
    """Take the lock, or tell who has it."""
    now = time.time()
    mine = Claim(ClaimKind.DRAIN, host, USAGE, lock.uuid, this_controller(), now, now, lifetime_seconds=LIFETIME_SECONDS)
    other = secrets.define(connection, lock.uuid, USAGE, encode(mine))
    if other is None:
        return None
    holder = _holder(other)
    if holder is not None and not watch.is_stale(holder):
        return holder
    secrets.undefine(connection, other.uuid)
    return None if secrets.define(connection, lock.uuid, USAGE, encode(mine)) is None else mine


def _holder(kept: secrets.KeptText) -> Claim | None:
    try:
        return decode(Claim, kept.data, "lock")
    except InputError:
        return None


def _let_go(session: HostSession, lock: HeldLock) -> None:
    try:
        session.run("letting go of the host's lock", lambda connection: secrets.undefine(connection, lock.uuid))
    except MigrationError:
        return  # the host is gone; the lock becomes stale by itself
