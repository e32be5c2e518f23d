# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a move: what does not travel is restored, the note settled, and only what this very move left behind removed.

The proof for that is the note: it is with the VM before the start, so a definition that carries this operation's id is of this move.
"""

from __future__ import annotations

from ...model.errors import MigrationError
from ...model.migration import Migration
from ...model.note import NotePhase, VmNote
from ...model.note_states import note_before, settled_note
from ...model.reason import Reason, warning
from ..liveness import ClaimWatch
from .connection import Connection, Hosts
from .copy_settle import remove_targets
from .domains import Domain, ask_state, find_domain
from .file_users import UserSearch
from .library import libvirt
from .notes import note_of, put_note
from .travel import put_all_back


def finish(hosts: Hosts, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """After ``verify`` said ``arrived``: autostart, note, a stale definition on the source. Gives warnings for what could not be done."""
    target = hosts.get(migration.target_host)
    target.run("restoring what does not travel", lambda connection: _restore(connection, migration, note))
    return _try_remove(hosts, migration.source_host, migration, note)


def roll_back(hosts: Hosts, users: UserSearch, migration: Migration, note: VmNote, watch: ClaimWatch) -> tuple[Reason, ...]:
    """After ``verify`` said ``at_source``: leftovers on the destination are removed, the note is put back as it was before the move.

    The note goes last: killed before that, the next run finds it and does the same again.
    """
    left = _try_remove(hosts, migration.target_host, migration, note) + remove_targets(hosts, users, migration, note, watch)
    source = hosts.get(migration.source_host)
    source.run("clearing the note", lambda connection: _restore_note(connection, migration, note))
    return left


def _restore(connection: Connection, migration: Migration, note: VmNote) -> None:
    domain = find_domain(connection, migration.vm)
    if domain is None:
        return
    if domain.isPersistent() and bool(domain.autostart()) != note.autostart:
        domain.setAutostart(int(note.autostart))
    put_all_back(domain, note, media=False)
    put_note(domain, settled_note(note, migration.target_host))


def _restore_note(connection: Connection, migration: Migration, note: VmNote) -> None:
    domain = find_domain(connection, migration.vm)
    if domain is not None and is_of(domain, note):
        put_all_back(domain, note, media=True)
        put_note(domain, note_before(note, migration.source_host))


def forget_home(connection: Connection, uuid: str) -> None:
    """Remove the note of a VM at rest, in which only the home still mattered."""
    domain = find_domain(connection, uuid)
    note = note_of(domain) if domain is not None else None
    if domain is not None and note is not None and note.phase is NotePhase.SETTLED:
        put_note(domain, None)


def is_of(domain: Domain, note: VmNote) -> bool:
    """True where the domain carries the note of this very operation."""
    found = note_of(domain)
    return found is not None and found.operation_id == note.operation_id


def _try_remove(hosts: Hosts, host: str, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    try:
        return hosts.get(host).run("removing what the move left", lambda connection: _remove_definition(connection, host, migration, note))
    except MigrationError as error:
        text = f"Whether a definition of {migration.vm_name} is left on {host} could not be asked or cured: {error.message}"
        return (warning("leftover_unproven", text, f"Look with: virsh -c ... dominfo {migration.vm} on {host}, and undefine what is shut off there."),)


def _remove_definition(connection: Connection, host: str, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """Undefine the VM's shut-off definition on that host. One that runs, or that this move did not make, is left alone and told."""
    state = ask_state(connection, migration.vm)
    domain = find_domain(connection, migration.vm)
    if state is None or domain is None:
        return ()
    if state.is_active:
        return (warning("leftover_active", f"{migration.vm_name} is still active on {host}; nothing was removed there."),)
    if not is_of(domain, note):
        text = f"{host} has a shut-off definition of {migration.vm_name} that this move did not make; it was left alone."
        return (warning("leftover_foreign", text, "Undefine it, if it is not wanted."),)
    # Definition only: files (disks, UEFI variables) are the living VM's.
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
    return ()
