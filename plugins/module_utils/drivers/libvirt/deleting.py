# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting a volume that is the disk of no VM: every host that has its pool is asked right before who needs it."""

from __future__ import annotations

from collections.abc import Mapping

from ...model.errors import HostUnreachable, InputError, StateConflict
from ...model.pool import Volume
from .connection import Hosts
from .file_users import PoolsOf, UserSearch
from .pools import HostPool, read_pools
from .volumes import remove


def delete_volume(hosts: Hosts, volume: Volume, pools_of: PoolsOf, search: UserSearch) -> None:
    """See ``driver.Driver.delete_volume``."""
    seen, _silent = hosts.on_each(hosts.names, lambda session: session.run("reading its pools", read_pools))
    known = pools_of(seen)
    places = {host: each for host, pools in seen.items() for each in pools if known.pool_id(host, each) == volume.pool}
    if not places:
        raise InputError("volume", f"storage pool {volume.pool!r} is on no host that answers.", code="pool_unknown")
    first = min(places)
    path = _path_on(places[first], volume, places)
    users = search.of(first, path)
    if users.used:
        text = f"{volume.id} is not deleted: {', '.join(users.used)} needs it."
        raise StateConflict(text, code="volume_in_use", hint="Take it off the list.")
    if users.unasked:
        host = users.unasked[0]
        raise HostUnreachable(host, f"{volume.id} is not deleted: {host}, which may use it, does not answer.", hint="Run the task again when it does.")
    hosts.get(first).run(f"deleting {volume.id}", lambda connection: remove(connection, path))


def _path_on(pool: HostPool, volume: Volume, places: Mapping[str, HostPool]) -> str:
    """The volume's path as that host has it: a shared pool may be mounted elsewhere."""
    for other in places.values():
        folder = other.path.rstrip("/")
        if folder and volume.path.startswith(f"{folder}/"):
            return pool.path.rstrip("/") + volume.path.removeprefix(folder)
    return volume.path
