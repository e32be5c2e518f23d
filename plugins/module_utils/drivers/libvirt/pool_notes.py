# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept with a storage pool: its maintenance note, on every host that has the pool, so that none of them need be asked alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...model.codec import encode
from ...model.errors import HostUnreachable, InputError
from ...model.host import Maintenance, MaintenanceState
from . import secrets
from .connection import Connection, Hosts
from .host_notes import decoded, put, remove
from .pools import HostPool, PoolMap, read_pools

PoolsOf = Callable[[Mapping[str, tuple[HostPool, ...]]], PoolMap]
"""Tells which pool of which host is which pool of the site, from the pools of those hosts that answered."""
FOLDER = f"{secrets.PREFIX}pool-maintenance/"


def read_pool_maintenance(connection: Connection) -> Mapping[str, Maintenance]:
    """The maintenance notes of a host's pools, by the pools' own names: one call, and one for each note. One that cannot be read closes its pool."""
    return {kept.usage.removeprefix(FOLDER): decoded(kept) for kept in secrets.all_under(connection, FOLDER)}


def write_pool_maintenance(connection: Connection, pool: str, maintenance: Maintenance) -> None:
    """Keep the note for the pool of that name on this host; ``available`` removes it."""
    if maintenance.state is MaintenanceState.AVAILABLE:
        remove(connection, FOLDER + pool)
    else:
        put(connection, FOLDER + pool, encode(maintenance))


def set_pool_maintenance(hosts: Hosts, pool: str, maintenance: Maintenance, pools_of: PoolsOf) -> None:
    """Write the note on every host that has the pool (its id) and answers. Raises the first error of a host that answers, InputError where no host that
    answers has such a pool, HostUnreachable where in addition some do not answer.
    """
    seen, silent = hosts.on_each(hosts.names, lambda session: session.run("reading its pools", read_pools))
    known = pools_of(seen)
    places = {host: each.name for host, pools in seen.items() for each in pools if known.pool_id(host, each) == pool}
    if not places and silent:
        host, error = next(iter(silent.items()))
        raise HostUnreachable(host, f"Storage pool {pool!r} is on no host that answers, and {host} does not: {error.message}", hint=error.hint)
    if not places:
        raise InputError("pool", f"storage pool {pool!r} is on none of the hosts.", code="pool_unknown", hint="Take its id from site_info.")
    _done, errors = hosts.on_each(
        places,
        lambda session: session.run(
            "writing the maintenance note of a pool", lambda connection: write_pool_maintenance(connection, places[session.name], maintenance)
        ),
    )
    for error in errors.values():
        raise error
