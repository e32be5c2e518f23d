# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated hypervisors refuse of storage: pools that are not there, closed, dead or full, volumes that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.host import MaintenanceState
from ...model.migration import MigrationType, VolumeMove
from ...model.pool import Volume
from ...model.reason import Reason, hard
from ...model.vm import Vm
from .disks import size_bytes
from .moment import Moment
from .order import Order


def find_volume(moment: Moment, order: Order, wanted: VolumeMove) -> Volume | None:
    """The volume that an order means: a detached one by its id, a VM's disk by its id or its device. None where there is none."""
    if not order.vm:
        return moment.loose_volumes.get(wanted.volume)
    disks = moment.volumes(order.vm)
    by_id = next((volume for volume in disks if volume.id == wanted.volume), None)
    return by_id or next((volume for volume in disks if wanted.device and volume.device == wanted.device), None)


def of_the_volumes(moment: Moment, order: Order) -> Iterator[Reason]:
    """Hard reasons why the volumes of an order cannot go where they shall."""
    if order.type is MigrationType.STORAGE and not order.volumes:
        yield hard("same_pool", "No volume is to change its pool.", "Name another pool.")
    needed: dict[str, int] = {}
    for wanted in order.volumes:
        volume, target = find_volume(moment, order, wanted), wanted.target_pool or ""
        if volume is None:
            yield hard("volume_unknown", f"There is no volume {wanted.volume!r} here.", "Take a fresh snapshot.")
            continue
        name = volume.device or volume.name or volume.id
        if target not in moment.world.site.pool_by_id:
            yield hard("pool_unknown", f"Pool {target!r} of {name} is not in this world.", "Name a pool of the site.")
        elif volume.pool is None:
            yield hard("volume_not_in_pool", f"{name} is in no pool.", "Bring it into a pool first.")
        elif volume.pool == target:
            yield hard("same_pool", f"{name} is in pool {target} already.", "Name another pool.")
        else:
            needed[target] = needed.get(target, 0) + size_bytes(volume)
            yield from _reachable(moment, volume.pool, order.source, name)
            yield from _reachable(moment, target, order.target, name)
            yield from _open(moment, target, name)
    yield from _room(moment, needed)


def of_the_staying(moment: Moment, vm: Vm, order: Order) -> Iterator[Reason]:
    """Hard reasons why the VM's other volumes cannot be read from the target where they are."""
    moving = {volume.id for volume in (find_volume(moment, order, wanted) for wanted in order.volumes) if volume is not None}
    for volume in moment.volumes(vm.id):
        if volume.id not in moving and volume.pool is not None and volume.pool not in moment.host(order.target).pools:
            text = f"cannot access {volume.device or volume.id}: pool {volume.pool} is not on {order.target}."
            yield hard("pool_not_on_host", text, "Mount it there.")


def _reachable(moment: Moment, pool: str, host: str, name: str) -> Iterator[Reason]:
    if pool not in moment.world.host(host).pools:
        yield hard("pool_not_on_host", f"cannot access {name}: pool {pool} is not on {host}.", "Mount it there.")
    elif not moment.pool(pool).active:
        yield hard("pool_inactive", f"cannot access {name}: storage pool {pool} is not active.", "Start the pool.")


def _open(moment: Moment, pool: str, name: str) -> Iterator[Reason]:
    if moment.pool(pool).maintenance.state is not MaintenanceState.AVAILABLE:
        yield hard("pool_in_maintenance", f"Pool {pool} takes nothing, so not {name} either: it is in maintenance.", "Choose another pool, or end it.")
    elif why := moment.pool(pool).closed_because:
        yield hard("pool_closed", f"Pool {pool} takes nothing new, so not {name} either: {why}.", "Choose another pool.")


def _room(moment: Moment, needed: dict[str, int]) -> Iterator[Reason]:
    for pool, size in needed.items():
        free_bytes = moment.pool(pool).free_bytes
        if free_bytes is not None and size > free_bytes:
            text = f"cannot allocate {size} bytes in pool {pool}: No space left on device ({free_bytes} bytes are free)."
            yield hard("insufficient_storage", text, "Free space there, or choose another pool.")
