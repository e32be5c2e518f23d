# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's world on the simulator: a world file of our own in a folder of its own. What is true there is what the simulation computes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.disks import second_copy_in
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.engine import Engine
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.foreign import start_foreign_migration
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.moment import Moment
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind, Simulation
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.state import DiskTransfer
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import encode
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostNetwork, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Nic, PowerState, Vm

from tests.integration.described import Described
from tests.integration.worlds import Whereabouts, WorldVm, wait_until

HOSTS = ("sim1", "sim2", "sim3")
GIB = 2**30
FAST_MBPS, FAST_SPEED = 1000, 20.0
# 64 MiB take about four seconds, one after the other
SLOW_MBPS, SLOW_SPEED = 150, 1.0
CUT_AFTER_SECONDS = 1.5
MACHINE = "pc-i440fx-7.2"


class SimulatedForeignMigration:
    """See ``worlds.ForeignMigration``."""

    def __init__(self, world: SimulatorWorld, vm: WorldVm, target: str) -> None:
        self._world, self._vm, self._target = world, vm, target

    def wait(self) -> bool:
        wait_until(lambda: self._vm.name not in self._world.in_flight(), f"the end of the foreign migration of {self._vm.name}")
        return self._world.where(self._vm).defined_on == {self._target}


class SimulatorWorld(Described):
    """See ``worlds.World``."""

    hosts = HOSTS
    disk, data_disk, suffix = "hda", "hdb", ".raw"
    network, own_network = "guests", "only1"
    names_are_unique = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.file = folder / "world.json"
        self._vms: dict[str, Vm] = {}
        self._faults: list[Fault] = []
        self._loose: list[Volume] = []
        self._pools: list[Pool] = []
        self._free_bytes: dict[str, int] = {}
        self._link_mbps, self._speed = FAST_MBPS, FAST_SPEED
        self._write()

    # ------------------------------------------------------------ what the playbook says

    def site_options(self) -> dict[str, Any]:
        simulator = {"world": str(self.file), "speed": self._speed}
        return {"driver": "simulator", "simulator": simulator, "hosts": self.host_facts, "vms": self.vm_facts}

    def now(self) -> float:
        return self._engine().clock.now()

    # ------------------------------------------------------------ what there is

    def add_vm(
        self,
        name: str,
        host: str,
        *,
        memory_mib: int = 64,
        dirty_mib_s: float = 0.0,
        autostart: bool = False,
        power: str = "running",
        local_disk: bool = False,
        data_disk: bool = False,
        vm_id: str | None = None,
        network: str | None = None,
    ) -> WorldVm:
        vm_id = vm_id or str(uuid.uuid4())
        pool = f"{host}/local" if local_disk else "shared"
        disks = [_disk(vm_id, VolumeKind.ROOT, "hda", pool), *([_disk(vm_id, VolumeKind.DATA, "hdb", pool)] if data_disk else [])]
        self._vms[vm_id] = Vm(
            id=vm_id,
            name=name,
            host=host,
            power_state=PowerState(power),
            memory_mib=memory_mib,
            autostart=autostart,
            architecture="x86_64",
            machine_type=MACHINE,
            required_cpu_features=frozenset(),
            volumes=tuple(disks),
            nics=(Nic("52:54:00:00:00:01", network or self.network, "network"),),
            dirty_rate_mib_s=dirty_mib_s,
            working_set_mib=min(16, memory_mib),
        )
        self._write()
        return WorldVm(name, vm_id, memory_mib)

    def add_pool(self, name: str, host: str) -> str:
        self._pools.append(Pool(f"{host}/{name}", name, "dir", PoolScope.HOST, "z1", "p1", "c1", path=f"/srv/{name}", free_bytes=100 * GIB))
        self._write()
        return f"{host}/{name}"

    @staticmethod
    def local(host: str) -> str:
        return f"{host}/local"

    def where(self, vm: WorldVm) -> Whereabouts:
        moment = self._moment()
        changed = moment.vm(vm.id)
        states = {changed.host: moment.power_state(vm.id).value}
        states.update(dict.fromkeys(changed.also_on, "off"))
        move = moment.active_moves.get(vm.id)
        if move is not None and move.is_in_memory:
            states[move.target] = "paused"
        powered = {host: state for host, state in states.items() if not moment.disturbances.is_dead(host, moment.at)}
        return Whereabouts(frozenset(powered) & {changed.host, *changed.also_on}, powered)

    def is_alive(self, vm: WorldVm) -> bool:
        return self._moment().power_state(vm.id) is PowerState.RUNNING

    def was_never_restarted(self, vm: WorldVm) -> bool:
        """Only a cold move stops a VM and starts it again; else it stops with its host, for good."""
        moment = self._moment()
        move = moment.last_moves.get(vm.id)
        was_stopped = move is not None and move.stopped_since is not None
        return not was_stopped and moment.power_state(vm.id) is self._vms[vm.id].power_state

    def autostart(self, vm: WorldVm) -> bool:
        return self._moment().vm(vm.id).autostart

    def memory_used_mib(self, host: str) -> int:
        return self._moment().memory_used_mib(host)

    def in_flight(self) -> frozenset[str]:
        moment = self._moment()
        return frozenset(moment.world.vm(move.vm).name for move in moment.active_moves.values() if move.vm)

    def maintenance(self, host: str) -> str:
        return self._moment().host(host).maintenance.state.value

    def maintenance_note(self, host: str) -> Mapping[str, Any]:
        note = self._moment().host(host).maintenance
        return {} if note.state is MaintenanceState.AVAILABLE else dataclasses.asdict(note)

    def home(self, vm: WorldVm) -> str:
        changed = self._moment().vm(vm.id)
        home = changed.note.home if changed.note and changed.note.phase is NotePhase.MOVING else changed.home
        return home.host if home else ""

    def add_volume(self, name: str, pool: str) -> None:
        self._loose.append(Volume(f"{pool}/{name}", VolumeKind.DATA, name, "", f"/srv/{pool}/{name}", pool, GIB, GIB // 4, "raw"))
        self._write()

    def pool_maintenance(self, pool: str) -> str:
        return self._moment().pool(pool).maintenance.state.value

    def pool_maintenance_note(self, pool: str) -> Mapping[str, Any]:
        note = self._moment().pool(pool).maintenance
        return {} if note.state is MaintenanceState.AVAILABLE else dataclasses.asdict(note)

    def fill(self, pool: str) -> None:
        """From now on the pool has next to no room."""
        self._free_bytes[pool] = 2**20
        self._write()

    def pools(self, vm: WorldVm) -> dict[str, str]:
        return {volume.device: str(volume.pool) for volume in self._moment().volumes(vm.id)}

    def networks(self, vm: WorldVm) -> list[str]:
        return [nic.network for nic in self._moment().nics(vm.id)]

    def volumes(self, pool: str) -> frozenset[str]:
        moment = self._moment()
        disks = [volume for vm_id in self._vms for volume in moment.volumes(vm_id)]
        names = {Path(volume.path).name for volume in (*disks, *moment.loose_volumes.values()) if volume.pool == pool}
        return frozenset(names | {disk.volume for disk, where in self._second_copies(moment) if where == pool})

    def left_behind(self) -> list[str]:
        moment = self._moment()
        notes = [f"note of {self._vms[vm_id].name}" for vm_id, vm in moment.state.vms.items() if vm.note and vm.note.phase is NotePhase.MOVING]
        claims = [f"claim {claim.kind.value} {claim.subject} on {claim.host}" for claim in moment.state.claims]
        notes += [f"note of volume {volume}" for volume in moment.state.volume_notes]
        copies = [f"copy of {disk.volume} in {pool}" for disk, pool in self._second_copies(moment)]
        return sorted([*notes, *claims, *copies, *(f"stop request on {host}" for host in moment.state.stops)])

    def digest(self) -> str:
        """The state without the clock that ran on: what is kept where nothing moves does not depend on it."""
        state = dataclasses.replace(self._moment().state, at=0.0, anchor=None)
        return f"{hashlib.sha256(self.file.read_bytes()).hexdigest()}\n{json.dumps(encode(state), indent=1, sort_keys=True)}"

    def written(self) -> str:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return "\n".join(f"{path.relative_to(self.folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files)

    # ------------------------------------------------------------ what may happen

    def slow_links(self, speed: float = SLOW_SPEED) -> None:
        """With a higher ``speed`` all other times pass faster, but a move takes as long as ever."""
        self._link_mbps, self._speed = round(SLOW_MBPS / speed), speed
        self._write()

    def slow_copies(self) -> None:
        """``bandwidth_mib_s`` is enough here."""

    def fast_links(self) -> None:
        self._link_mbps, self._speed = FAST_MBPS, FAST_SPEED
        self._write()

    def refuse_incoming(self, host: str) -> None:
        self._add_fault(Fault(FaultKind.HOST_REFUSES, host=host, times=0))

    @contextmanager
    def break_first_copy(self, vm: WorldVm) -> Iterator[None]:
        self._add_fault(Fault(FaultKind.MOVE_FAILS, vm=vm.id, at_percent=30.0, times=1))
        yield

    @contextmanager
    def cut_link_during_move(self, host: str) -> Iterator[None]:
        self._add_fault(Fault(FaultKind.LINK_DOWN, host=host, at_seconds=CUT_AFTER_SECONDS * self._speed))
        yield

    @contextmanager
    def lose_power_during_move(self, host: str) -> Iterator[None]:
        self._add_fault(Fault(FaultKind.HOST_DIES, host=host, at_seconds=CUT_AFTER_SECONDS * self._speed))
        yield

    def go_dark(self, host: str) -> None:
        self._add_fault(Fault(FaultKind.HOST_UNREACHABLE, host=host))

    def power_off(self, host: str) -> None:
        with self._engine().changing() as draft:  # what has happened until now has happened
            draft.state = dataclasses.replace(draft.state)
        self._add_fault(Fault(FaultKind.HOST_DIES, host=host))

    def power_on(self, host: str) -> None:
        self._faults = [fault for fault in self._faults if fault.host != host or fault.kind is not FaultKind.HOST_DIES]
        self._write()

    def start_foreign_migration(self, vm: WorldVm, target: str) -> SimulatedForeignMigration:
        options = SiteOptions("simulator", simulator=SimulatorOptions(world=str(self.file), speed=self._speed))
        start_foreign_migration(options, vm.id, target)
        return SimulatedForeignMigration(self, vm, target)

    # ------------------------------------------------------------ inside

    def _engine(self) -> Engine:
        return Engine(SimulatorOptions(world=str(self.file), speed=self._speed))

    def _moment(self) -> Moment:
        return self._engine().moment()

    @staticmethod
    def _second_copies(moment: Moment) -> list[tuple[DiskTransfer, str]]:
        return [(disk, second_copy_in(move, disk)) for move in moment.state.moves if not move.settled for disk in move.disks]

    def _add_fault(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._write()

    def _write(self) -> None:
        pools = [Pool("shared", "shared", "netfs", PoolScope.CLUSTER, "z1", "p1", "c1", "nfs:shared", "/srv/shared", free_bytes=self._free("shared"))]
        pools += [
            Pool(f"{host}/local", "local", "dir", PoolScope.HOST, "z1", "p1", "c1", path="/srv/local", free_bytes=self._free(f"{host}/local")) for host in HOSTS
        ]
        site = Site(
            driver="simulator",
            hosts=tuple(self._host(name) for name in HOSTS),
            pools=(*pools, *self._pools),
            vms=tuple(self._vms.values()),
            volumes=tuple(self._loose),
        )
        content = {**encode(site), "simulation": encode(Simulation(faults=tuple(self._faults)))}
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps(content))
        draft.replace(self.file)

    def _free(self, pool: str) -> int:
        return self._free_bytes.get(pool, 100 * GIB)

    def _host(self, name: str) -> Host:
        return Host(
            name=name,
            zone="z1",
            pod="p1",
            cluster="c1",
            hypervisor="QEMU",
            hypervisor_version="7.2.0",
            os_name="debian",
            os_version="12",
            architecture="x86_64",
            cpu_features=frozenset({"sse4.2", "avx2"}),
            cpu_count=16,
            machine_types=frozenset({MACHINE}),
            memory_mib=16384,
            pools=frozenset({"shared", f"{name}/local", *(pool.id for pool in self._pools if pool.id.startswith(f"{name}/"))}),
            networks=tuple(HostNetwork(network, "network") for network in (self.network, self.own_network)[: 2 if name == HOSTS[0] else 1]),
            migration_address=f"10.0.1.{10 + HOSTS.index(name)}",
            migration_link_mbps=self._link_mbps,
            management_link_mbps=self._link_mbps,
            storage_link_mbps=4 * self._link_mbps if self._link_mbps < FAST_MBPS else None,
        )


def _disk(vm: str, kind: VolumeKind, device: str, pool: str) -> Volume:
    file = f"{vm}.raw" if kind is VolumeKind.ROOT else f"{vm}-{device}.raw"
    return Volume(f"{vm}-{device}", kind, "disk", device, f"/srv/{pool.rpartition('/')[2]}/{file}", pool, GIB, GIB // 4, "raw", "ide", "none")
