# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Maintenance of hosts and datastores, and requests to stop a drain. A host enters ESXi's own maintenance mode when it was verified empty."""

from __future__ import annotations

import dataclasses

from ...model.errors import StateConflict
from ...model.host import Maintenance, MaintenanceState
from .connection import VCenter
from .errors import fault_text
from .host_notes import Kept
from .inventory import HostEntry, Inventory
from .kept_book import KeptBook
from .properties import read
from .tasks import wait_for

NATIVE_SECONDS = 600
"""How long a host may take to enter or leave maintenance mode; vCenter gives up by itself then."""


def set_maintenance(center: VCenter, book: KeptBook, inventory: Inventory, host: str, maintenance: Maintenance) -> None:
    """Keep the note with the host. ``maintenance``: the host's own mode comes first, so that a note never says more than is so; ``available``: it goes last."""
    place = inventory.host(host)
    if maintenance.state is MaintenanceState.MAINTENANCE:
        _native(center, place, enter=True)
    _keep(book, place, maintenance)
    if maintenance.state is MaintenanceState.AVAILABLE:
        _native(center, place, enter=False)


def _keep(book: KeptBook, place: HostEntry, maintenance: Maintenance) -> None:
    wanted = Maintenance() if maintenance.state is MaintenanceState.AVAILABLE else maintenance
    book.change(place.ref, "writing the maintenance note", lambda kept: (dataclasses.replace(kept, maintenance=wanted), None))


def set_pool_maintenance(book: KeptBook, inventory: Inventory, pool: str, maintenance: Maintenance) -> None:
    """Keep the note with the datastore. Raises InputError for one that is not there."""
    wanted = Maintenance() if maintenance.state is MaintenanceState.AVAILABLE else maintenance
    book.change(inventory.datastore(pool).ref, "writing the maintenance note", lambda kept: (dataclasses.replace(kept, maintenance=wanted), None))


def _native(center: VCenter, place: HostEntry, *, enter: bool) -> None:
    """Bring the host's own mode to what is wanted; VMs that are off stay on it."""
    found = center.run("reading the host", lambda link: read(link, [place.ref], "HostSystem", ["runtime.inMaintenanceMode"]))
    if bool(next(iter(found.values()))["runtime.inMaintenanceMode"]) is enter:
        return
    doing = f"{'entering' if enter else 'leaving'} maintenance mode of {place.name}"
    if enter:
        task = center.run(doing, lambda _link: place.ref.EnterMaintenanceMode_Task(NATIVE_SECONDS, evacuatePoweredOffVms=False), repeat=False)
    else:
        task = center.run(doing, lambda _link: place.ref.ExitMaintenanceMode_Task(NATIVE_SECONDS), repeat=False)
    fault = wait_for(center, task, doing, NATIVE_SECONDS + 30)
    if fault is not None:
        hint = "A VM still runs on it, or its cluster does not let it go." if enter else "See the host's events."
        raise StateConflict(f"{place.name}: {doing} failed: {fault_text(fault)}.", code="maintenance_failed", hint=hint)


def request_stop(book: KeptBook, inventory: Inventory, host: str, by: str) -> None:
    """See ``driver.Driver``."""
    book.change(inventory.host(host).ref, "leaving a stop request", lambda kept: (dataclasses.replace(kept, stop_by=by), None))


def stop_requested(book: KeptBook, inventory: Inventory, host: str) -> str | None:
    """See ``driver.Driver``."""
    return book.read(inventory.host(host).ref).stop_by or None


def clear_stop(book: KeptBook, inventory: Inventory, host: str) -> None:
    """See ``driver.Driver``."""

    def cleared(kept: Kept) -> tuple[Kept, None]:
        return dataclasses.replace(kept, stop_by=""), None

    if book.read(inventory.host(host).ref).stop_by:
        book.change(inventory.host(host).ref, "removing a stop request", cleared)
