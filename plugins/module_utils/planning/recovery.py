# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a recovery: the VMs of dead hosts, as they were when their definitions were kept, placed on the hosts that live (PCD-24 to PCD-28)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..model.host import Host, HostState, Maintenance, MaintenanceState
from ..model.intent import Intent
from ..model.migration import Migration, Mode
from ..model.plan import Plan, Unplaced
from ..model.pool import Pool
from ..model.reason import Reason
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.recover import judge_recovery
from .planner import make_plan, plan_id

_NOT_THE_HOSTS = ("host-passthrough", "host-model", "maximum")
"""Modes of a CPU that is whatever its host has: a VM that starts anew needs no feature of the old one."""


def site_of_recovery(now: Site, known: Site, hosts: tuple[str, ...], vms: tuple[Vm, ...]) -> Site:
    """The site to plan on: what lives is as it is now, the dead hosts and these VMs of theirs as they were ``known``."""
    shared = _shared_by_identity(now, known)
    living = tuple(_renamed(host, shared) for host in now.hosts if host.name not in hosts)
    dead = tuple(_closed(known.host_by_name[name]) for name in hosts)
    pools = {pool.id: pool for pool in known.pools if pool.id not in now.pool_by_id and (pool.is_local or pool.id in shared.values())}
    pools.update({pool.id: pool for pool in now.pools if pool.id not in shared})
    silent = frozenset(host.name for host in living if host.state is HostState.UNREACHABLE)
    lost = tuple(_as_dead(vm, silent) for vm in vms)
    ids = {vm.id for vm in vms}
    return dataclasses.replace(now, hosts=living + dead, pools=tuple(pools.values()), vms=tuple(vm for vm in now.vms if vm.id not in ids) + lost)


def plan_recovery(site: Site, hosts: tuple[str, ...], request: PlanRequest, intent: Intent, refused: Mapping[str, tuple[Reason, ...]]) -> Plan:
    """Place the VMs of the request. ``refused`` are those with reasons known already, by id; those and what cannot be recovered hold no other back."""
    silent = tuple(dataclasses.replace(host, state=HostState.UNREACHABLE) if host.name in hosts else host for host in site.hosts)
    told = dataclasses.replace(site, hosts=silent)
    lost = {vm_id: reasons for name in hosts for vm_id, reasons in judge_recovery(told, name, intent).lost.items()}
    lost.update(refused)
    good = tuple(vm_id for vm_id in request.vms if vm_id not in lost)
    placed = make_plan(site, dataclasses.replace(request, vms=good, avoid_hosts=request.avoid_hosts | set(hosts)))
    vms = site.vm_by_id
    unplaced = tuple(Unplaced(vm_id, vms[vm_id].name, vms[vm_id].host, lost[vm_id]) for vm_id in request.vms if vm_id in lost)
    moves = tuple(_started(move) for move in placed.migrations)
    return Plan(plan_id(moves), moves, unplaced=placed.unplaced + unplaced, explanation=placed.explanation)


def _started(move: Migration) -> Migration:
    """A recovery copies nothing: the VM is defined and started where its disks can be reached."""
    return dataclasses.replace(
        move,
        mode=Mode.COLD,
        networks_used=(),
        links=(),
        bytes_to_copy=0,
        bandwidth_mbps=0.0,
        expected_seconds=0.0,
        expected_start_seconds=0.0,
        expected_downtime_ms=None,
    )


def _closed(host: Host) -> Host:
    return dataclasses.replace(host, state=HostState.UP, maintenance=Maintenance(MaintenanceState.MAINTENANCE, why="it is dead"))


def _as_dead(vm: Vm, silent: frozenset[str]) -> Vm:
    """What of the facts still matters once its host is dead: no operation goes on, and snapshots and checkpoints are no obstacle to a start."""
    features = frozenset[str]() if vm.cpu_mode in _NOT_THE_HOSTS else vm.required_cpu_features
    return dataclasses.replace(
        vm,
        also_on=(),
        uniqueness_unproven_on=tuple(sorted(silent)),
        operation=None,
        operation_target="",
        snapshots=0,
        checkpoints=0,
        note=None,
        required_cpu_features=features,
    )


def _shared_by_identity(now: Site, known: Site) -> dict[str, str]:
    """Pools that look local now, because only one of the hosts that share them still answers: their id -> the id that they were known by."""
    shared = {pool.identity: pool.id for pool in known.pools if not pool.is_local and pool.identity}
    found = {}
    for pool in now.pools:
        own = _own_identity(pool)
        if own in shared:
            found[pool.id] = shared[own]
    return found


def _own_identity(pool: Pool) -> str | None:
    """The identity of a host's pool without the host (``kvm1:1b4f... `` -> ``1b4f...``)."""
    return pool.identity.partition(":")[2] if pool.is_local and pool.identity else None


def _renamed(host: Host, shared: Mapping[str, str]) -> Host:
    if not host.pools & shared.keys():
        return host
    return dataclasses.replace(host, pools=frozenset(shared.get(name, name) for name in host.pools))
