# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept with a host: its maintenance note, and the request to stop a drain."""

from __future__ import annotations

import time
import uuid

from ...model.codec import decode, encode
from ...model.errors import InputError
from ...model.host import Maintenance, MaintenanceState
from . import secrets
from .connection import Connection

MAINTENANCE = f"{secrets.PREFIX}maintenance"
STOP = f"{secrets.PREFIX}stop"


def read_maintenance(connection: Connection) -> Maintenance:
    """The host's maintenance note; available where there is none. A note that cannot be read closes the host: somebody wrote it for a reason."""
    kept = secrets.find(connection, MAINTENANCE)
    return Maintenance() if kept is None else decoded(kept)


def decoded(kept: secrets.KeptText) -> Maintenance:
    """The maintenance note in a secret; one that cannot be read closes what it is about."""
    try:
        return decode(Maintenance, kept.data, "maintenance")
    except InputError:
        return Maintenance(MaintenanceState.MAINTENANCE, why="a maintenance note that this version cannot read")


def write_maintenance(connection: Connection, maintenance: Maintenance) -> None:
    """Keep the note; ``available`` removes it."""
    if maintenance.state is MaintenanceState.AVAILABLE:
        remove(connection, MAINTENANCE)
    else:
        put(connection, MAINTENANCE, encode(maintenance))


def read_stop(connection: Connection) -> str | None:
    """Who asked to stop the drain, None for nobody."""
    kept = secrets.find(connection, STOP)
    if kept is None:
        return None
    return str(kept.data.get("by", "")) if isinstance(kept.data, dict) else "somebody"


def write_stop(connection: Connection, by: str) -> None:
    """Leave the request."""
    put(connection, STOP, {"by": by, "at": time.time()})


def clear_stop(connection: Connection) -> None:
    """Remove the request."""
    remove(connection, STOP)


def put(connection: Connection, usage: str, data: object) -> None:
    """Write, over whatever is there: the last word counts."""
    kept = secrets.find(connection, usage)
    other = secrets.define(connection, kept.uuid if kept else str(uuid.uuid4()), usage, data)
    if other is not None:
        secrets.define(connection, other.uuid, usage, data)


def remove(connection: Connection, usage: str) -> None:
    """Remove it; one that is gone already is well."""
    kept = secrets.find(connection, usage)
    if kept is not None:
        secrets.undefine(connection, kept.uuid)
