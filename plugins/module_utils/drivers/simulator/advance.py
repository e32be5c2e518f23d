# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The passing of time: the state at a later moment, computed from an earlier one. Pure, deterministic, and the same in one step or in many."""

from __future__ import annotations

import dataclasses

from ...model.migration import NetworkRole
from ...model.pool import Volume
from ...model.vm import attached
from .copying import MIB, Behaviour, carried_on, seconds_to_event, turned
from .disks import moved_all, volumes_of
from .faults import Disturbances
from .sharing import Flow, Resource, fair_rates
from .state import SENDING, Move, Stage, State, VmState
from .world import World

Volumes = dict[str, tuple[Volume, ...]]
"""The disks of each VM that moves, by its id."""

BYTES_PER_MEGABIT = 1e6 / 8
NOBODY = Behaviour(0.0, 0.0)
# A float of epoch seconds tells 2.4e-7 s apart.
_SAME_MOMENT_SECONDS = 1e-6


def advance(world: World, state: State, now: float) -> State:
    """The state at ``now`` (simulated epoch seconds, not before ``state.at``): rates are constant from one event to the next, so every step is exact."""
    if now <= state.at or not any(move.is_active for move in state.moves):
        return dataclasses.replace(state, at=max(now, state.at))
    disturbances = Disturbances(world, state)
    moves, at = list(state.moves), state.at
    volumes = {move.vm: volumes_of(world, state, move.vm) for move in moves if move.is_active and move.vm}
    while at < now and any(move.is_active for move in moves):
        at = _one_step(world, disturbances, volumes, moves, at, now)
    return dataclasses.replace(state, at=now, moves=tuple(moves), vms=_with_arrivals(world, state, moves))


def _one_step(world: World, disturbances: Disturbances, volumes: Volumes, moves: list[Move], at: float, now: float) -> float:
    """Carry all moves on to the next event, or to ``now``; gives that moment."""
    physics = world.simulation.physics
    _break_what_died(disturbances, volumes, moves, at)
    rates = rates_at(world, disturbances, moves, at)
    due = [at + seconds_to_event(move, rate, physics, at) if move.is_active else now + 1 for move, rate in zip(moves, rates, strict=True)]
    until = min(now, disturbances.next_change(at), *due)
    for index, move in enumerate(moves):
        if not move.is_active:
            continue
        carried = carried_on(move, behaviour(world, move.vm), rates[index], until - at)
        moves[index] = turned(carried, rates[index], until) if due[index] <= until + _SAME_MOMENT_SECONDS else carried
    _break_what_died(disturbances, volumes, moves, until)
    return until


def rates_at(world: World, disturbances: Disturbances, moves: list[Move] | tuple[Move, ...], at: float) -> tuple[float, ...]:
    """Bytes per second of each move at this moment; 0 for those that send nothing."""
    sending = [index for index, move in enumerate(moves) if move.stage in SENDING]
    flows = [Flow(resources_of(world, moves[index]), moves[index].rate_cap_mib_s * MIB) for index in sending]
    capacity = {resource: capacity_of(world, disturbances, resource, at) for flow in flows for resource in flow.resources}
    rates = [0.0] * len(moves)
    for index, rate in zip(sending, fair_rates(flows, capacity), strict=True):
        rates[index] = rate
    return tuple(rates)


def resources_of(world: World, move: Move) -> tuple[Resource, ...]:
    """What a move's copy crosses: between two hosts the source's link outwards, the target's inwards, and each shared link that has only one of the two
    behind it; while it copies a disk also both pools, and the storage links of known speed that lead to shared pools.
    """
    crossed: list[Resource] = []
    if move.source != move.target:
        crossed += [("host", move.source, move.network.value, "out"), ("host", move.target, move.network.value, "in")]
        crossed += [("link", link.name, "out") for link in world.links_by_host.get(move.source, ()) if move.target not in link.hosts]
        crossed += [("link", link.name, "in") for link in world.links_by_host.get(move.target, ()) if move.source not in link.hosts]
    if move.stage is Stage.COPYING_DISKS:
        disk, pools = move.disks[move.disk], world.site.pool_by_id
        crossed += [("pool", disk.source_pool, "read"), ("pool", disk.target_pool, "write")]
        for host, pool, direction in ((move.source, disk.source_pool, "in"), (move.target, disk.target_pool, "out")):
            if not pools[pool].is_local and world.host(host).storage_link_mbps is not None:
                crossed.append(("host", host, NetworkRole.STORAGE.value, direction))
    return tuple(crossed)


