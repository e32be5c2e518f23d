# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a VM's move by copying. Arrived: start it, snapshots, autostart, the source's definition and files go. At its source: start it, copies go.

Both may be repeated after a death at any call, because the note is taken away last, and only what it names is removed.
"""

from __future__ import annotations

import dataclasses
import time

from ...model.errors import HostUnreachable, MigrationError, MoveFailed, StateConflict
from ...model.note import VmNote
from ...model.note_states import note_before, settled_note
from ...model.reason import Reason, warning
from ...model.vm import PowerState
from .cold_copy import remove_copy
from .cold_move import ColdMove, Stage, at_stage, our_note, stage_of, way_of
from .cold_run import ACTIVE, START_SECONDS, start_at_target, take_back
from .cold_verify import missing_copies
from .cold_xml import snapshot_name, with_new_places
from .connection import READ_SECONDS, Connection
from .domains import Domain, find_domain
from .file_users import UserSearch
from .library import libvirt
from .notes import put_note
from .volumes import remove

MOST_SHUTDOWN_SECONDS = 20.0
"""How long a guest that was asked to shut down is waited for where its move is taken back."""


def finish(move: ColdMove, users: UserSearch) -> tuple[Reason, ...]:
    """After ``verify`` said ``arrived``. Gives warnings for what could not be removed. Raises MoveFailed where a copy is missing: nothing is removed then."""
    kept = move.target.run("looking at the VM's note", lambda connection: our_note(find_domain(connection, move.migration.vm), move.note))
    if kept is None:
        return ()  # finished before: the note goes last
    move = dataclasses.replace(move, note=kept)
    missing = move.target.run("looking for the copies", lambda connection: missing_copies(connection, kept))
    if missing:
        text = f"{missing[0]} is not on {move.target.name}; nothing of {move.migration.vm_name} is removed on {move.source.name}."
        raise MoveFailed(text, code="copy_missing", hint="Find out who removed it.")
    if kept.power_state in ACTIVE:
        _start(move)
    move.target.run("restoring what does not travel", lambda connection: _restore(connection, move))
    reasons: tuple[Reason, ...] = ()
    if move.changes_host:
        reasons += move.source.run("removing the old definition", lambda connection: _undefine_source(connection, move))
    reasons += _remove_sources(move, users)
    move.target.run("settling the note", lambda connection: _put(connection, move, settled_note(kept, kept.target)))
    return reasons


def _start(move: ColdMove) -> None:
    """What the move's own thread did not come to."""
    try:
        move.target.run("starting the VM", lambda connection: start_at_target(connection, move), START_SECONDS, repeat=False)
    except HostUnreachable:
        raise  # it may be starting all the same
    except MigrationError as error:
        if not take_back(move):
            raise
        roll_back(move)
        text = f"{move.migration.vm_name} could not be started on {move.target.name}, so it is on {move.source.name} as before: {error.message}"
        raise MoveFailed(text) from None


def _restore(connection: Connection, move: ColdMove) -> None:
    domain = _of_this_move(connection, move)
    note = move.note
    ways = tuple(way_of(connection, note, volume) for volume in note.volumes)
    for xml in note.snapshots:
        current = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT if snapshot_name(xml) == note.current_snapshot else 0
        domain.snapshotCreateXML(with_new_places(xml, ways), libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | current)
    if bool(domain.autostart()) != note.autostart:
        domain.setAutostart(int(note.autostart))


def _undefine_source(connection: Connection, move: ColdMove) -> tuple[Reason, ...]:
    domain = find_domain(connection, move.migration.vm)
    if domain is None:
        return ()
    name, host = move.migration.vm_name, move.source.name
    if domain.isActive():
        return (warning("leftover_active", f"{name} is active on {host} again; nothing was removed there.", "Stop one of the two at once."),)
    if our_note(domain, move.note) is None:
        return (warning("leftover_foreign", f"{host} has a shut-off definition of {name} that this move did not make; it was left alone."),)
    # The variables of UEFI are a noted volume, or a file that the target uses as well. Saved states and checkpoints were refused before.
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    return ()


def _remove_sources(move: ColdMove, users: UserSearch) -> tuple[Reason, ...]:
    """The source's files of what was copied, and no other: not one that anything else uses, or may use, on whatever host."""
    found: list[Reason] = []
    for volume in move.note.volumes:
        if volume.source_path == volume.target_path and not move.changes_host:
            continue
        found += remove_source(move, volume.source_path, users)
    return tuple(found)


