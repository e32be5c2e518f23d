# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Marks of volumes that are not whole yet: a secret without a value for each on its host, since libvirt's storage has no rename.

Made before the file, removed after the copy was verified. A file whose mark names a dead controller may be removed by anybody.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ...model.codec import decode, encode
from ...model.errors import InputError, OperationInProgress
from ...model.note import Controller, VmNote
from ..liveness import is_alive
from . import secrets
from .connection import Connection
from .volumes import remove, users_of

PREFIX = f"{secrets.PREFIX}partial/"
PROVEN_STAGES = ("switched", "started")
"""Stages of a detached volume's note (``cold_move.Stage``) in which its copy is proven."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What a mark says. ``vm`` is the UUID of the VM whose volume it is, or the id of a detached volume; ``note`` is that of a detached volume's move."""

    operation_id: str
    controller: Controller
    vm: str = ""
    path: str = ""
    note: VmNote | None = None


def usage_of(pool: str, path: str) -> str:
    """The mark's usage id, from libvirt's name of the pool."""
    return f"{PREFIX}{pool}/{path.rpartition('/')[2]}"


def find(connection: Connection, pool: str, path: str) -> Partial | None:
    """The mark of a volume; None where it has none, which means that it is whole."""
    kept = secrets.find(connection, usage_of(pool, path))
    return None if kept is None else _read(kept)


def every(connection: Connection) -> dict[tuple[str, str], Partial]:
    """All marks of a host, by the names of pool and volume."""
    found = {}
    for kept in secrets.all_under(connection, PREFIX):
        pool, _slash, name = kept.usage.removeprefix(PREFIX).rpartition("/")
        found[pool, name] = _read(kept)
    return found


def put(connection: Connection, pool: str, partial: Partial) -> None:
    """Write a mark, or write it anew. Raises OperationInProgress where another operation's is there."""
    usage = usage_of(pool, partial.path)
    kept = secrets.find(connection, usage)
    if kept is not None and _read(kept).operation_id != partial.operation_id:
        raise _taken(partial.path, _read(kept))
    other = secrets.define(connection, kept.uuid if kept else str(uuid.uuid4()), usage, encode(partial))
    if other is not None:
        raise _taken(partial.path, _read(other))


def drop(connection: Connection, pool: str, path: str, operation_id: str) -> None:
    """Remove the mark of that operation; another's is left alone."""
    kept = secrets.find(connection, usage_of(pool, path))
    if kept is not None and _read(kept).operation_id == operation_id:
        secrets.undefine(connection, kept.uuid)


def is_dead(partial: Partial, subject: str) -> bool:
    """True where nobody stands behind the mark: its process is known to be dead, or it is about the subject that we have claimed ourselves by now."""
    return partial.vm == subject or is_alive(partial.controller) is False


def is_proven(partial: Partial) -> bool:
    """True where the copy of a detached volume was proven: the file is whole, and may be the only one by now."""
    return partial.note is not None and partial.note.stage in PROVEN_STAGES


def clear_dead(connection: Connection, pool: str, path: str, subject: str, operation_id: str) -> None:
    """Remove what a dead operation left under this path, so that it can be made anew; of a file that was proven the mark alone goes.

    Raises OperationInProgress where the operation may live.
    """
    found = find(connection, pool, path)
    if found is None or found.operation_id == operation_id:
        return
    if not is_dead(found, subject) or (not is_proven(found) and users_of(connection, path)):
        raise _taken(path, found)
    if is_proven(found):
        drop(connection, pool, path, found.operation_id)
        return
    if found.note is None or found.note.stage != "noted":  # before a detached volume's copy is begun, whatever has the name is another's
        remove(connection, path)
    drop(connection, pool, path, found.operation_id)


def _taken(path: str, other: Partial) -> OperationInProgress:
    return OperationInProgress(
        f"{path} is being made by operation {other.operation_id} of {other.controller}.",
        hint=f"Wait for its end. If that controller is dead for sure, remove its mark (virsh secret-list, usage {PREFIX}...).",
    )


def _read(kept: secrets.KeptText) -> Partial:
    try:
        return decode(Partial, kept.data, "mark")
    except InputError:
        return Partial("", Controller())  # of a version that we do not know: never taken for dead, or for ours
