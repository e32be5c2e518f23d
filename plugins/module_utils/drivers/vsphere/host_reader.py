# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ESXi hosts and datastores as the model has them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...model.host import Host, HostNetwork, HostState, Maintenance, MaintenanceState
from ...model.pool import Pool, PoolScope
from .host_links import link_mbps
from .host_notes import kept_of
from .inventory import Inventory
from .properties import Entry, moid_of

HOST_PATHS = (
    "name",
    "parent",
    "runtime.connectionState",
    "runtime.inMaintenanceMode",
    "summary.hardware.memorySize",
    "summary.hardware.numCpuThreads",
    "summary.hardware.cpuModel",
    "summary.config.product.version",
    "summary.config.vmotionEnabled",
    "summary.rebootRequired",
    "config.virtualNicManagerInfo.netConfig",
    "datastore",
    "network",
    "customValue",
)
POOL_PATHS = ("name", "parent", "summary", "host", "customValue")

# By version and update: VMware knowledge base 315655 (virtual hardware versions).
_HARDWARE = {
    (8, 0, 2): 21,
    (8, 0, 1): 20,
    (8, 0, 0): 20,
    (7, 0, 2): 19,
    (7, 0, 1): 18,
    (7, 0, 0): 17,
    (6, 7, 2): 15,
    (6, 7, 0): 14,
    (6, 5, 0): 13,
    (6, 0, 0): 11,
}


def hardware_of(version: str) -> int | None:
    """The newest virtual hardware of an ESXi release such as 8.0.2 (where the last number is the update); None for one that the table does not have."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    known = [(release, number) for release, number in _HARDWARE.items() if release[:2] == numbers[:2] and release <= numbers]
    return max(known)[1] if known else None


def host_of(entry: Entry, inventory: Inventory, key: int | None) -> Host:
    """A host; ``key`` is that of the custom attribute."""
    place = inventory.hosts[str(entry["name"])]
    version = str(entry["summary.config.product.version"] or "")
    memory = entry["summary.hardware.memorySize"]
    compute = inventory.compute_of(entry)
    connected = str(entry["runtime.connectionState"]) == "connected"
    return Host(
        name=place.name,
        id=place.moid,
        zone=place.datacenter,
        cluster=place.cluster,
        state=HostState.UP if connected else HostState.UNREACHABLE,
        state_reason="" if connected else f"vCenter says that it is {entry['runtime.connectionState']}",
        maintenance=_maintenance(entry, key),
        hypervisor="esxi",
        hypervisor_version=version or None,
        os_name="esxi",
        os_version=version or None,
        architecture="x86_64",
        cpu_model=(compute["summary.currentEVCModeKey"] if compute else None) or entry["summary.hardware.cpuModel"],
        cpu_features=frozenset(),
        cpu_count=entry["summary.hardware.numCpuThreads"],
        memory_mib=memory // 2**20 if memory else None,
        pools=frozenset(store.id for store in place.datastores.values() if (place.moid, store.moid) not in inventory.dead_mounts),
        networks=_networks(place.networks),
        migration_address=vmotion_address(entry["config.virtualNicManagerInfo.netConfig"] or ()),
        migration_link_mbps=link_mbps(entry, "migration"),
        management_link_mbps=link_mbps(entry, "management"),
        storage_link_mbps=link_mbps(entry, "storage"),
        max_hardware_version=hardware_of(version),
        has_vmotion=entry["summary.config.vmotionEnabled"],
        restart_pending=entry["summary.rebootRequired"],
    )


def _maintenance(entry: Entry, key: int | None) -> Maintenance:
    """The note that this collection keeps; without one, ESXi's own maintenance mode counts, whoever it was that set it."""
    note = kept_of(entry["customValue"], key).maintenance
    if entry["runtime.inMaintenanceMode"] and note.state is MaintenanceState.AVAILABLE:
        return Maintenance(MaintenanceState.MAINTENANCE, why="ESXi is in maintenance mode")
    return note


def _networks(networks: Mapping[str, Any]) -> tuple[HostNetwork, ...]:
    return tuple(HostNetwork(name, "dvs" if "Distributed" in ref.__class__.__name__ else "network") for name, ref in sorted(networks.items()))


def vmotion_address(configs: Iterable[Any]) -> str | None:
    """The address of the first VMkernel adapter that is enabled for vMotion."""
    for config in configs:
        if config.nicType == "vmotion":
            chosen = [nic for nic in config.candidateVnic or () if nic.key in (config.selectedVnic or ())]
            return next((str(nic.spec.ip.ipAddress) for nic in chosen if nic.spec.ip and nic.spec.ip.ipAddress), None)
    return None


def pool_of(entry: Entry, inventory: Inventory, key: int | None) -> Pool:
    """A datastore as a pool. One that a single host mounts is local, one that the hosts of a single cluster mount belongs to that."""
    place = inventory.datastore_by_moid[entry.moid]
    mounts = entry["host"] or ()
    mounted = [inventory.host_by_moid[moid_of(mount.key)] for mount in mounts if moid_of(mount.key) in inventory.host_by_moid]
    mounted = mounted or [host for host in inventory.hosts.values() if place.id in host.datastores]
    clusters = {host.cluster for host in mounted}
    summary = entry["summary"]
    local = len(mounted) == 1 and not summary.multipleHostAccess
    return Pool(
        id=place.id,
        name=place.name,
        kind=str(summary.type or "").lower(),
        scope=PoolScope.HOST if local else PoolScope.CLUSTER if len(clusters) == 1 else PoolScope.ZONE,
        zone=place.datacenter,
        cluster=next(iter(clusters)) if len(clusters) == 1 else "",
        identity=place.moid,
        path=str(summary.url or ""),
        active=bool(summary.accessible),
        maintenance=kept_of(entry["customValue"], key).maintenance,
        capacity_bytes=summary.capacity,
        free_bytes=summary.freeSpace,
        group=inventory.group_of(entry),
        closed_because=_closed_because(summary, mounts),
    )


def _closed_because(summary: Any, mounts: Iterable[Any]) -> str:
    """Why vCenter or ESXi lets nothing new into the datastore."""
    state = str(summary.maintenanceMode or "normal")
    if state != "normal":
        return f"vCenter says that it is {'in' if state == 'inMaintenance' else 'about to enter'} maintenance mode"
    return "a host has mounted it read-only" if any(str(mount.mountInfo.accessMode) == "readOnly" for mount in mounts) else ""
