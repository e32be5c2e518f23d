# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof that two hosts see one pool: a tiny file of a random name, made by one, seen by the other, and removed (PCD-14). Leaves nothing behind.

A name, a UUID or a path say nothing: definitions are copied between hosts. Only a pool whose place on the network is in its definition needs no proof.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable

from ...model.errors import MigrationError
from .connection import READ_SECONDS, Connection
from .image_files import NewImage, delete_file, make_image, pool_holding
from .library import libvirt
from .migrate import Ends
from .pools import HostPool, PoolMap
from .volumes import refresh

PROOF_LASTS_SECONDS = 60.0
TRIES = 4
UNPROVEN = "sharing_unproven"
PAUSE_SECONDS = 0.5
PREFIX = ".vmops-probe-"


class SharingProofs:
    """Makes them. Lives as long as its driver: a proof holds for a while, so that a drain does not make one for every VM."""

    def __init__(self) -> None:
        self._proven: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def prove(self, ends: Ends, pools: PoolMap, paths: Iterable[str], vm_name: str) -> None:
        """Prove it for the pools that hold these files, read in place by both hosts. Raises MigrationError ``pool_not_shared``, ``sharing_unproven``.

        A file outside any pool cannot be proven so; the check before has told of it.
        """
        doubtful: dict[tuple[str, str, str], tuple[HostPool, HostPool]] = {}
        for path in paths:
            here = pool_holding(pools.pools_on(ends.source.name), path)
            there = pool_holding(pools.pools_on(ends.target.name), path)
            if here is not None and there is None:  # the same pool, mounted somewhere else
                there = pools.pool_on(ends.target.name, pools.pool_id(ends.source.name, here))
            if here is not None and there is not None and not pools.is_proven(ends.source.name, here):
                doubtful[ends.source.name, ends.target.name, here.uuid] = (here, there)
        for key, (here, there) in doubtful.items():
            with self._lock:
                if time.monotonic() - self._proven.get(key, -PROOF_LASTS_SECONDS) < PROOF_LASTS_SECONDS:
                    continue
                _prove(ends, here, there, vm_name)
                self._proven[key] = time.monotonic()


def _prove(ends: Ends, here: HostPool, there: HostPool, vm_name: str) -> None:
    name = f"{PREFIX}{uuid.uuid4().hex}"
    path = f"{here.path.rstrip('/')}/{name}"
    try:
        ends.source.run("proving that a pool is shared", lambda link: _make(link, here.name, name), READ_SECONDS)
        seen = ends.target.run("proving that a pool is shared", lambda link: _sees(link, there.name, name), READ_SECONDS)
    except MigrationError as error:
        text = f"Whether pool {here.name} is one and the same on {ends.source.name} and {ends.target.name} could not be proven: {error.message}"
        raise MigrationError(text, code=UNPROVEN, hint="Make the pool writable for both hosts.") from None
    finally:
        ends.source.run("removing the proof's file", lambda link: _remove(link, here.name, path), READ_SECONDS)
        ends.target.run("looking at the pool again", lambda link: refresh(link, there.name), READ_SECONDS)
    if not seen:
        raise MigrationError(
            f"{vm_name} would stay in pool {here.name}, but {ends.source.name} and {ends.target.name} have two different pools of that name.",
            code="pool_not_shared",
            hint="Mount the same storage on both, or move the VM with its storage (type host_storage).",
        )


def _make(connection: Connection, pool: str, name: str) -> None:
    try:
        make_image(connection, pool, NewImage(name, "raw", 0))
    except libvirt.libvirtError:
        refresh(connection, pool)  # made already, by a call whose answer was lost
        connection.raw.storagePoolLookupByName(pool).storageVolLookupByName(name)


def _sees(connection: Connection, pool: str, name: str) -> bool:
    """A file of a network file system may take a moment to show."""
    for _turn in range(TRIES):
        refresh(connection, pool)
        if name in connection.raw.storagePoolLookupByName(pool).listVolumes():
            return True
        time.sleep(PAUSE_SECONDS)
    return False


def _remove(connection: Connection, pool: str, path: str) -> None:
    if not delete_file(connection, path):
        refresh(connection, pool)
        delete_file(connection, path)