def capacity_of(world: World, disturbances: Disturbances, resource: Resource, at: float) -> float:
    """Payload bytes per second that one direction of a link, or a pool, carries."""
    physics = world.simulation.physics
    if resource[0] == "pool":
        return physics.pool_mib_s * MIB
    if resource[0] == "link":
        if disturbances.is_link_down(resource[1], at):
            return 0.0
        mbps = next(link.bandwidth_mbps for link in world.site.links if link.name == resource[1])
    else:
        if disturbances.is_host_link_down(resource[1], at):
            return 0.0
        host = world.host(resource[1])
        known = {
            NetworkRole.MIGRATION.value: host.migration_link_mbps,
            NetworkRole.STORAGE.value: host.storage_link_mbps,
        }.get(resource[2], host.management_link_mbps)
        mbps = physics.default_link_mbps if known is None else known
    return mbps * BYTES_PER_MEGABIT * physics.efficiency


def behaviour(world: World, vm_id: str) -> Behaviour:
    """How a guest rewrites its memory: the section ``guests`` first, then the facts, then the physics' defaults. A paused guest rewrites nothing, nor does
    a detached volume (an empty id).
    """
    if not vm_id:
        return NOBODY
    vm, physics = world.vm(vm_id), world.simulation.physics
    if vm.power_state.value != "running":
        return NOBODY
    own = world.simulation.guests.get(vm.id) or world.simulation.guests.get(vm.name)
    rate = own.dirty_rate_mib_s if own and own.dirty_rate_mib_s is not None else vm.dirty_rate_mib_s
    size = own.working_set_mib if own and own.working_set_mib is not None else vm.working_set_mib
    rate = physics.default_dirty_rate_mib_s if rate is None else rate
    working_set = vm.memory_mib * physics.default_working_set_percent / 100 if size is None else float(size)
    return Behaviour(rate * MIB, min(working_set, vm.memory_mib) * MIB)


def _break_what_died(disturbances: Disturbances, volumes: Volumes, moves: list[Move], at: float) -> None:
    for index, move in enumerate(moves):
        if not move.is_active:
            continue
        broken = _what_died(disturbances, volumes.get(move.vm, ()), move, at)
        if broken:
            moves[index] = move.ended(Stage.FAILED, at, broken)


def _what_died(disturbances: Disturbances, volumes: tuple[Volume, ...], move: Move, at: float) -> str:
    for host in (move.source, move.target):
        if disturbances.is_dead(host, at):
            return f"operation failed: migration out job: lost connection to host {host}"
    used = [(volume.device or volume.name or volume.id, volume.pool) for volume in volumes]
    used += [(disk.device or disk.volume, pool) for disk in move.disks for pool in (disk.source_pool, disk.target_pool)]
    for what, pool in used:
        if pool is not None and disturbances.is_pool_dead(pool, at):
            return f"operation failed: migration out job: input/output error on {what} in pool {pool}"
    return ""


def _with_arrivals(world: World, state: State, moves: list[Move]) -> dict[str, VmState]:
    """The VMs after all arrivals: definition and disks are on the target alone, the note came along, autostart did not. Whose post-copy broke is lost."""
    vms = dict(state.vms)
    was_active = {move.id for move in state.moves if move.is_active}
    for move in moves:
        if not move.vm or move.id not in was_active or move.is_active:
            continue
        before = vms.get(move.vm) or vm_state(world, move.vm)
        if move.stage is Stage.ARRIVED:
            also_on = tuple(host for host in before.also_on if host != move.target)
            after = dataclasses.replace(before, host=move.target, autostart=before.autostart and move.source == move.target, also_on=also_on)
            if move.disks:
                after = dataclasses.replace(after, volumes=moved_all(world, volumes_of(world, state, move.vm), move.disks))
            if move.network_map:
                after = dataclasses.replace(after, nics=attached(before.nics if before.nics is not None else world.vm(move.vm).nics, move.network_map))
            vms[move.vm] = after
        elif move.post_copy_since is not None:
            vms[move.vm] = dataclasses.replace(before, crashed=True)
    return vms


def vm_state(world: World, vm_id: str) -> VmState:
    """A VM's changeable part as the world file has it."""
    vm = world.vm(vm_id)
    return VmState(vm.host, vm.autostart, vm.also_on, vm.note, vm.home)
