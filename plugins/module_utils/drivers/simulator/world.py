# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The world file: read once, checked whole, never written. Its form is that of ``model.site.Site``, with a section ``simulation`` beside."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from ...model.codec import decode
from ...model.errors import InputError
from ...model.host import Host, HostState
from ...model.site import Link, Site
from ...model.vm import OperationKind, Vm
from .reading import OPTION, read_mapping, wrong
from .simulation import SUBJECTS, Fault, FaultKind, Simulation


@dataclasses.dataclass(frozen=True)
class World:
    """A simulated site at its beginning, with the rules of its physics."""

    site: Site
    simulation: Simulation

    @cached_property
    def links_by_host(self) -> dict[str, tuple[Link, ...]]:
        """Shared links of each host that is behind any."""
        found: dict[str, list[Link]] = {}
        for link in self.site.links:
            for host in link.hosts:
                found.setdefault(host, []).append(link)
        return {host: tuple(links) for host, links in found.items()}

    @cached_property
    def _ids_by_name(self) -> dict[str, str]:
        return {vm.name: vm.id for vm in self.site.vms}

    def vm_id(self, wanted: str) -> str:
        """The id of the VM of that id or name; empty where there is none."""
        return wanted if wanted in self.site.vm_by_id else self._ids_by_name.get(wanted, "")

    def host(self, name: str) -> Host:
        """The host of that name. Raises InputError (``host_unknown``)."""
        return self.site.find_host(name, "host")

    def vm(self, vm_id: str) -> Vm:
        """The VM of that id. Raises InputError (``vm_unknown``)."""
        return self.site.find_vm(vm_id, "vm")

    def has_answered(self, host: str) -> bool:
        """False for a host that had not answered when the facts were taken: nothing is known of it, so it does not answer here either."""
        found = self.site.host_by_name.get(host)
        return found is not None and found.state is not HostState.UNREACHABLE


def load_world(path: Path) -> World:
    """Read a world. Raises InputError that names the file and the line or the path of the field; DriverMissing without PyYAML for a YAML file."""
    data = read_mapping(path)
    facts = {key: value for key, value in data.items() if key != "simulation"}
    try:
        world = World(_at_rest(decode(Site, facts)), decode(Simulation, data.get("simulation") or {}, "simulation"))
    except InputError as error:
        raise InputError(OPTION, f"{path}: {error.message}", code="world_invalid", hint=error.hint) from None
    for field, problem in _inconsistencies(world):
        raise wrong(path, f"{field}: {problem}", "The file may be incomplete, or a name is misspelt.")
    return world


def _at_rest(site: Site) -> Site:
    """Facts taken while VMs migrated: their moves are not in the file, so here the VMs are simply on their source."""
    moving = (OperationKind.MIGRATION_OUT, OperationKind.MIGRATION_IN)
    vms = tuple(dataclasses.replace(vm, operation=None, operation_target="") if vm.operation in moving else vm for vm in site.vms)
    return dataclasses.replace(site, vms=vms)


def _inconsistencies(world: World) -> Iterator[tuple[str, str]]:
    yield from _doubles(world)
    yield from _unknown_names(world)
    for index, fault in enumerate(world.simulation.faults):
        yield from _fault_problems(world, fault, f"simulation.faults[{index}]")
    for name in world.simulation.guests:
        if not world.vm_id(name):
            yield f"simulation.guests.{name}", "no VM has that id or name"
    yield from _impossible_numbers(world)


