# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated world at one moment: where everything is, and what can be seen of it. Reads only."""

from __future__ import annotations

import dataclasses
from functools import cached_property

from ...model.errors import HostUnreachable
from ...model.host import Host
from ...model.pool import Pool, Volume
from ...model.recovery import closed_by
from ...model.vm import Nic, PowerState, Vm
from .advance import vm_state
from .disks import taken_bytes, volumes_of
from .faults import Disturbances
from .state import Move, State, VmState
from .world import World


@dataclasses.dataclass(frozen=True)
class Moment:
    """``state`` must have been advanced to the moment that is meant, which is ``state.at``."""

    world: World
    state: State

    @cached_property
    def disturbances(self) -> Disturbances:
        """The world's faults."""
        return Disturbances(self.world, self.state)

    @property
    def at(self) -> float:
        """Simulated epoch seconds."""
        return self.state.at

    @cached_property
    def active_moves(self) -> dict[str, Move]:
        """Moves under way, by the id of the VM or the detached volume."""
        return {move.subject: move for move in self.state.moves if move.is_active}

    @cached_property
    def last_moves(self) -> dict[str, Move]:
        """The last move of each VM that has ever moved, by its id; of each detached volume, by the id that it had before."""
        return {move.subject: move for move in self.state.moves}

    @cached_property
    def _dead_pools(self) -> frozenset[str]:
        return self.disturbances.dead_pools(self.at)

    def vm(self, vm_id: str) -> VmState:
        """The changeable part of a VM."""
        return self.state.vms.get(vm_id) or vm_state(self.world, vm_id)

    def volumes(self, vm_id: str) -> tuple[Volume, ...]:
        """The disks of a VM as they are now."""
        return volumes_of(self.world, self.state, vm_id)

    def nics(self, vm_id: str) -> tuple[Nic, ...]:
        """The cards of a VM as they are attached now."""
        changed = self.state.vms.get(vm_id)
        return self.world.vm(vm_id).nics if changed is None or changed.nics is None else changed.nics

    @cached_property
    def loose_volumes(self) -> dict[str, Volume]:
        """Detached volumes as they are now, by their present id."""
        there = (each for each in self.world.site.volumes if each.id not in self.state.deleted)
        return {volume.id: volume for volume in (self.state.volumes.get(each.id, each) for each in there)}

    @cached_property
    def volume_ids(self) -> frozenset[str]:
        """Ids of all volumes as they are now, and of all copies that are on their way."""
        ids = {volume.id for vm_id in self.world.site.vm_by_id for volume in self.volumes(vm_id)} | self.loose_volumes.keys()
        return frozenset(ids | {name for move in self.state.moves if not move.settled for disk in move.disks for name in (disk.volume, disk.target_volume)})

    def host_of(self, vm_id: str) -> str:
        """Where the VM runs or is defined."""
        changed = self.state.vms.get(vm_id)
        return changed.host if changed else self.world.vm(vm_id).host

    def power_state(self, vm_id: str) -> PowerState:
        """A VM dies with its host; one whose disk is gone stands still on its I/O error; one that is moved cold or suspended is stopped or paused by that."""
        vm, move = self.world.vm(vm_id), self.active_moves.get(vm_id)
        if self.disturbances.is_dead(self.host_of(vm_id), self.at) or self.vm(vm_id).crashed:
            return PowerState.OFF
        if move is not None and move.stopped_since is not None:
            return PowerState.OFF
        if vm.power_state is not PowerState.RUNNING:
            return vm.power_state
        stands_still = bool(self._dead_pools) and any(volume.pool in self._dead_pools for volume in self.volumes(vm_id))
        is_paused = move is not None and move.paused_since is not None
        return PowerState.PAUSED if stands_still or is_paused else PowerState.RUNNING

    def answers(self, host: str) -> bool:
        """True where a controller reaches the host."""
        return self.disturbances.answers(host, self.at)

    def require(self, host: str) -> None:
        """Raises HostUnreachable where the host does not answer, InputError (``host_unknown``) where there is none."""
        self.world.host(host)
        if not self.answers(host):
            raise HostUnreachable(host, f"Host {host} does not answer.", hint="The simulated world has a fault or a missing host there; see docs/simulator.md.")

    def host(self, name: str) -> Host:
        """The host with its present maintenance note and the pools that are alive."""
        host = self.world.host(name)
        maintenance = closed_by(self.state.maintenance.get(name) or host.maintenance, self.state.recoveries.get(name))
        if maintenance is host.maintenance and not self._dead_pools:
            return host
        return dataclasses.replace(host, maintenance=maintenance, pools=host.pools - self._dead_pools)

    @cached_property
    def _taken_bytes(self) -> dict[str, int]:
        return taken_bytes(self.world, self.state)

    def pool(self, pool_id: str) -> Pool:
        """The pool with its present maintenance note and free space; inactive where it is dead. It must be in the world."""
        pool = self.world.site.pool_by_id[pool_id]
        taken, maintenance = self._taken_bytes.get(pool_id, 0), self.state.pool_maintenance.get(pool_id)
        free_bytes = None if pool.free_bytes is None else pool.free_bytes - taken
        if not taken and maintenance is None and pool_id not in self._dead_pools:
            return pool
        active = pool.active and pool_id not in self._dead_pools
        return dataclasses.replace(pool, maintenance=maintenance or pool.maintenance, free_bytes=free_bytes, active=active)

    @cached_property
    def _changed_by_host(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for vm_id, changed in self.state.vms.items():
            found.setdefault(changed.host, []).append(vm_id)
        return found

    def vms_on(self, host: str) -> list[Vm]:
        """The world's own records of the VMs that are on the host now; incoming ones are not among them."""
        stayed = [vm for vm in self.world.site.vms_by_host.get(host, ()) if vm.id not in self.state.vms]
        return stayed + [self.world.vm(vm_id) for vm_id in self._changed_by_host.get(host, ())]

    def incoming(self, host: str) -> list[Vm]:
        """VMs whose receiving half is on the host."""
        return [self.world.vm(move.vm) for move in self.active_moves.values() if move.target == host and move.is_in_memory]

    def memory_holders(self, host: str) -> list[Vm]:
        """VMs that hold memory on the host: running, paused and incoming ones. One that is stopped for its move will start again, and counts on both ends."""
        active = (PowerState.RUNNING, PowerState.PAUSED)
        here = [vm for vm in self.vms_on(host) if self.power_state(vm.id) in active or self._is_stopped(vm.id)]
        starting = [self.world.vm(move.vm) for move in self.active_moves.values() if move.stops_guest and move.target == host != move.source]
        return here + self.incoming(host) + starting

    def memory_used_mib(self, host: str) -> int:
        """Memory that VMs hold on the host."""
        return sum(vm.memory_mib for vm in self.memory_holders(host))

    def _is_stopped(self, vm_id: str) -> bool:
        move = self.active_moves.get(vm_id)
        return move is not None and move.stops_guest
