# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One domain's raw facts as the model's ``Vm``. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from ...model.pool import Volume
from ...model.vm import OperationKind, Vm, VmKind
from .domain_xml import DiskFacts, DomainFacts
from .host_reader import RawVm
from .note_text import read_note
from .pools import HostPool, PoolMap

GuestCpu = Callable[[str, DomainFacts], "frozenset[str] | None"]
"""Host and definition -> the features that its CPU shows to the guest, None where they cannot be told."""

# How CloudStack names its system VMs: r-12-VM, s-1-VM, v-2-VM
_CLOUDSTACK_SYSTEM_VM = re.compile(r"^([rsv])-\d+-")
_CLOUDSTACK_KINDS = {"r": VmKind.ROUTER, "s": VmKind.SECONDARY_STORAGE, "v": VmKind.CONSOLE_PROXY}


def build_vm(
    host: str, raw: RawVm, host_pools: tuple[HostPool, ...], pools: PoolMap, guests: GuestCpu, also_on: tuple[str, ...], silent: tuple[str, ...]
) -> Vm:
    """The VM. ``also_on``: other hosts with the same id; ``silent``: hosts that did not answer, where it may be as well."""
    vm = Vm(
        id=raw.uuid,
        name=raw.name,
        host=host,
        power_state=raw.power_state,
        memory_mib=raw.memory_mib,
        vcpus=raw.vcpus,
        detailed=False,
        persistent=raw.persistent,
        autostart=raw.autostart,
        managed_save=raw.managed_save,
        also_on=also_on,
        uniqueness_unproven_on=silent,
        operation=OperationKind.MIGRATION_IN if raw.incoming else None,
    )
    return _in_full(vm, raw, raw.facts, host_pools, pools, guests) if raw.facts else vm


def _in_full(vm: Vm, raw: RawVm, facts: DomainFacts, host_pools: tuple[HostPool, ...], pools: PoolMap, guests: GuestCpu) -> Vm:
    note = read_note(facts.note_text) if facts.note_text is not None else None
    volumes = tuple(_volume(vm, disk, raw, host_pools, pools) for disk in facts.disks)
    only_here = bool(volumes) and all(volume.pool is not None and volume.pool.startswith(f"{vm.host}/") for volume in volumes)
    moving = note is not None and raw.operation is OperationKind.MIGRATION_OUT and note.source == vm.host
    return dataclasses.replace(
        vm,
        detailed=True,
        # With its disks on this host alone it cannot run anywhere else.
        uniqueness_unproven_on=() if only_here and vm.is_active else vm.uniqueness_unproven_on,
        kind=_kind(facts),
        architecture=facts.architecture or None,
        machine_type=facts.machine or None,
        cpu_mode=facts.cpu_mode,
        cpu_model=facts.cpu_model,
        required_cpu_features=guests(vm.host, facts) if vm.is_active else frozenset(),
        volumes=volumes,
        nics=facts.nics,
        host_devices=facts.host_devices,
        snapshots=raw.snapshots,
        snapshots_travel=True,
        checkpoints=raw.checkpoints,
        operation=raw.operation,
        operation_target=note.target if note is not None and moving else "",
        dirty_rate_mib_s=raw.dirty_rate_mib_s,
        managed_by=facts.managed_by,
        note=note,
        home=note.home if note else None,
    )


def _volume(vm: Vm, disk: DiskFacts, raw: RawVm, host_pools: tuple[HostPool, ...], pools: PoolMap) -> Volume:
    pool = pools.pool_of(host_pools, disk)
    sizes = raw.blocks.get(disk.device, {})
    return Volume(
        id=f"{vm.id}/{disk.device}",
        kind=disk.kind,
        name=disk.path.rpartition("/")[2] or disk.path,
        device=disk.device,
        path=disk.path,
        pool=pools.pool_id(vm.host, pool) if pool else None,
        capacity_bytes=sizes.get("capacity"),
        allocated_bytes=sizes.get("allocation"),
        format=disk.format,
        bus=disk.bus,
        cache_mode=disk.cache_mode,
        backing=disk.backing,
        encrypted=disk.encrypted,
        read_only=disk.read_only,
        shareable=disk.shareable,
    )


def _kind(facts: DomainFacts) -> VmKind:
    found = _CLOUDSTACK_SYSTEM_VM.match(facts.name) if facts.managed_by == "cloudstack" else None
    return _CLOUDSTACK_KINDS[found.group(1)] if found else VmKind.USER