def _impossible_numbers(world: World) -> Iterator[tuple[str, str]]:
    physics = world.simulation.physics
    if not 0 < physics.efficiency <= 1:
        yield "simulation.physics.efficiency", "must be above 0 and at most 1"
    numbers: list[tuple[str, float | None]] = [(f"simulation.physics.{field.name}", getattr(physics, field.name)) for field in dataclasses.fields(physics)]
    for name, guest in world.simulation.guests.items():
        numbers += [
            (f"simulation.guests.{name}.dirty_rate_mib_s", guest.dirty_rate_mib_s),
            (f"simulation.guests.{name}.working_set_mib", guest.working_set_mib),
            (f"simulation.guests.{name}.shutdown_seconds", guest.shutdown_seconds),
        ]
    for index, link in enumerate(world.site.links):
        numbers.append((f"links[{index}].bandwidth_mbps", link.bandwidth_mbps))
    for index, host in enumerate(world.site.hosts):
        numbers += [(f"hosts[{index}].{name}", getattr(host, name)) for name in ("migration_link_mbps", "management_link_mbps", "memory_mib")]
    for index, pool in enumerate(world.site.pools):
        numbers += [(f"pools[{index}].{name}", getattr(pool, name)) for name in ("capacity_bytes", "free_bytes")]
    sized = [(f"volumes[{index}]", volume) for index, volume in enumerate(world.site.volumes)]
    sized += [(f"vms[{index}].volumes[{number}]", volume) for index, vm in enumerate(world.site.vms) for number, volume in enumerate(vm.volumes)]
    numbers += [(f"{path}.{name}", getattr(volume, name)) for path, volume in sized for name in ("capacity_bytes", "allocated_bytes")]
    for index, vm in enumerate(world.site.vms):
        numbers += [(f"vms[{index}].{name}", getattr(vm, name)) for name in ("memory_mib", "dirty_rate_mib_s", "working_set_mib")]
    for field_path, number in numbers:
        if number is not None and not 0 <= number < math.inf:
            yield field_path, f"{number} is not 0 or above"


def _doubles(world: World) -> Iterator[tuple[str, str]]:
    site = world.site
    for field, names in (
        ("hosts", [host.name for host in site.hosts]),
        ("vms", [vm.id for vm in site.vms]),
        ("pools", [pool.id for pool in site.pools]),
        ("volumes", [volume.id for volume in site.volumes]),
    ):
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                yield f"{field}[{index}]", f"{name!r} is there twice"
            seen.add(name)


def _unknown_names(world: World) -> Iterator[tuple[str, str]]:
    site = world.site
    hosts, pools, vms = site.host_by_name, site.pool_by_id, site.vm_by_id
    for index, host in enumerate(site.hosts):
        for pool in sorted(host.pools - pools.keys()):
            yield f"hosts[{index}].pools", f"pool {pool!r} is not among the pools"
    for index, vm in enumerate(site.vms):
        for name in (vm.host, *vm.also_on):
            if name not in hosts:
                yield f"vms[{index}].host", f"host {name!r} is not among the hosts"
    for index, volume in enumerate(site.volumes):
        if volume.pool is None or volume.pool not in pools:
            yield f"volumes[{index}].pool", f"pool {volume.pool!r} is not among the pools"
    for index, link in enumerate(site.links):
        for name in sorted(link.hosts - hosts.keys()):
            yield f"links[{index}].hosts", f"host {name!r} is not among the hosts"
    for index, group in enumerate(site.affinity_groups):
        for name in sorted(group.vms - vms.keys()):
            yield f"affinity_groups[{index}].vms", f"VM {name!r} is not among the VMs"


def _fault_problems(world: World, fault: Fault, field: str) -> Iterator[tuple[str, str]]:
    needed = SUBJECTS[fault.kind]
    given = [name for name in ("vm", "volume", "host", "pool", "link") if getattr(fault, name)]
    if len(given) != 1 or given[0] not in needed:
        yield field, f"a fault of kind {fault.kind.value} needs exactly one of: {', '.join(needed)}"
        return
    if not 0 <= fault.at_percent <= 100:
        yield f"{field}.at_percent", f"{fault.at_percent} is not from 0 to 100"
    if fault.times < 0:
        yield f"{field}.times", f"{fault.times} is not 0 or above"
    if fault.until_seconds is not None and fault.kind in (FaultKind.HOST_DIES, FaultKind.POOL_DIES):
        yield f"{field}.until_seconds", f"what dies stays dead (kind {fault.kind.value})"
    known = {
        "vm": world.vm_id(fault.vm) != "",
        "volume": any(volume.id == fault.volume for volume in world.site.volumes),
        "host": fault.host in world.site.host_by_name,
        "pool": fault.pool in world.site.pool_by_id,
        "link": any(link.name == fault.link for link in world.site.links),
    }
    if not known[given[0]]:
        yield f"{field}.{given[0]}", f"{getattr(fault, given[0])!r} is not in this world"
