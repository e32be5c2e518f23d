# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timetable of a plan: jobs of its moves, the ways in which they may wait for one another, and the one that ends soonest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from ..model.intent import Intent
from ..model.migration import MigrationType
from ..model.plan import OrderConstraint
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.options import uncapped_bytes
from .calibration import fit
from .copies import Copies
from .intended import option_reasons
from .jobs import Capacity, Job
from .mapping import VolumeMapping
from .networks import has_memory, route_of
from .ordering import Ordering
from .places import Places
from .routes import Routes
from .schedule import Schedule, schedule

WAYS_TRIED_UP_TO = 60
"""Up to so many moves, several ways to let moves wait for one another are tried."""


def jobs_of(site: Site, request: PlanRequest, vms: Sequence[Vm], places: Places, copies: Copies, routes: Routes) -> list[Job]:
    """A job for every move, with what it waits for. ``routes`` learns the channels that they take."""
    calibration = fit(request.measured).calibration
    jobs = []
    for vm in vms:
        intent = request.of(vm.id).intent or Intent()
        target, part = places.host_of[vm.id], copies.part_of.get(vm.id)
        kind = type_of_move(intent, part)
        route = route_of(site, routes, dataclasses.replace(intent, type=kind), vm, target)
        hosts = dict.fromkeys((("host", vm.host), ("host", target)))
        units = (*hosts, *(("link", link) for link in route.links), *(("pool", pool) for pool in _pools_of(part)))
        disk_bytes = 0 if part is None else part.bytes_to_copy
        memory = has_memory(dataclasses.replace(intent, type=kind), vm)
        speed = 0 if part is None else intent.speed_mib_s
        job = Job(vm.id, vm, vm.host, target, route, units, calibration=calibration, disk_bytes=disk_bytes, has_memory=memory, speed_mib_s=speed)
        jobs.append(dataclasses.replace(job, uncapped_bytes=_uncapped(site, request, vm, target, part)) if speed else job)
    return _waiting(jobs, places)


def _uncapped(site: Site, request: PlanRequest, vm: Vm, target: str, part: VolumeMapping | None) -> int:
    """Bytes of the VM's disks that no cap of speed slows down."""
    intent = request.of(vm.id).intent
    if intent is None or part is None:
        return 0
    said = option_reasons(site, vm, site.host_by_name[target], request, part.moves)
    return uncapped_bytes(intent, said, site, part.moves)


def type_of_move(intent: Intent, part: VolumeMapping | None) -> MigrationType:
    """What changes: without a volume that has to move, the host alone."""
    return MigrationType.HOST if part is None or not part.moves_storage else intent.type


def _pools_of(part: VolumeMapping | None) -> list[str]:
    moves = () if part is None else part.moves
    return sorted({pool for move in moves if move.bytes_to_copy for pool in (move.source_pool, move.target_pool) if pool})


def _waiting(jobs: Sequence[Job], places: Places) -> list[Job]:
    """The jobs, each with what it waits for."""
    after: dict[str, set[str]] = {job.id: set() for job in jobs}
    for order in places.order:
        after[order.after].add(order.before)
    return [dataclasses.replace(job, after=frozenset(after[job.id])) for job in jobs]


def timetable(site: Site, request: PlanRequest, vms: Sequence[Vm], jobs: Sequence[Job], capacity: Capacity, places: Places) -> tuple[Schedule, Places]:
    """The schedule; where moves have to wait for room, several ways to let them wait are tried, and the one that ends soonest is taken."""
    best = schedule(jobs, capacity, keep_order=request.keep_order), places
    if not places.order or request.keep_order or len(jobs) > WAYS_TRIED_UP_TO:
        return best
    seconds = {job.id: job.best_seconds for job in jobs}
    out = {vm.host: sum(seconds[other.id] for other in vms if other.host == vm.host) for vm in vms}
    into = {host: sum(seconds[vm.id] for vm in vms if places.host_of[vm.id] == host) for host in places.host_of.values()}
    keys: tuple[Callable[[Vm], float], ...] = (
        lambda vm: -vm.memory_mib,
        lambda vm: -out[vm.host],
        lambda vm: into[places.host_of[vm.id]] - out[vm.host],
        lambda vm: seconds[vm.id],
        lambda vm: -into[places.host_of[vm.id]],
    )
    for key in keys:
        other = Ordering(site, request, sorted(vms, key=key), places.host_of).find()
        if not other.stuck:
            ways = dataclasses.replace(places, order=other.constraints)
            found = schedule(_waiting(jobs, ways), capacity)
            if found.timeline.makespan_seconds < best[0].timeline.makespan_seconds - 1e-6:
                best = found, ways
    return best


def constraints_of(places: Places, jobs: Sequence[Job], id_of: Mapping[str, str]) -> tuple[OrderConstraint, ...]:
    """Those that rules and memory need, and those by which jobs make way for others on the same network."""
    why = {(order.before, order.after): order.why for order in places.order}
    name = {job.id: job.vm.name for job in jobs}
    found = []
    for job in jobs:
        for other in sorted(job.after):
            text = why.get((other, job.id)) or f"{job.vm.name} would share its way with {name[other]}; one after the other ends sooner"
            found.append(OrderConstraint(id_of[other], id_of[job.id], text))
    return tuple(sorted(found, key=lambda order: (order.before, order.after)))
