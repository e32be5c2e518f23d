# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small world with storage: two hosts, each with a pool of its own, beside a shared one; and what moves in it."""

from __future__ import annotations

from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Job, Scope
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, Guest, Physics, Simulation
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.world import World
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.note import VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm

from tests.unit.drivers.simulator.small_world import host, migration, note, vm

MIB = 1024 * 1024
GIB = 1024 * MIB
FREE_BYTES = 20 * GIB
LOCAL1, LOCAL2, SHARED, OTHER = "kvm1/local", "kvm2/local", "shared", "other"
POOLS = (LOCAL1, LOCAL2, SHARED, OTHER)


def pool(pool_id: str, **facts: Any) -> Pool:
    """A pool with 20 GiB free of 100."""
    name = pool_id.rpartition("/")[2]
    scope = PoolScope.HOST if "/" in pool_id else PoolScope.CLUSTER
    return Pool(pool_id, name, "dir", scope, path=f"/srv/{name}", **{"capacity_bytes": 100 * GIB, "free_bytes": FREE_BYTES, **facts})


def disk(name: str, where: str = LOCAL1, gib: int = 1, **facts: Any) -> Volume:
    """A disk with all that is its own of its pool in its id and path."""
    folder = where.rpartition("/")[2]
    given = {"device": "vda", "path": f"/srv/{folder}/{name}", "capacity_bytes": 4 * gib * GIB, "allocated_bytes": gib * GIB, "format": "qcow2", **facts}
    return Volume(f"{where}/{name}", VolumeKind.ROOT, name, pool=where, **given)


def web(**facts: Any) -> Vm:
    """A VM on kvm1 with two disks in its local pool."""
    disks = (disk("web-root"), disk("web-data", gib=2, device="vdb"))
    return vm("web", "kvm1", **{"autostart": True, "volumes": disks, **facts})


def storage_world(
    *vms: Vm,
    volumes: tuple[Volume, ...] = (),
    pools: tuple[Pool, ...] = tuple(pool(name) for name in POOLS),
    faults: tuple[Fault, ...] = (),
    guests: dict[str, Guest] | None = None,
    mbps: int = 10_000,
    **physics: Any,
) -> World:
    """Two hosts that have the shared pools and their own."""
    hosts = tuple(host(name, mbps, pools=frozenset({SHARED, OTHER, f"{name}/local"})) for name in ("kvm1", "kvm2"))
    site = Site(hosts=hosts, pools=pools, vms=vms or (web(),), volumes=volumes)
    return World(site, Simulation(Physics(efficiency=1.0, **physics), guests or {}, faults))


def moving(target_pool: str, target: str = "kvm2", mode: Mode = Mode.LIVE, *, of: Vm | None = None, **more: Any) -> Migration:
    """All disks of the VM into one pool, on its host or along with it to another one."""
    what = of or web()
    kind = MigrationType.STORAGE if target == what.host else MigrationType.HOST_STORAGE
    ways = tuple(VolumeMove(volume.id, volume.pool, target_pool, device=volume.device) for volume in what.volumes)
    return migration(what.name, what.host, target, **{"type": kind, "mode": mode, "volumes": ways, **more})


def moving_volume(volume: Volume, target_pool: str, source: str = "kvm1", target: str = "kvm1") -> Migration:
    """A detached volume into another pool."""
    way = VolumeMove(volume.id, volume.pool, target_pool)
    return Migration("m-volume", "", volume.name, source, target, MigrationType.STORAGE, Mode.OFFLINE, volumes=(way,))


def noted(driver: SimulatorDriver, planned: Migration, operation_id: str = "op-1", **more: Any) -> VmNote:
    """The note as the driver completes and keeps it."""
    return driver.write_note(planned, note(planned, operation_id, **{"autostart": True, **more}))


def begun(driver: SimulatorDriver, planned: Migration, options: MoveOptions | None = None, **more: Any) -> Job:
    """Note and start."""
    return driver.start(planned, noted(driver, planned, **more), options or MoveOptions())


def free_bytes(driver: SimulatorDriver) -> dict[str, int]:
    """Free space of every pool as a snapshot shows it."""
    return {found.id: found.free_bytes or 0 for found in driver.snapshot(EVERYTHING).pools}


def places(driver: SimulatorDriver, name: str = "web") -> dict[str, str | None]:
    """The pool of each disk of a VM."""
    return {volume.device: volume.pool for volume in driver.snapshot(EVERYTHING).vm_by_id[f"id-{name}"].volumes}


def loose(driver: SimulatorDriver) -> dict[str, str | None]:
    """The pool of each detached volume, by its present id."""
    return {volume.id: volume.pool for volume in driver.snapshot(Scope(volumes_of=frozenset(POOLS))).volumes}
