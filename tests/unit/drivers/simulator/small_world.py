# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small simulated worlds for the tests of this folder, and what an executor would do in them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, Physics, Simulation
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.state import Move, State
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.world import World
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import encode
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, NetworkRole
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Link, Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm

MIB = 1024 * 1024
PHYSICS = Physics(efficiency=1.0)
CRAWLING_MBPS = 1
"""A link so slow that no move ends while a test looks at it."""


def host(name: str, mbps: int = 1000, **facts: Any) -> Host:
    """A host with 64 GiB and the shared pool."""
    given = {"memory_mib": 65536, "pools": frozenset({"shared"}), "management_link_mbps": mbps, **facts}
    return Host(name, **given)


def vm(name: str, on: str, memory_mib: int = 1024, **facts: Any) -> Vm:
    """A VM that does not rewrite its memory, with a disk in the shared pool; its id is its name with a prefix."""
    given = {"dirty_rate_mib_s": 0.0, "working_set_mib": 0, "volumes": (Volume(f"{name}-disk", device="vda", pool="shared"),), **facts}
    return Vm(f"id-{name}", name, on, memory_mib=memory_mib, **given)


def world(
    hosts: tuple[Host, ...] = (),
    vms: tuple[Vm, ...] = (),
    *,
    links: tuple[Link, ...] = (),
    faults: tuple[Fault, ...] = (),
    pools: tuple[Pool, ...] = (),
    physics: Physics = PHYSICS,
) -> World:
    """Two hosts and one VM, unless said otherwise."""
    hosts = hosts or (host("kvm1"), host("kvm2"))
    vms = vms or (vm("web", hosts[0].name, autostart=True),)
    pools = (Pool("shared", "shared", "netfs", PoolScope.CLUSTER, identity="nfs:shared"), *pools)
    return World(Site(hosts=hosts, pools=pools, vms=vms, links=links), Simulation(physics=physics, faults=faults))


def as_data(made: World) -> dict[str, Any]:
    """What the world's file holds."""
    return {**encode(made.site), "simulation": encode(made.simulation)}


def write(made: World, folder: Path) -> Path:
    """The world as a file."""
    path = folder / "world.json"
    path.write_text(json.dumps(as_data(made)))
    return path


def options(made: World, folder: Path, speed: float = 1.0) -> SiteOptions:
    """Options that open the world, after it was written."""
    return SiteOptions("simulator", simulator=SimulatorOptions(str(write(made, folder)), speed=speed))


def opened(made: World, folder: Path, speed: float = 1.0) -> SimulatorDriver:
    """A driver for the world."""
    return SimulatorDriver(options(made, folder, speed))


def running(vm_id: str, source: str, target: str, memory_mib: int, at: float, number: int = 1, **more: Any) -> Move:
    """A move that begins at ``at``."""
    return Move(f"move-{number}", vm_id, source, target, at, at, float(memory_mib * MIB), **more)


def begun(*moves: Move, at: float) -> State:
    """A state in which these moves begin at ``at``."""
    return dataclasses.replace(State(at=at, first_start_at=at), moves=moves)


def migration(name: str, source: str, target: str, **more: Any) -> Migration:
    """A planned live migration."""
    return Migration(f"m-{name}", f"id-{name}", name, source, target, **{"network": NetworkRole.MANAGEMENT, **more})


def note(planned: Migration, operation_id: str = "op-1", **more: Any) -> VmNote:
    """The note that goes before it."""
    return VmNote(operation_id, this_controller(), 1.0, NotePhase.MOVING, planned.source_host, planned.target_host, **more)


def claim(kind: ClaimKind, on: str, subject: str, operation_id: str = "op-1", now: float = 0.0, **more: Any) -> Claim:
    """A claim of this process."""
    return Claim(kind, on, subject, operation_id, **{"controller": this_controller(), "made_at": now, "renewed_at": now, **more})


def started(driver: SimulatorDriver, planned: Migration, written: VmNote, move_options: MoveOptions | None = None) -> Job:
    """Note and start, as an executor does it."""
    driver.write_note(planned, written)
    return driver.start(planned, written, move_options or MoveOptions())


def ended(driver: SimulatorDriver, job: Job) -> str:
    """Wait for the job's end; gives the hypervisor's last word."""
    while True:
        (progress,) = driver.poll([job])
        if progress.ended:
            return progress.message
        driver.clock.sleep(driver.poll_seconds)
