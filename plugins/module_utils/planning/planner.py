# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner: a site and a request in, a whole plan out, checked before it is returned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from ..model.errors import InputError, MigrationError
from ..model.migration import Migration
from ..model.plan import Plan
from ..model.reason import Reason, blocking, warning
from ..model.request import PlanRequest
from ..model.site import Limits, Site
from ..model.vm import Vm
from .against import own_reasons, stays
from .bounds import lower_bound
from .candidates import SCOPES, Allowed
from .checker import affordable_orders, check_plan
from .copies import Copies, map_all
from .durations import ASSUMED_DIRTY_RATE_MIB_S
from .explain import explanation, left_out
from .jobs import Capacity, Job
from .moves import Moves
from .places import Places, find_places, in_order
from .routes import Routes
from .timetable import constraints_of, jobs_of, timetable

MAPPING_ROUNDS = 5
"""So often other hosts are looked for where the pools of the chosen ones are too full; what is left then has no place."""


def make_plan(site: Site, request: PlanRequest) -> Plan:
    """Plan the request.

    The answer depends on the site's facts alone, not on the order in which they are listed. Raises InputError where a VM, host, scope, profile or limit
    is wrong, and MigrationError (``plan_invalid``) if the checker finds fault with the plan: a fault of this program, never of the operator.
    """
    vms = _checked(site, request)
    movable = _movable(site, request, vms)
    allowed = Allowed(site, request, movable)
    places, copies = _places_and_copies(site, request, movable, allowed)
    return _sound(site, request, _plan(site, request, vms, places, copies, allowed))


def plan_to(site: Site, request: PlanRequest, host_of: Mapping[str, str]) -> Plan:
    """Plan moves whose targets are given (host by VM id) instead of chosen: only order and schedule are sought. Everything else as ``make_plan``.

    A given target that rules or memory forbid leaves its VM unplaced.
    """
    vms = _checked(site, request)
    movable = _movable(site, request, vms)
    allowed = Allowed(site, request, movable)
    given = {vm.id: host_of[vm.id] for vm in movable if vm.id in host_of}
    good = {vm.id: given[vm.id] for vm in movable if vm.id in given and allowed.may_go(vm, site.find_host(given[vm.id], "host_of"), request.consents)}
    places = in_order(site, request, movable, good)
    copies = map_all(site, request, movable, places.host_of)
    return _sound(site, request, _plan(site, request, vms, _without(places, copies), copies, allowed))


def _places_and_copies(site: Site, request: PlanRequest, vms: list[Vm], allowed: Allowed) -> tuple[Places, Copies]:
    """A host for every VM and pools for its volumes. A host whose pools are too full beside the rest of the plan is given up, and another one looked for."""
    if stays(request):
        at_home = Places({vm.id: vm.host for vm in vms if vm.host in site.host_by_name})
        copies = map_all(site, request, vms, at_home.host_of)
        return _without(at_home, copies), copies
    places = find_places(site, request, vms, allowed)
    copies = map_all(site, request, vms, places.host_of)
    for _round in range(MAPPING_ROUNDS):
        if not copies.refused:
            break
        for vm_id in copies.refused:
            allowed.forbid(vm_id, places.host_of[vm_id])
        places = find_places(site, request, vms, allowed)
        copies = map_all(site, request, vms, places.host_of)
    return _without(places, copies), copies


def _without(places: Places, copies: Copies) -> Places:
    """The places of those VMs whose volumes have one too, less those that wait for room which the others do not leave now."""
    if not copies.refused:
        return places
    gone, waiting = set(copies.refused), set[str]()
    while more := {order.after for order in places.order if order.before in gone} - gone:
        gone |= more
        waiting |= more
    order = tuple(order for order in places.order if not {order.before, order.after} & gone)
    return Places({vm_id: host for vm_id, host in places.host_of.items() if vm_id not in gone}, order, places.deadlocked | waiting)


def _sound(site: Site, request: PlanRequest, plan: Plan) -> Plan:
    faults = check_plan(site, plan, request, affordable_orders(plan))
    if faults:
        raise MigrationError(
            f"The plan did not pass its check: {faults[0]}", code="plan_invalid", hint="Nothing was changed. Please report this with the site file."
        )
    return plan


