# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads one host: everything light in a constant number of calls, VMs in scope in full. Gives raw facts; ``snapshot.py`` makes a site of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from ...model.host import HostNetwork, Maintenance
from ...model.recovery import RecoveryNote
from ...model.vm import OperationKind, PowerState
from ..driver import Scope
from .capabilities import HostCapabilities, dotted_version, host_capabilities
from .connection import Connection
from .domain_stats import LightStats, detail_stats, light_stats
from .domain_xml import DomainFacts, read_domain
from .domains import Domain, job_kind, may_be_incoming, power_state, running_job
from .failures import is_missing
from .host_notes import read_maintenance
from .library import libvirt
from .networks import read_networks
from .pool_notes import read_pool_maintenance
from .pools import HostPool, read_pools
from .recovery_notes import read_recoveries

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawVm:
    """A domain on one host. ``facts`` is None where it is out of scope; ``blocks`` are the bulk statistics of its disks by device name."""

    uuid: str
    name: str
    power_state: PowerState
    memory_mib: int
    vcpus: int
    persistent: bool
    autostart: bool
    managed_save: bool
    incoming: bool = False
    facts: DomainFacts | None = None
    operation: OperationKind | None = None
    snapshots: int = 0
    checkpoints: int = 0
    blocks: dict[str, dict[str, int]] = field(default_factory=dict)
    dirty_rate_mib_s: float | None = None


@dataclass(frozen=True, slots=True)
class RawHost:
    """One host as it answered."""

    name: str
    capabilities: HostCapabilities
    hypervisor_version: str
    memory_mib: int
    cpu_count: int
    networks: tuple[HostNetwork, ...] | None
    pools: tuple[HostPool, ...]
    maintenance: Maintenance
    recoveries: tuple[RecoveryNote, ...]
    vms: tuple[RawVm, ...]


@dataclass(frozen=True, slots=True)
class _Lists:
    """UUIDs of the domains that have a property, each list from one call."""

    persistent: frozenset[str]
    autostart: frozenset[str]
    managed_save: frozenset[str]
    snapshots: frozenset[str]
    checkpoints: frozenset[str]


def read_host(name: str, connection: Connection, scope: Scope) -> RawHost:
    """Everything about a host that a snapshot of that scope holds."""
    raw = connection.raw
    _model, memory_mib, cpu_count, *_rest = raw.getInfo()
    return RawHost(
        name=name,
        capabilities=host_capabilities(connection),
        hypervisor_version=dotted_version(raw.getVersion()),
        memory_mib=memory_mib,
        cpu_count=cpu_count,
        networks=read_networks(connection),
        pools=_read_pools(connection),
        maintenance=read_maintenance(connection),
        recoveries=read_recoveries(connection),
        vms=_read_vms(name, connection, scope),
    )


def _read_pools(connection: Connection) -> tuple[HostPool, ...]:
    pools, closed = read_pools(connection), read_pool_maintenance(connection)
    return tuple(dataclasses.replace(pool, maintenance=closed[pool.name]) if pool.name in closed else pool for pool in pools)


def _read_vms(host: str, connection: Connection, scope: Scope) -> tuple[RawVm, ...]:
    everything = light_stats(connection)
    lists = _read_lists(connection)
    in_scope = {domain.UUIDString() for domain, _stats in everything if scope.covers(domain.UUIDString(), domain.name(), host)}
    details = detail_stats(connection, [domain for domain, _stats in everything if domain.UUIDString() in in_scope])
    vms = []
    for domain, light in everything:
        try:
            vms.append(_read_vm(domain, light, lists, details.get(domain.UUIDString())))
        except libvirt.libvirtError as error:
            if not is_missing(error):  # else it was removed, or moved away, while we read
                raise
    return tuple(vms)


def _read_lists(connection: Connection) -> _Lists:
    def listed(flag: int) -> frozenset[str]:
        return frozenset(domain.UUIDString() for domain in connection.raw.listAllDomains(flag))

    return _Lists(
        persistent=listed(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT),
        autostart=listed(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART),
        managed_save=listed(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE),
        snapshots=listed(libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT),
        checkpoints=listed(libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT),
    )


def _read_vm(domain: Domain, light: LightStats, lists: _Lists, details: dict[str, Any] | None) -> RawVm:
    uuid = domain.UUIDString()
    persistent = uuid in lists.persistent
    current = power_state(light.state, uuid in lists.managed_save)
    active = current in (PowerState.RUNNING, PowerState.PAUSED)
    incoming = may_be_incoming(light.state, light.reason, persistent) and running_job(domain) is OperationKind.MIGRATION_IN
    vm = RawVm(
        uuid=uuid,
        name=domain.name(),
        power_state=current,
        memory_mib=light.memory_mib,
        vcpus=light.vcpus,
        persistent=persistent,
        autostart=uuid in lists.autostart,
        managed_save=uuid in lists.managed_save,
        incoming=incoming,
    )
    if details is None:
        return vm
    return _with_details(vm, domain, details, lists, active)


def _with_details(vm: RawVm, domain: Domain, details: dict[str, Any], lists: _Lists, active: bool) -> RawVm:
    facts = read_domain(domain.XMLDesc(0))
    operation = OperationKind.MIGRATION_IN if vm.incoming else (running_job(domain) if active else None)
    if operation is None and any(disk.has_block_job for disk in facts.disks):
        operation = OperationKind.BLOCK_JOB
    return dataclasses.replace(
        vm,
        facts=facts,
        operation=operation,
        snapshots=domain.snapshotNum(0) if vm.uuid in lists.snapshots else 0,
        checkpoints=len(domain.listAllCheckpoints()) if vm.uuid in lists.checkpoints else 0,
        blocks=_blocks(details),
        dirty_rate_mib_s=_dirty_rate(domain, details, active and operation is None),
    )


def _blocks(details: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Disk statistics by device name; those of a chain's lower images, which have the same name, come after it and are left out."""
    found: dict[str, dict[str, int]] = {}
    for index in range(details.get("block.count", 0)):
        prefix = f"block.{index}."
        entry = {key.removeprefix(prefix): value for key, value in details.items() if key.startswith(prefix)}
        found.setdefault(str(entry.get("name", "")), entry)
    return found


def _dirty_rate(domain: Domain, details: dict[str, Any], may_ask: bool) -> float | None:
    """MiB/s: what somebody's measurement said (``virsh domdirtyrate-calc``), else what the last migration that brought the VM here saw."""
    if details.get("dirtyrate.calc_status") == 2:  # VIR_DOMAIN_DIRTYRATE_MEASURED
        return float(details.get("dirtyrate.megabytes_per_second", 0))
    if not may_ask:
        return None
    try:
        last = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED)
    except libvirt.libvirtError:
        return None
    pages = last.get("memory_dirty_rate", 0)
    return pages * last.get("memory_page_size", 4096) / MIB if pages and job_kind(last) else None
