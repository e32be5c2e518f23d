# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept with a host about another one that died: which of its VMs were started elsewhere, as a secret without a value."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from ...model.codec import decode, encode
from ...model.errors import InputError
from ...model.recovery import RecoveryNote
from . import secrets
from .connection import Connection

FOLDER = f"{secrets.PREFIX}recovered/"


def read_recoveries(connection: Connection) -> tuple[RecoveryNote, ...]:
    """The notes that this host keeps. One that cannot be read still closes its host: it names it, and no VM."""
    return tuple(_note(kept) for kept in secrets.all_under(connection, FOLDER))


def put_recovery(connection: Connection, note: RecoveryNote) -> None:
    """Keep the note, together with what an earlier one about the same host says."""
    usage = FOLDER + note.host
    kept = secrets.find(connection, usage)
    while True:
        whole = note if kept is None else note.joined(_note(kept))
        other = secrets.define(connection, kept.uuid if kept else str(uuid.uuid4()), usage, encode(whole))
        if other is None:
            return
        kept = other


def remove_recovery(connection: Connection, host: str) -> None:
    """Remove the note about that host; none is well."""
    kept = secrets.find(connection, FOLDER + host)
    if kept is not None:
        secrets.undefine(connection, kept.uuid)


def joined(notes: Iterable[RecoveryNote]) -> dict[str, RecoveryNote]:
    """The notes of several hosts, one for each host that they are about."""
    found: dict[str, RecoveryNote] = {}
    for note in notes:
        found[note.host] = found[note.host].joined(note) if note.host in found else note
    return found


def _note(kept: secrets.KeptText) -> RecoveryNote:
    try:
        return decode(RecoveryNote, kept.data, "recovery")
    except InputError:
        return RecoveryNote(kept.usage.removeprefix(FOLDER), why="a note that this version cannot read")
