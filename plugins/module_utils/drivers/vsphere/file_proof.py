# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two disks in datastores hold the same bytes: both are read through vCenter's own file server (``/folder``) and compared by their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from urllib.parse import quote, urlencode

from ...model.errors import MigrationError
from .connection import VCenter
from .inventory import DatastoreEntry, Inventory

CHUNK_BYTES = 2**20


def are_equal(center: VCenter, inventory: Inventory, one: tuple[DatastoreEntry, str], other: tuple[DatastoreEntry, str], read: Callable[[int], None]) -> bool:
    """True where the extents of both disks (datastore and path of the descriptor) are equal. ``read`` hears of every chunk, and raises to end it.

    Raises MigrationError (``copy_unproven``) where one of them has no extent that can be read so: a delta, a mapped LUN, a disk on vSAN.
    """
    digests = [_digest(center, inventory, store, path, read) for store, path in (one, other)]
    return digests[0] == digests[1]


def _digest(center: VCenter, inventory: Inventory, store: DatastoreEntry, path: str, read: Callable[[int], None]) -> tuple[int, str]:
    extent = f"{path.removesuffix('.vmdk')}-flat.vmdk"
    query = urlencode({"dcPath": inventory.datacenter_path(store), "dsName": store.name})
    found, length = hashlib.sha256(), 0
    with center.file(f"/folder/{quote(extent)}?{query}") as answer:
        if answer.status != 200:
            text = f"vCenter's file server does not give [{store.name}] {extent} (HTTP {answer.status}), so that the copy cannot be compared."
            raise MigrationError(text, code="copy_unproven", hint="Use verify_copy: stream, which trusts vCenter's own copy, or move it by hand.")
        while chunk := answer.read(CHUNK_BYTES):
            found.update(chunk)
            length += len(chunk)
            read(len(chunk))
    return length, found.hexdigest()
