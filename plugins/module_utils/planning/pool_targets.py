# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets of one volume: every candidate pool, suitable or not, with all reasons, what the move would cost, and a rank that leaves nothing to chance."""

from __future__ import annotations

import dataclasses

from ..model.host import Host, HostState
from ..model.intent import Intent
from ..model.migration import MigrationType, NetworkRole, VolumeMove
from ..model.pool import Pool, Volume
from ..model.pool_target import PoolTarget
from ..model.reason import Reason, blocking
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import evaluate_volume
from ..rules.option_effect import between_rbd
from ..rules.rule import Profile
from ..rules.volume_case import VolumeCase, cluster_of, pod_of
from .against import once
from .calibration import fit
from .durations import estimate, with_disks
from .given_pools import preferred
from .intended import option_reasons, way_and_course
from .networks import Way, slow_copy
from .routes import Routes
from .space import PlannedSpace
from .storage_part import vm_reasons


def find_pool_targets(
    site: Site, vm: Vm | None, volume: Volume, request: PlanRequest, planned: PlannedSpace | None = None, *, include_excluded: bool = False
) -> tuple[PoolTarget, ...]:
    """All candidates for one volume of a VM, or for a detached one (``vm`` None); suitable ones first and by rank, the others by id.

    While the VM runs, pools of its cluster and of the zone are listed, local ones of its own host where the profile lets a volume go there live (CSH-13);
    ``include_excluded`` lists all others too, with their reasons. The mapping and ``type`` of ``request.intent`` are not looked at.
    """
    asked = dataclasses.replace(request, intent=_intent(request, volume))
    space = planned or PlannedSpace()
    of_vm = () if vm is None else vm_reasons(site, vm, asked)
    routes = Routes(site, asked)
    found = []
    for pool in sorted(site.pools, key=lambda pool: pool.id):
        if pool.id != volume.pool:
            case = _case(site, vm, volume, pool, _intent(request, volume), space)
            reasons = evaluate_volume(case, site.profile, request.consents)
            if include_excluded or _is_listed(case, reasons):
                found.append((preferred(pool, case.taken.needed_bytes), _target(case, of_vm + reasons, asked, routes)))
    suitable = sorted((pair for pair in found if pair[1].suitable_for_migration), key=lambda pair: pair[0])
    others = (target for _key, target in found if not target.suitable_for_migration)
    return tuple(dataclasses.replace(target, rank=rank) for rank, (_key, target) in enumerate(suitable, 1)) + tuple(others)


def _intent(request: PlanRequest, volume: Volume) -> Intent:
    base = request.intent or Intent()
    return dataclasses.replace(base, type=MigrationType.STORAGE, volume=volume.id, volume_pools={}, root_pool="")


def _case(site: Site, vm: Vm | None, volume: Volume, pool: Pool, intent: Intent, space: PlannedSpace) -> VolumeCase:
    source = None if volume.pool is None else site.pool_by_id.get(volume.pool)
    origin = None if vm is None else site.host_by_name.get(vm.host)
    host = _worker(site, volume, pool) if vm is None else origin
    return VolumeCase(site, vm, volume, source, pool, origin, host, intent, space.taken_in(pool.id))


def _worker(site: Site, volume: Volume, pool: Pool) -> Host | None:
    """The first host, by name, that answers and reaches both pools (CSV-12)."""
    able = (host for host in site.hosts if host.state is HostState.UP and {volume.pool, pool.id} <= host.pools)
    return min(able, key=lambda host: host.name, default=None)


def _is_listed(case: VolumeCase, reasons: tuple[Reason, ...]) -> bool:
    if not case.is_online or case.host is None:
        return True
    if case.pool.is_local:
        return case.pool.id in case.host.pools and "local_volume_live_move" not in {reason.code for reason in reasons}
    return cluster_of(case.site, case.pool) in ("", case.host.cluster)


def _cost(case: VolumeCase, request: PlanRequest, routes: Routes) -> tuple[Way | None, float, tuple[Reason, ...]]:
    """The way of the volume, how long its move takes, and what is to be said of both; no way where no host could copy it."""
    move = VolumeMove(case.volume.id, case.volume.pool, case.pool.id, case.volume.capacity_bytes or 0, case.volume.device)
    if case.host is None:
        return None, 0.0, ()
    if case.vm is not None:
        options = option_reasons(case.site, case.vm, None, request, (move,))
        way, course, said = way_and_course(case.site, case.vm, case.host, request, routes, (move,), options)
        return way, course.seconds, options + said
    route, calibration = routes.storage(case.host.name), fit(request.measured).calibration
    way = Way(route.network, route.networks_used, route.bandwidth_mbps, route.links, route.warnings)
    free = move.bytes_to_copy if between_rbd(case.site, move) and case.site.profile == Profile.CAS else 0  # CAS-50
    course = with_disks(
        estimate(0, 0.0, 0, way.bandwidth_mbps, calibration), move.bytes_to_copy, way.bandwidth_mbps, calibration, case.intent.speed_mib_s, free
    )
    what = f"volume {case.volume.name or case.volume.id}"
    return way, course.seconds, way.warnings + slow_copy(what, way.network, way.bandwidth_mbps, move.bytes_to_copy)


def _state_of(pool: Pool) -> str:
    if not pool.active:
        return "inactive"
    return "closed" if pool.closed_because else pool.maintenance.state.value


def _target(case: VolumeCase, against: tuple[Reason, ...], request: PlanRequest, routes: Routes) -> PoolTarget:
    pool, size_bytes = case.pool, case.volume.capacity_bytes or 0
    way, seconds, said = _cost(case, request, routes)
    reasons = once(against, said)
    return PoolTarget(
        pool=pool.id,
        suitable_for_migration=not blocking(reasons),
        reasons=reasons,
        score=round(max(0.0, -preferred(pool, case.taken.needed_bytes + size_bytes)[0]), 4),
        name=pool.name,
        kind=pool.kind,
        scope=pool.scope.value,
        state=_state_of(pool),
        zone=pool.zone,
        pod=pod_of(case.site, pool),
        cluster=cluster_of(case.site, pool),
        tags=tuple(sorted(pool.tags)),
        capacity_bytes=pool.capacity_bytes,
        free_bytes=pool.free_bytes,
        planned_bytes=case.taken.needed_bytes,
        source_pool=case.volume.pool,
        worker_host=case.host.name if case.vm is None and case.host else "",
        network=NetworkRole.STORAGE if way is None else way.network,
        networks_used=() if way is None else way.networks_used,
        bytes_to_copy=size_bytes,
        expected_seconds=round(seconds, 1),
    )
