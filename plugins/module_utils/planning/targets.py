# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets of one VM: every candidate host, suitable or not, with all reasons, what the move would cost, and a rank that leaves nothing to chance."""

from __future__ import annotations

import dataclasses

from ..model.host import Host
from ..model.pool import VolumeKind
from ..model.reason import Reason, blocking
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.target import Target
from ..model.vm import Vm
from ..rules.planned import PlannedSite
from .against import once, reasons_at, stays
from .candidates import candidates
from .intended import option_reasons, way_and_course
from .moves import may_not_converge, volume_moves
from .ranking import preference
from .routes import Routes
from .storage_part import storage_part, vm_reasons

CAPACITY = frozenset({"insufficient_cpu", "insufficient_memory", "insufficient_memory_to_start", "insufficient_storage", "max_vms_reached"})
"""Reasons that the host, or a pool there, is too small."""


def find_targets(site: Site, vm: Vm, request: PlanRequest, planned: PlannedSite | None = None) -> tuple[Target, ...]:
    """All candidates, suitable ones first and by rank, the others by name; no answer is without a reason.

    Candidates are the hosts of ``request.target_hosts``, or all of the site. ``planned`` holds what is planned already (default: nothing).
    With ``request.intent`` of type ``host_storage`` each candidate says which volume would go where; with ``storage`` the VM's own host is the only one.
    """
    state = planned or PlannedSite(site, frozenset(request.vms), request.avoid_hosts)
    of_vm = vm_reasons(site, vm, request)
    routes = Routes(site, request)
    found = [(host, _target(state, vm, host, of_vm, request, routes)) for host in _candidates(site, vm, request)]
    suitable = [(preference(host, target.memory_free_mib, vm.memory_mib), target) for host, target in found if target.suitable_for_migration]
    suitable.sort(key=lambda pair: pair[0])
    others = (target for _host, target in found if not target.suitable_for_migration)
    return tuple(dataclasses.replace(target, rank=rank) for rank, (_key, target) in enumerate(suitable, 1)) + tuple(others)


def reasons_for(site: Site, vm: Vm, host_name: str, request: PlanRequest) -> tuple[Reason, ...]:
    """All reasons against one VM on one host, those that hold for the VM anywhere first. Raises InputError (``host_unknown``)."""
    host = site.find_host(host_name, "target_host")
    state = PlannedSite(site, frozenset(request.vms), request.avoid_hosts)
    part = storage_part(site, vm, host, request)
    options = option_reasons(site, vm, host, request, () if part is None else part.moves)
    return once(vm_reasons(site, vm, request) + reasons_at(state, vm, host, request, part), options)


def _candidates(site: Site, vm: Vm, request: PlanRequest) -> tuple[Host, ...]:
    if stays(request):
        return tuple(host for host in site.hosts if host.name == vm.host)
    return candidates(site, request)


def _out_of_reach(vm: Vm, host: Host) -> bool:
    """True where a disk is in a pool that the host does not have: then the storage would have to move too (CSH-17)."""
    return any(volume.kind is not VolumeKind.ISO and volume.pool is not None and volume.pool not in host.pools for volume in vm.volumes)


def _target(planned: PlannedSite, vm: Vm, host: Host, of_vm: tuple[Reason, ...], request: PlanRequest, routes: Routes) -> Target:
    part = storage_part(planned.site, vm, host, request)
    options = option_reasons(planned.site, vm, host, request, () if part is None else part.moves)
    way, course, said = way_and_course(planned.site, vm, host, request, routes, () if part is None else part.moves, options)
    slow = () if course.converges else (may_not_converge(vm, way.bandwidth_mbps),)
    reasons = once(of_vm + reasons_at(planned, vm, host, request, part), options) + said + slow
    codes = {reason.code for reason in reasons}
    free_mib = planned.memory_free_mib(host.name)
    share = max(0.0, -preference(host, free_mib, vm.memory_mib)[0])
    suitable = not blocking(reasons)
    return Target(
        host=host.name,
        suitable_for_migration=suitable,
        reasons=reasons,
        score=round(share, 4),
        zone=host.zone,
        pod=host.pod,
        cluster=host.cluster,
        state=host.state.value,
        hypervisor=host.hypervisor,
        hypervisor_version=host.hypervisor_version,
        host_tags=tuple(sorted(host.tags)),
        has_enough_capacity=not codes & CAPACITY,
        memory_total_mib=host.memory_mib,
        memory_used_mib=planned.memory_used_mib(host.name),
        memory_free_mib=free_mib,
        requires_storage_motion=_out_of_reach(vm, host) if part is None else part.moves_storage,
        network=way.network,
        networks_used=way.networks_used,
        volume_map=volume_moves(vm) if part is None else part.moves,
        bytes_to_copy=course.bytes,
        expected_seconds=round(course.seconds, 1),
        expected_downtime_ms=round(course.downtime_ms, 1),
        why=f"{100 * share:.0f} % of its memory stays free after the move." if suitable and host.memory_mib else "",
    )
