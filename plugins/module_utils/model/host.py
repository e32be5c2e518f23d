# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts: the machines that run VMs, with the facts that rules and planner read. ``None`` always means: not known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HostState(StrEnum):
    """``unreachable``: did not answer; nothing else about it is certain."""

    UP = "up"
    DISABLED = "disabled"
    UNREACHABLE = "unreachable"


class MaintenanceState(StrEnum):
    """``preparing``: closed to new placements, still being emptied. ``maintenance``: verified empty."""

    AVAILABLE = "available"
    PREPARING = "preparing"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The maintenance note of a host or pool: state, who set it, why, since when (epoch seconds), the operation that did, and the plan that it runs.

    ``stop_by``: who asked the run that empties a pool to stop (of hosts, drivers keep such a request apart).
    """

    state: MaintenanceState = MaintenanceState.AVAILABLE
    by: str = ""
    why: str = ""
    since: float = 0.0
    operation_id: str = ""
    plan_id: str = ""
    stop_by: str = ""


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """A network that VMs can be attached to on a host. ``kind``: ``bridge``, ``network`` (a hypervisor's virtual network), ``ovs``, ``dvs`` ..."""

    name: str
    kind: str = "bridge"


@dataclass(frozen=True, slots=True)
class Host:
    """A hypervisor host.

    ``memory_mib`` is what VMs may use in all (the machine's memory, or the operator's own lower figure), ``reserved_memory_mib`` what is kept free
    of VMs. ``hypervisor_version`` and ``os_version`` are dotted texts. ``networks`` and ``cpu_features`` are None where the driver cannot tell.
    ``pools`` are ids of the pools that are mounted and active here. ``migration_address`` is the host's address on the migration network.
    ``max_hardware_version`` (14 for vmx-14) and ``has_vmotion`` matter on ESXi only. ``restart_pending``: software was upgraded and not yet started anew.
    ``hugepage_kib`` is the size of the huge pages that it gives to VMs, 0 where it gives none.
    """

    name: str
    id: str = ""
    zone: str = ""
    pod: str = ""
    cluster: str = ""
    state: HostState = HostState.UP
    state_reason: str = ""
    maintenance: Maintenance = Maintenance()
    hypervisor: str = ""
    hypervisor_version: str | None = None
    os_name: str | None = None
    os_version: str | None = None
    architecture: str | None = None
    cpu_model: str | None = None
    cpu_features: frozenset[str] | None = None
    cpu_count: int | None = None
    cpu_load_percent: float | None = None
    machine_types: frozenset[str] | None = None
    memory_mib: int | None = None
    reserved_memory_mib: int = 0
    max_vms: int | None = None
    tags: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    networks: tuple[HostNetwork, ...] | None = None
    migration_address: str | None = None
    migration_link_mbps: int | None = None
    management_link_mbps: int | None = None
    storage_link_mbps: int | None = None
    hugepage_kib: int | None = None
    max_hardware_version: int | None = None
    has_vmotion: bool | None = None
    restart_pending: bool | None = None
    failed_facts: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """True where new VMs may be placed: up and not in maintenance."""
        return self.state is HostState.UP and self.maintenance.state is MaintenanceState.AVAILABLE
