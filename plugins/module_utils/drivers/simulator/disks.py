# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks of a simulated world: where they are now, how large they are, what they are called after a move. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterator

from ...model.pool import Pool, Volume
from .state import DiskTransfer, Move, Stage, State
from .world import World


def volumes_of(world: World, state: State, vm_id: str) -> tuple[Volume, ...]:
    """The disks of a VM as they are now."""
    changed = state.vms.get(vm_id)
    return world.vm(vm_id).volumes if changed is None or changed.volumes is None else changed.volumes


def size_bytes(volume: Volume) -> int:
    """What a volume takes of its pool: what is allocated, its capacity where that is unknown, nothing where both are."""
    known = volume.capacity_bytes if volume.allocated_bytes is None else volume.allocated_bytes
    return known or 0


def relocated(text: str, source: Pool, target: Pool) -> str:
    """An id or a path in the source pool as it is in the target pool; one that does not name its pool stays as it is."""
    if text.startswith(f"{source.id}/"):
        return target.id + text.removeprefix(source.id)
    folder = source.path.rstrip("/")
    if folder and target.path and text.startswith(f"{folder}/"):
        return target.path.rstrip("/") + text.removeprefix(folder)
    return text


def free_name(wanted: str, taken: Container[str]) -> str:
    """That id, or with a number where the target pool has one of that name already."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name


def moved(world: World, volume: Volume, disk: DiskTransfer) -> Volume:
    """The volume as it is after its transfer. A linked clone that stays one finds its base in the new pool."""
    source, target = world.site.pool_by_id[disk.source_pool], world.site.pool_by_id[disk.target_pool]
    number = disk.target_volume.removeprefix(relocated(volume.id, source, target))
    return dataclasses.replace(
        volume,
        id=disk.target_volume,
        path=relocated(volume.path, source, target) + number if volume.path else "",
        pool=target.id,
        format=disk.format or volume.format,
        backing=() if disk.flatten else tuple(relocated(below, source, target) for below in volume.backing),
    )


def moved_all(world: World, volumes: tuple[Volume, ...], disks: tuple[DiskTransfer, ...]) -> tuple[Volume, ...]:
    """The disks of a VM after a move."""
    by_id = {disk.volume: disk for disk in disks}
    return tuple(moved(world, volume, by_id[volume.id]) if volume.id in by_id else volume for volume in volumes)


def taken_bytes(world: World, state: State) -> dict[str, int]:
    """What each pool holds more (or less, negative) than in the world file: volumes that came and left, and second copies that are still there.

    A copy takes its target's space from its start on, and gives the source's back when its move is finished, or the target's when it is rolled back.
    """
    taken: dict[str, int] = {}
    for pool, size in _differences(world, state):
        taken[pool] = taken.get(pool, 0) + size
    return taken


def _differences(world: World, state: State) -> Iterator[tuple[str, int]]:
    for vm_id, changed in state.vms.items():
        if changed.volumes is not None:
            yield from ((volume.pool, -size_bytes(volume)) for volume in world.vm(vm_id).volumes if volume.pool)
            yield from ((volume.pool, size_bytes(volume)) for volume in changed.volumes if volume.pool)
    for original in world.site.volumes:
        now = state.volumes.get(original.id)
        if original.id in state.deleted and original.pool:
            yield original.pool, -size_bytes(original)
        elif now is not None:
            yield from ((volume.pool, sign * size_bytes(volume)) for sign, volume in ((-1, original), (1, now)) if volume.pool)
    for move in state.moves:
        if not move.settled:
            yield from ((second_copy_in(move, disk), int(disk.size_bytes)) for disk in move.disks)


def second_copy_in(move: Move, disk: DiskTransfer) -> str:
    """The pool of that copy of a disk which is not the volume itself: a VM's disks change over when it arrives, a detached volume when it is finished."""
    return disk.source_pool if move.stage is Stage.ARRIVED and move.vm else disk.target_pool
