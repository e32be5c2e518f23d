# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a move between hosts takes off a VM for its way, and puts back at its end: snapshots' definitions, media, and the pause of ``on_timeout: suspend``.

All of it is in the note before anything is taken off, so that any run can put it back.
"""

from __future__ import annotations

import dataclasses

from ...model.migration import Migration, MigrationType, Mode
from ...model.note import NotePhase, VmNote
from ...model.request import MoveOptions
from ...model.vm import PowerState
from .connection import Connection, HostSession
from .domains import Domain, find_domain
from .library import libvirt
from .media import missing_media, put_in, take_out
from .move_parameters import MAY_SUSPEND, has_word, speed_before_mib_s, stage_of, with_speed_before
from .notes import note_of
from .snapshots import put_back, read_snapshots, take_off


def is_between_hosts(migration: Migration) -> bool:
    """True for moves that libvirt itself carries from host to host with the guest in memory."""
    return migration.mode in (Mode.LIVE, Mode.SUSPENDED) and migration.type is not MigrationType.STORAGE


def complete_note(domain: Domain, target: HostSession, note: VmNote, options: MoveOptions) -> VmNote:
    """The note with everything that has to be put back. What a move that nobody finished has taken off is put back first: this note takes the other's place."""
    before = note_of(domain)
    if before is not None and before.phase is NotePhase.MOVING:
        if is_paused_by_us(domain, before):
            note = dataclasses.replace(note, power_state=before.power_state)
        put_all_back(domain, before, media=True)
    snapshots, current = read_snapshots(domain)
    ejected = missing_media(domain.XMLDesc(0), target) if options.eject_media else ()
    stage = with_speed_before(stage_of(options), domain.migrateGetMaxSpeed(0)) if options.speed_mib_s else stage_of(options)
    return dataclasses.replace(note, stage=stage, snapshots=snapshots, current_snapshot=current, ejected=ejected)


def take_all_off(source: HostSession, migration: Migration, note: VmNote) -> None:
    """Right before the start: what the note holds is taken off the VM."""
    if not note.snapshots and not note.ejected:
        return

    def take(connection: Connection) -> None:
        domain = find_domain(connection, migration.vm)
        if domain is not None:  # else the start says so
            take_out(domain, note)
            take_off(domain, note)

    source.run("taking off what does not travel", take)


def put_all_back(domain: Domain, note: VmNote, *, media: bool) -> None:
    """After the move, on the host where the VM is: snapshots, the guest's course, and where it stayed at its source (``media``), media and speed."""
    put_back(domain, note)
    if media:
        put_in(domain, note)
        speed = speed_before_mib_s(note)
        if speed is not None and domain.isActive():
            domain.migrateSetMaxSpeed(speed, 0)
    if is_paused_by_us(domain, note):
        domain.resume()


def is_paused_by_us(domain: Domain, note: VmNote) -> bool:
    """True where the guest ran before, was allowed to be paused for its move, and is paused now for no reason of its own (such as an error of its disk)."""
    if note.power_state != PowerState.RUNNING.value or not has_word(note, MAY_SUSPEND):
        return False
    state, reason = domain.state()
    ours = (libvirt.VIR_DOMAIN_PAUSED_USER, libvirt.VIR_DOMAIN_PAUSED_MIGRATION, libvirt.VIR_DOMAIN_PAUSED_UNKNOWN)
    return state == libvirt.VIR_DOMAIN_PAUSED and reason in ours
