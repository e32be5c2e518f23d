# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live moves by host: started in a thread on a connection of their own, watched and aborted from others.

Peer to peer, the source's daemon carries the move: it goes on when this process dies. Managed, this process carries it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...model.errors import MigrationError, StateConflict
from ...model.migration import Migration, MigrationType, Mode
from ...model.progress import Progress
from ...model.request import MoveOptions, Transport
from .connection import Connection, HostSession
from .domains import Domain, ask_state, find_domain
from .failures import cannot_open_peer, find_trouble, is_about_connecting
from .library import libvirt
from .move_parameters import move_flags, move_parameters
from .threads import start_daemon

BEGIN_SECONDS = 5.0
"""How long a move may take from its call to its job; a cancel in between waits for it."""


@dataclass(eq=False)
class MoveJob:
    """A move that this process started, or only watches (``call_over`` is set from the start then). Its fields change while it lasts.

    ``message`` is the hypervisor's word for the call's error; ``lost_sight``: the call ended because its connection broke, the move may go on.
    ``memory_cap_mib_s``: to be set when the memory's turn comes, after disks that had another cap; None: nothing to do (any more).
    ``asking`` is the question for progress that is under way, since ``asked_at`` (of a clock that nobody sets), ``asked_again`` times by now because the one
    before hung; ``is_asked_in_vain`` while it hangs. ``is_post_copy``: it was seen to run at its destination
    already, so that the end of the call need not be the end of the move.
    """

    call_over: threading.Event = field(default_factory=threading.Event)
    is_watched_only: bool = False
    is_post_copy: bool = False
    is_cancelled: bool = False
    lost_sight: bool = False
    message: str = ""
    last: Progress | None = None
    memory_cap_mib_s: int | None = None
    asking: Any = None
    asked_at: float = 0.0
    asked_again: int = 0
    is_asked_in_vain: bool = False

    def begin_again(self) -> None:
        """A new call carries the same move from now on."""
        self.call_over = threading.Event()
        self.is_watched_only, self.lost_sight, self.message, self.asking = False, False, "", None


@dataclass(frozen=True, slots=True)
class Ends:
    """The two hosts of a move."""

    source: HostSession
    target: HostSession


@dataclass(frozen=True, slots=True)
class Extra:
    """What a preparation adds to libvirt's call."""

    flags: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)


Prepare = Callable[[MoveJob], Extra]
"""Called in the move's own thread right before libvirt's call; raises MigrationError where the move cannot be made."""

MOVED = (MigrationType.HOST, MigrationType.HOST_STORAGE)
WITH_MEMORY = (Mode.LIVE, Mode.SUSPENDED)


def begin(ends: Ends, migration: Migration, options: MoveOptions, prepare: Prepare | None = None) -> MoveJob:
    """Start the move and return. Raises HostUnreachable where a connection cannot be opened, StateConflict where the VM is in no state to move live."""
    if migration.mode not in WITH_MEMORY or migration.type not in MOVED:
        raise MigrationError(f"The libvirt driver does not move {migration.type.value} in mode {migration.mode.value} yet.", code="capability_missing")
    connection = ends.source.open()
    try:
        domain, persistent = _domain_to_move(connection, ends, migration)
        destination = ends.target.open() if options.transport is Transport.MANAGED else None
        flags = move_flags(persistent, options, is_live=migration.mode is Mode.LIVE)
        parameters = move_parameters(ends.source, ends.target, options)
        job = MoveJob()
        call = Call(ends, connection, destination, domain, flags, parameters, options, prepare)
        start_daemon(lambda: carry(call, job), f"vmops-move-{migration.vm}")
    except BaseException:
        connection.close()
        raise
    return job


@dataclass(frozen=True, slots=True)
class Call:
    """What the thread of a move needs."""

    ends: Ends
    connection: Connection
    destination: Connection | None
    domain: Domain
    flags: int
    parameters: dict[str, Any]
    options: MoveOptions
    prepare: Prepare | None = None