def remove_source(move: ColdMove, path: str, users: UserSearch) -> tuple[Reason, ...]:
    """Remove one file at the source; a warning that names its users where it has, or may have, any."""
    try:
        found = users.of(move.source.name, path)
        if found.is_needed:
            return (warning("source_in_use", f"{path} on {move.source.name} was left there: it {found}.", found.hint),)
        move.source.run(f"removing {path}", lambda connection: remove(connection, path), READ_SECONDS)
    except MigrationError as error:
        return (warning("source_left", f"{path} on {move.source.name} could not be removed: {error.message}", "Remove it, when nothing uses it."),)
    return ()


def roll_back(move: ColdMove) -> tuple[Reason, ...]:
    """After ``verify`` said ``at_source``: power state and autostart as before, then this move's copies and its note go. Gives what could not be removed."""
    kept = move.source.run("looking at the VM's note", lambda connection: our_note(find_domain(connection, move.migration.vm), move.note))
    if kept is None:
        return ()  # rolled back before: the note goes last
    move = dataclasses.replace(move, note=kept)
    if move.changes_host and stage_of(kept) not in (Stage.NOTED, Stage.STOPPING):  # before that there is none
        move.target.run("removing the new definition", lambda connection: _undefine_target(connection, move))
    reasons = move.source.run("starting the VM again", lambda connection: _start_again(connection, move), START_SECONDS)
    for volume in kept.volumes:
        try:
            move.target.run("removing the copy", lambda connection, noted=volume: remove_copy(connection, move, noted), READ_SECONDS)  # type: ignore[misc]
        except MigrationError as error:
            text = f"{volume.target_path} on {move.target.name} is left of the move of {move.migration.vm_name}: {error.message}"
            reasons += (warning("leftover_file", text, "Run the task again when the host answers."),)
    if not any(reason.code == "leftover_file" for reason in reasons):
        move.source.run("clearing the note", lambda connection: _put(connection, move, note_before(kept, kept.source)))
    return reasons


def _undefine_target(connection: Connection, move: ColdMove) -> None:
    """A switched definition that never ran, while the VM was started at its source by somebody else. Raises StateConflict where it has run."""
    domain = find_domain(connection, move.migration.vm)
    found = our_note(domain, move.note)
    if domain is None or found is None:
        return
    if domain.isActive() or stage_of(found).may_have_run:
        text = f"{move.migration.vm_name} may have run on {move.target.name} already; nothing of it is removed there."
        raise StateConflict(
            text, hint=f"Find out which of the two is right, and undefine the other (virsh undefine on {move.target.name} or {move.source.name})."
        )
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)


def _start_again(connection: Connection, move: ColdMove) -> tuple[Reason, ...]:
    """Only a VM that this move may have stopped is started; one that somebody shut down before is not ours to wake."""
    domain = _of_this_move(connection, move)
    note = move.note
    if stage_of(note) is Stage.NOTED:
        return ()
    if bool(domain.autostart()) != note.autostart:
        domain.setAutostart(int(note.autostart))
    if note.power_state not in ACTIVE:
        return ()
    if stage_of(note) is Stage.STOPPING:
        _let_it_shut_down(domain, min(move.options.shutdown_seconds, MOST_SHUTDOWN_SECONDS))
    if domain.isActive():
        text = f"{move.migration.vm_name} had been asked to shut down when its move ended; it may still do so."
        return (warning("shutdown_pending", text, "Look at it, and start it again if need be."),) if stage_of(note) is Stage.STOPPING else ()
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if note.power_state == PowerState.PAUSED.value else 0)
    if stage_of(note) is Stage.STOPPING:  # it runs again: should this be repeated, nobody waits for its end any more. Its copies have marks of their own.
        put_note(domain, at_stage(note, Stage.NOTED))
    return ()


def _let_it_shut_down(domain: Domain, seconds: float) -> None:
    """A guest that was asked to shut down may be about to; one that is off a moment after we let go of it would be started by nobody."""
    until = time.monotonic() + seconds
    while domain.isActive() and time.monotonic() < until:
        time.sleep(0.2)


def _of_this_move(connection: Connection, move: ColdMove) -> Domain:
    domain = find_domain(connection, move.migration.vm)
    if domain is None or our_note(domain, move.note) is None:
        raise StateConflict(f"{move.migration.vm_name} is not where its move left it any more.", hint="Verify again.")
    return domain


def _put(connection: Connection, move: ColdMove, note: VmNote | None) -> None:
    domain = find_domain(connection, move.migration.vm)
    if domain is not None and our_note(domain, move.note) is not None:
        put_note(domain, note)
