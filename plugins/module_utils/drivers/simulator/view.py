# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a controller sees of a simulated world: a snapshot in the model's form. Facts that the world lacks stay unknown."""

from __future__ import annotations

import dataclasses

from ...model.host import Host, HostState
from ...model.migration import Mode
from ...model.options import SiteOptions
from ...model.overlay import apply_overlay
from ...model.pool import Pool, Volume
from ...model.site import Site
from ...model.vm import OperationKind, PowerState, Vm
from ..driver import Scope
from .moment import Moment
from .state import Move


def snapshot(moment: Moment, scope: Scope, options: SiteOptions) -> Site:
    """The site as of the moment, within the scope, with the operator's overlay."""
    world = moment.world.site
    names = [host.name for host in world.hosts if scope.only_hosts is None or host.name in scope.only_hosts]
    hosts = tuple(moment.host(name) if moment.answers(name) else _silent(moment.host(name)) for name in names)
    silent = tuple(sorted(host.name for host in hosts if host.state is HostState.UNREACHABLE))
    vms: list[Vm] = []
    for host in hosts:
        if host.name not in silent:
            vms += _vms(moment, host.name, scope, silent)
    pools = _pools(moment, hosts, scope)
    site = dataclasses.replace(world, taken_at=moment.at, hosts=hosts, pools=pools, vms=tuple(vms), volumes=_loose_volumes(moment, hosts, scope))
    return apply_overlay(site, options, is_whole=scope.only_hosts is None)


def host_with_overlay(moment: Moment, name: str, options: SiteOptions) -> Host:
    """One host as a snapshot would show it."""
    return apply_overlay(Site(hosts=(moment.host(name),)), options, is_whole=False).hosts[0]


def _silent(host: Host) -> Host:
    """All that is known of a host that does not answer: what an inventory says, and what others keep about it."""
    why = host.state_reason or "The host does not answer."
    return Host(host.name, "", host.zone, host.pod, host.cluster, HostState.UNREACHABLE, why, host.maintenance, tags=host.tags)


def _pools(moment: Moment, hosts: tuple[Host, ...], scope: Scope) -> tuple[Pool, ...]:
    asked, silent = _pools_of(moment, hosts, silent=False), _pools_of(moment, hosts, silent=True)
    return tuple(
        moment.pool(pool.id) for pool in moment.world.site.pools if pool.id in asked or (scope.only_hosts is None and not (pool.is_local and pool.id in silent))
    )


def _pools_of(moment: Moment, hosts: tuple[Host, ...], *, silent: bool) -> frozenset[str]:
    """Pools of those hosts that answer, or of those that do not."""
    return frozenset[str]().union(*(moment.world.host(host.name).pools for host in hosts if (host.state is HostState.UNREACHABLE) is silent))


def _loose_volumes(moment: Moment, hosts: tuple[Host, ...], scope: Scope) -> tuple[Volume, ...]:
    """Volumes that are the disk of no VM, in the pools that are asked for and that a host which answers has. One that moves is where it was."""
    if not scope.volumes_of:
        return ()
    pools = frozenset(pool for pool in scope.volumes_of & _pools_of(moment, hosts, silent=False) if moment.pool(pool).active)
    return tuple(volume for volume in moment.loose_volumes.values() if volume.pool in pools)


def _vms(moment: Moment, host: str, scope: Scope, silent: tuple[str, ...]) -> list[Vm]:
    found = [_vm(moment, vm, scope, silent) for vm in moment.vms_on(host)]
    for vm in moment.incoming(host):
        source = moment.active_moves[vm.id].source
        if (scope.only_hosts is not None and source not in scope.only_hosts) or not moment.answers(source):
            found.append(_incoming_half(moment, vm, host, scope, silent))
    return found


def _incoming_half(moment: Moment, vm: Vm, host: str, scope: Scope, silent: tuple[str, ...]) -> Vm:
    """The receiving half shows itself only where its sending half was not seen: paused, not persistent yet."""
    shown = _vm(moment, vm, scope, silent)
    return dataclasses.replace(
        shown,
        host=host,
        power_state=PowerState.PAUSED,
        persistent=False,
        also_on=(),
        operation=OperationKind.MIGRATION_IN,
        operation_target=host,
    )


def _vm(moment: Moment, vm: Vm, scope: Scope, silent: tuple[str, ...]) -> Vm:
    move = moment.active_moves.get(vm.id)
    if vm.id not in moment.state.vms and move is None and not silent and not vm.also_on and scope.covers(vm.id, vm.name, vm.host):
        # What nobody has touched is shown as the file has it: with 10,000 VMs this line is what makes a snapshot quick.
        power_state = moment.power_state(vm.id)
        return vm if power_state is vm.power_state else dataclasses.replace(vm, power_state=power_state)
    return _shown(moment, vm, scope, silent)


def _operation(move: Move) -> OperationKind:
    """What a hypervisor tells of a move: the copy of disks on one host is a block job, that of a VM which is off is none of its own."""
    if move.is_in_memory:
        return OperationKind.MIGRATION_OUT
    return OperationKind.BLOCK_JOB if move.mode in (Mode.LIVE, Mode.SUSPENDED) else OperationKind.OTHER


def _shown(moment: Moment, vm: Vm, scope: Scope, silent: tuple[str, ...]) -> Vm:
    changed, move = moment.vm(vm.id), moment.active_moves.get(vm.id)
    also_on = tuple(host for host in changed.also_on if host not in silent)
    operation, towards = (_operation(move), move.target) if move else (vm.operation, vm.operation_target)
    power_state = moment.power_state(vm.id)
    if not scope.covers(vm.id, vm.name, changed.host):
        return Vm(
            vm.id,
            vm.name,
            changed.host,
            power_state,
            vm.memory_mib,
            vm.vcpus,
            detailed=False,
            persistent=vm.persistent,
            autostart=changed.autostart,
            managed_save=vm.managed_save,
            also_on=also_on,
            uniqueness_unproven_on=silent,
        )
    note, pools = changed.note, moment.world.site.pool_by_id
    # With all its disks on this host alone it cannot run anywhere else.
    volumes = moment.volumes(vm.id)
    used = [pools.get(volume.pool or "") for volume in volumes]
    only_here = vm.is_active and bool(used) and all(pool is not None and pool.is_local for pool in used)
    return dataclasses.replace(
        vm,
        host=changed.host,
        power_state=power_state,
        autostart=changed.autostart,
        also_on=also_on,
        uniqueness_unproven_on=() if only_here else silent,
        operation=operation,
        operation_target=towards,
        volumes=volumes,
        nics=moment.nics(vm.id),
        note=note,
        home=note.home if note else changed.home,
    )
