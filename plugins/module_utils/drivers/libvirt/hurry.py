# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A live move brought to its end: its guest paused, switched to post-copy, or its post-copy taken up again after the way between the hosts broke.

In post-copy each host holds a part of the guest. Nothing is ever aborted, restarted or undone then: the one way out is to go on.
"""

from __future__ import annotations

import time
from typing import Any

from ...model.errors import StateConflict
from ...model.intent import TimeoutAction
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.request import MoveOptions, Transport
from ..driver import Job
from .connection import Connection, HostSession
from .domains import Domain, DomainState, ask_state, find_domain
from .library import libvirt
from .migrate import Call, Ends, MoveJob, carry
from .move_parameters import ENCRYPTED, MANAGED, has_word, move_flags, way_parameters
from .threads import start_daemon

BREAK_SECONDS = 5.0
"""How long a post-copy that hangs may take to stop, so that it can be taken up again."""

BEGIN_SECONDS = 3.0
"""A try to take it up that fails does so in this time; one that lasts longer goes on."""

LOST = "post_copy_lost"


def hurry(ends: Ends, job: Job, handle: MoveJob, action: TimeoutAction) -> None:
    """See ``driver.Driver``."""
    migration = job.migration
    state = ends.source.run("asking for the move's state", lambda connection: ask_state(connection, migration.vm))
    if state is None or not state.is_active:
        raise StateConflict(f"VM {migration.vm_name} is not on {migration.source_host} any more.", hint="Ask where it is.")
    if state.is_postcopy:
        if action is not TimeoutAction.POST_COPY:
            raise StateConflict(f"VM {migration.vm_name} runs on {migration.target_host} already (post-copy).")
        _take_up(ends, job, handle, state)
    elif action is TimeoutAction.POST_COPY:
        ends.source.run("switching to post-copy", lambda connection: _of(connection, migration).migrateStartPostCopy(), repeat=False)
        handle.is_post_copy = True
    else:
        ends.source.run("pausing the guest until its copy is whole", lambda connection: _suspend(connection, migration))


def _suspend(connection: Connection, migration: Migration) -> None:
    _of(connection, migration).suspend()


def _of(connection: Connection, migration: Migration) -> Domain:
    domain = find_domain(connection, migration.vm)
    if domain is None:
        raise StateConflict(f"VM {migration.vm_name} is not on {migration.source_host} any more.", hint="Ask where it is.")
    return domain


def _take_up(ends: Ends, job: Job, handle: MoveJob, state: DomainState) -> None:
    """Stop the post-copy that hangs, on each end that has not noticed yet that it does, and let it go on over a new connection."""
    migration = job.migration
    _need_other_half(ends, migration)
    if not state.is_broken:
        ends.source.run("stopping the post-copy that hangs", lambda connection: _stop_hanging(connection, migration))
    for session in (ends.source, ends.target):
        half = _waited_for(session, migration)
        if half is None or not half.is_postcopy:
            return  # it has come to its end in this moment, which its next sample tells
        if not half.is_broken:
            raise _goes_on_hanging(ends, migration, session)
    if not handle.call_over.wait(BREAK_SECONDS):
        raise _goes_on_hanging(ends, migration, ends.source)
    _resume(ends, job.note, migration, handle)


def _waited_for(session: HostSession, migration: Migration) -> DomainState | None:
    """The state of one half as soon as it knows that the way is broken, or is a half no more; as it is after BREAK_SECONDS otherwise."""
    until = time.monotonic() + BREAK_SECONDS
    while True:
        state = session.run("asking for the move's state", lambda connection: ask_state(connection, migration.vm))
        if state is None or state.is_broken or not state.is_postcopy or time.monotonic() > until:
            return state
        time.sleep(0.1)


def _goes_on_hanging(ends: Ends, migration: Migration, session: HostSession) -> StateConflict:
    """The destination hears of the break with the next packet that comes through: at the latest two minutes after the link is back, as TCP tries again ever
    more rarely. A guest that waits for a page there sends none itself, and libvirt has no call that would tell QEMU of it.
    """
    text = f"The post-copy of {migration.vm_name} does not stop on {session.name}, so that it could be taken up again."
    if session is not ends.target:
        return StateConflict(text)
    own = ends.source.options.migration_address if ends.target.options.migration_address else None
    address = own or ends.source.peer_uri.host
    hint = (
        f"If the link has been well for minutes, close the old connection of that guest alone, on {session.name}: ss -tnp dst {address} shows the port "
        f"of its QEMU, ss -K dst {address} sport = :PORT closes it."
    )
    return StateConflict(text, hint=hint)


def _need_other_half(ends: Ends, migration: Migration) -> None:
    """Raises StateConflict where the destination does not run the guest.

    The source calls it post-copy from the moment when it lets go, but for the time that its last words take, nobody runs the guest. To stop the way in
    that moment would lose it (seen with libvirt 9.0 on a slow link): a way that comes back in time carries them on by itself.
    """
    state = ends.target.run("asking for the other half", lambda connection: ask_state(connection, migration.vm))
    if state is None or not state.is_active:
        text = f"{migration.vm_name} does not run on {migration.target_host}, and {migration.source_host} has let go of it: neither can go on."
        raise StateConflict(text, code=LOST, hint="Stop it on its source and start it anew from its disks.")
    if not state.is_postcopy:
        raise StateConflict(f"{migration.vm_name} has not begun to run on {migration.target_host} yet; it is waited for.")


def _stop_hanging(connection: Connection, migration: Migration) -> None:
    domain = find_domain(connection, migration.vm)
    if domain is not None:
        domain.abortJobFlags(libvirt.VIR_DOMAIN_ABORT_JOB_POSTCOPY)


def _resume(ends: Ends, note: VmNote, migration: Migration, handle: MoveJob) -> None:
    options = MoveOptions(post_copy=True, encrypt=has_word(note, ENCRYPTED), transport=Transport.MANAGED if has_word(note, MANAGED) else Transport.P2P)
    flags = move_flags(note.persistent, options) | libvirt.VIR_MIGRATE_POSTCOPY_RESUME
    parameters: dict[str, Any] = way_parameters(ends.source, ends.target, options.encrypt)
    connection = ends.source.open()
    try:
        domain = _of(connection, migration)
        destination = ends.target.open() if options.transport is Transport.MANAGED else None
    except BaseException:
        connection.close()
        raise
    handle.begin_again()
    start_daemon(lambda: carry(Call(ends, connection, destination, domain, flags, parameters, options), handle), f"vmops-resume-{migration.vm}")
    if handle.call_over.wait(BEGIN_SECONDS) and handle.message:
        raise StateConflict(f"The post-copy of {migration.vm_name} cannot be taken up yet: {handle.message}")