def _domain_to_move(connection: Connection, ends: Ends, migration: Migration) -> tuple[Domain, bool]:
    """The domain, and whether it is persistent."""
    # An offline move of a running VM "succeeds" in libvirt and leaves two of it; so the state is asked in the last moment.
    state = ends.source.run("asking the VM's state", lambda control: ask_state(control, migration.vm))
    if state is None or not state.is_active or state.is_incoming:
        raise StateConflict(f"VM {migration.vm_name} does not run on {ends.source.name} any more.", hint="Run the task again.")
    if state.job is not None:
        raise StateConflict(f"VM {migration.vm_name} is busy with another operation of the hypervisor ({state.job.value}).", hint="Wait for its end.")
    domain = find_domain(connection, migration.vm)
    if domain is None:
        raise StateConflict(f"VM {migration.vm_name} is not on {ends.source.name} any more.", hint="Run the task again.")
    return domain, state.is_persistent


def carry(call: Call, job: MoveJob) -> None:
    """The call that lasts as long as the move. What it says of its end is kept for people; where the VM is, verify asks the hosts."""
    try:
        extra = call.prepare(job) if call.prepare is not None else Extra()
        if call.options.max_downtime_ms:
            call.domain.migrateSetMaxDowntime(call.options.max_downtime_ms, 0)
        if job.is_cancelled:
            job.message = "aborted before it began"
            return
        parameters, flags = {**call.parameters, **extra.parameters}, call.flags | extra.flags
        if call.destination is not None:
            call.domain.migrate3(call.destination.raw, parameters, flags)
        else:
            call.domain.migrateToURI3(call.ends.target.peer_uri.text, parameters, flags)
    except MigrationError as error:
        job.message = f"{error.code}: {error}"
    except libvirt.libvirtError as error:
        job.lost_sight = not call.connection.is_alive()
        job.message = _message(call, error)
    except Exception as error:  # noqa: BLE001 (a thread has nobody else to tell; where the VM is, verify asks)
        job.message = f"{type(error).__name__}: {error}"
    finally:
        job.call_over.set()
        call.connection.close()
        if call.destination is not None:
            call.destination.close()


def _message(call: Call, error: Any) -> str:
    said: str = error.get_error_message() or str(error)
    if call.destination is None and call.connection.is_alive() and is_peer_trouble(error):
        return str(cannot_open_peer(call.ends.source.name, call.ends.target.name, call.ends.target.peer_uri, said))
    return call.ends.target.peer_uri.without_secrets(said)


def is_peer_trouble(error: Any) -> bool:
    """True where the source's daemon says that it could not open the destination's."""
    about_connecting = is_about_connecting(error) or error.get_error_code() in (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_AUTH_FAILED)
    return about_connecting and find_trouble(error.get_error_message() or "") is not None


def abort(session: HostSession, migration: Migration, job: MoveJob) -> None:
    """Ask the source to abort the VM's job. One that has ended already is well, and one that has not begun yet never begins, or is waited for.

    Raises StateConflict in post-copy: there is no way back.
    """
    job.is_cancelled = True
    until = time.monotonic() + BEGIN_SECONDS
    while not session.run("aborting the move", lambda connection: _abort(connection, migration)):
        if job.call_over.is_set() or time.monotonic() > until:
            return
        time.sleep(0.1)


def _abort(connection: Connection, migration: Migration) -> bool:
    """True where a job was aborted; False where there is none (any more, or yet)."""
    state = ask_state(connection, migration.vm)
    domain = find_domain(connection, migration.vm)
    if state is None or domain is None or state.job is None:
        return False
    if state.is_postcopy:
        raise StateConflict(f"{migration.vm_name} runs on {migration.target_host} already (post-copy); its move cannot be aborted any more.")
    try:
        domain.abortJob()
    except libvirt.libvirtError:
        after = ask_state(connection, migration.vm)
        if after is not None and after.job is not None:
            raise
        return False  # it ended in this moment
    return True
