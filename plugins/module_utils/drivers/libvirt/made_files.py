# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose a file is that a move makes on its destination: a small text kept with that host from before the file is made until the move has been settled.

A rollback removes only files whose text names its own operation. It is a secret without a value (``secrets.py``), of usage ``vmops/made<path>``, and says
something else than the mark of a volume that is not whole yet (``partial.py``): this file may be written to by a hypervisor that needs no controller, so
that nobody but the operation's own settling, or the next move of the same VM, may remove it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from ...model.codec import decode, encode
from ...model.errors import InputError
from ...model.note import Controller
from . import secrets
from .connection import Connection

MADE = f"{secrets.PREFIX}made"
_NAMESPACE = uuid.UUID("9b0f3c1e-5a0b-4d0c-8f57-2a1d6a7c3b11")


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made a file, and for which VM (its UUID)."""

    operation_id: str
    controller: Controller
    vm: str = ""
    path: str = ""


def made_usage(path: str) -> str:
    """The usage id of a file that an unsettled operation made."""
    return f"{MADE}{path}"


def maker_of(connection: Connection, usage: str) -> Maker | None:
    """Who made the file; None where nobody says so."""
    kept = secrets.find(connection, usage)
    if kept is None:
        return None
    try:
        return decode(Maker, kept.data, "maker")
    except InputError:
        return Maker("unknown", Controller())


def put_maker(connection: Connection, usage: str, maker: Maker) -> Maker | None:
    """Say that the file is this maker's, before it is made. Gives the other one who said so first, else None."""
    other = secrets.define(connection, _uuid(usage, maker.operation_id), usage, encode(maker))
    return None if other is None else maker_of(connection, usage)


def drop_maker(connection: Connection, usage: str, operation_id: str) -> None:
    """Take it back; another operation's is not touched."""
    secrets.undefine(connection, _uuid(usage, operation_id))


def _uuid(usage: str, operation_id: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{usage}\n{operation_id}"))