def plan_id(migrations: Iterable[Migration]) -> str:
    """Twelve hexadecimal digits of the SHA-256 of the moves (VM, source, target, type, mode, volumes), whatever their order."""
    moves = sorted(
        [
            move.vm,
            move.source_host,
            move.target_host,
            move.type.value,
            move.mode.value,
            *sorted(f"{way.volume} {way.source_pool} {way.target_pool}" for way in move.volumes),
        ]
        for move in migrations
    )
    return hashlib.sha256(json.dumps(moves, separators=(",", ":")).encode()).hexdigest()[:12]


def _checked(site: Site, request: PlanRequest) -> list[Vm]:
    for option, names in (("target_hosts", request.target_hosts), ("avoid_hosts", request.avoid_hosts)):
        for name in sorted(names):
            site.find_host(name, option)
    if request.scope not in SCOPES:
        raise InputError("scope", f"{request.scope!r} is not one of {', '.join(SCOPES)}.")
    _check_limits(site.limits)
    vms = (site.find_vm(wanted, "vms") for wanted in request.vms)
    return list({vm.id: vm for vm in vms}.values())


def _movable(site: Site, request: PlanRequest, vms: Sequence[Vm]) -> list[Vm]:
    return [vm for vm in vms if not blocking(own_reasons(site, vm, request))]


def _check_limits(limits: Limits) -> None:
    figures = {f"migrations_per_{kind}": getattr(limits, f"migrations_per_{kind}") for kind in ("host", "link", "pool")}
    figures["storage_migration_units"] = limits.storage_migration_units
    for kind in ("hosts", "links", "pools"):
        figures.update({f"{kind}.{name}": figure for name, figure in getattr(limits, kind).items()})
    for name, figure in sorted(figures.items()):
        if figure < 1:
            raise InputError(
                f"site.limits.{name}", f"at least one migration must be allowed at once, not {figure}.", hint="To keep hosts out, use avoid_hosts."
            )


def _plan(site: Site, request: PlanRequest, vms: Sequence[Vm], places: Places, copies: Copies, allowed: Allowed) -> Plan:
    moving = [vm for vm in vms if vm.id in places.host_of]
    routes = Routes(site, request)
    jobs = jobs_of(site, request, moving, places, copies, routes)
    capacity = Capacity(site.limits, request.parallel, routes.capacity_mbps)
    ordered, places = timetable(site, request, moving, jobs, capacity, places)
    admitted, timeline = ordered.jobs, ordered.timeline
    width = max(3, len(str(len(admitted))))
    id_of = {job.id: f"m{number:0{width}}" for number, job in enumerate(admitted, 1)}
    moves = Moves(site, request, places.host_of, copies, allowed)
    migrations = tuple(moves.migration(job, timeline.slots[job.id], id_of[job.id]) for job in admitted)
    bound = lower_bound(jobs, capacity)
    makespan, least = timeline.makespan_seconds, bound.seconds if bound else 0.0
    unplaced = left_out(moves.planned, [vm for vm in vms if vm.id not in places.host_of], places.deadlocked, request, copies.refused)
    return Plan(
        plan_id=plan_id(migrations),
        migrations=migrations,
        order=constraints_of(places, admitted, id_of),
        unplaced=unplaced,
        makespan_seconds=round(makespan, 1),
        lower_bound_seconds=round(least, 1),
        gap_percent=round(100 * (makespan / least - 1), 1) if least else 0.0,
        binding=bound,
        bytes_to_copy=sum(move.bytes_to_copy for move in migrations),
        warnings=_warnings(moving, jobs),
        explanation=explanation(moves.planned, unplaced, len(vms)),
    )


def _warnings(vms: Sequence[Vm], jobs: Sequence[Job]) -> tuple[Reason, ...]:
    """What holds for the plan as a whole: ways that are not what they could be, and durations that rest on assumptions."""
    found = dict.fromkeys(reason for job in jobs for reason in job.route.warnings)
    in_memory = {job.id for job in jobs if job.has_memory}
    assumed = sorted(vm.name for vm in vms if vm.dirty_rate_mib_s is None and vm.id in in_memory)
    if assumed:
        named = ", ".join(assumed[:5]) + (f" and {len(assumed) - 5} more" if len(assumed) > 5 else "")
        text = (
            f"How fast {named} rewrite{'s' if len(assumed) == 1 else ''} memory is not known; {ASSUMED_DIRTY_RATE_MIB_S:.0f} MiB/s assumed for the durations."
        )
        found[warning("duration_assumed", text, "Give site.vms.<name>.dirty_rate_mib_s and working_set_mib where it matters.", ("CAS-42",))] = None
    return tuple(found)
