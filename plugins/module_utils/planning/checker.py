# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The independent checker: replays a plan in many orders that it allows and tells every violation.

It shares nothing with the planner but rules and model, and the choice of the rules that an intent concerns.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from ..model.migration import Migration, MigrationType
from ..model.plan import Plan
from ..model.reason import blocking
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import OperationKind, Vm
from ..rules.evaluate import evaluate
from ..rules.network import with_networks
from ..rules.planned import PlannedSite
from .storage_part import vm_reasons

REPLAYED_MOVES = 4000
"""So many starts are replayed before a plan is returned: a fraction of a second, whatever the plan's size."""


def affordable_orders(plan: Plan) -> int:
    """How many random orders are worth their time before a plan is returned."""
    return min(20, REPLAYED_MOVES // max(1, len(plan.migrations)))


def check_plan(site: Site, plan: Plan, request: PlanRequest, orders: int = 20, seed: int = 0) -> tuple[str, ...]:
    """Violations in words; empty where the plan is good.

    Replayed are: everything started as early as the constraints allow, one after the other, and ``orders`` random ones. No limit on how many moves run at once
    is assumed, so every order that an executor may choose is among those that are allowed here.
    """
    faults = list(_form(site, plan, request))
    if faults:
        return tuple(faults)
    chance = random.Random(seed)  # noqa: S311 - replayed orders shall be the same each time; nothing is secret
    beginning = _Load(PlannedSite(site, frozenset(move.vm for move in plan.migrations), request.avoid_hosts))
    for bias in (0.0, 1.0, *(chance.random() for _turn in range(orders))):
        replay = _Replay(beginning.copy(), plan, request)
        found = replay.run(bias, chance) or (replay.at_the_end() if bias == 0.0 else [])
        if found:
            return tuple(found)
    return ()


def _form(site: Site, plan: Plan, request: PlanRequest) -> Iterator[str]:
    """What can be told without a replay."""
    ids = Counter(move.id for move in plan.migrations)
    planned = Counter(move.vm for move in plan.migrations) + Counter(entry.vm for entry in plan.unplaced)
    yield from (f"migration id {name} is given {count} times" for name, count in ids.items() if count > 1)
    yield from (f"VM {vm} is planned {count} times" for vm, count in planned.items() if count > 1)
    wanted = {site.find_vm(name, "vms").id for name in request.vms}
    yield from (f"VM {vm} was asked for and is neither placed nor refused" for vm in sorted(wanted - set(planned)))
    yield from (f"VM {vm} was not asked for" for vm in sorted(set(planned) - wanted))
    for move in plan.migrations:
        yield from _move_form(site, move, request)
        yield from _volumes_form(site, move)
    yield from _space(site, plan)
    for entry in plan.unplaced:
        if not blocking(entry.reasons) and (not entry.candidates or not all(blocking(reasons) for reasons in entry.candidates.values())):
            yield f"VM {entry.vm_name} is refused without a reason"
    yield from (f"order names an unknown migration: {order.before} before {order.after}" for order in plan.order if not {order.before, order.after} <= set(ids))


def _move_form(site: Site, move: Migration, request: PlanRequest) -> Iterator[str]:
    vm, target, source = site.vm_by_id.get(move.vm), site.host_by_name.get(move.target_host), site.host_by_name.get(move.source_host)
    if vm is None or target is None:
        yield f"{move.id}: VM {move.vm} or host {move.target_host!r} does not exist"
        return
    if vm.host != move.source_host:
        yield f"{move.id}: VM {vm.name} is on {vm.host}, not on {move.source_host}"
    if move.type is MigrationType.STORAGE:
        if move.target_host != vm.host:
            yield f"{move.id}: only the storage of VM {vm.name} is to move, and {move.target_host} is not its host"
        if request.intent is None or request.intent.type is not MigrationType.STORAGE:
            yield f"{move.id}: a move of storage alone was not asked for"
    elif move.target_host in {vm.host, *request.avoid_hosts} or (request.target_hosts and move.target_host not in request.target_hosts):
        yield f"{move.id}: host {move.target_host} is not a target that the request allows"
    parts = {"cluster": ("zone", "pod", "cluster"), "pod": ("zone", "pod"), "zone": ("zone",), "site": ()}[request.scope]
    if source is not None and any(getattr(source, part) != getattr(target, part) for part in parts):
        yield f"{move.id}: host {target.name} is outside the {request.scope} of VM {vm.name}"
    for reason in blocking(vm_reasons(site, vm, request)):
        yield f"{move.id}: VM {vm.name} may not move: {reason}"


def _volumes_form(site: Site, move: Migration) -> Iterator[str]:
    """Every copied volume exists once, leaves the pool that it is in, and reaches one that its host has."""
    vm, target = site.vm_by_id.get(move.vm), site.host_by_name.get(move.target_host)
    if vm is None or target is None:
        return
    moving = [way for way in move.volumes if way.moves]
    if bool(moving) is (move.type is MigrationType.HOST):
        yield f"{move.id}: a move of type {move.type.value} with {len(moving)} volumes that change their pool"
    volumes = {volume.id: volume for volume in vm.volumes}
    for way in moving:
        volume = volumes.pop(way.volume, None)
        if volume is None or volume.pool != way.source_pool:
            yield f"{move.id}: volume {way.volume} of VM {vm.name} is not in pool {way.source_pool}, or is planned twice"
        if way.target_pool not in site.pool_by_id:
            yield f"{move.id}: pool {way.target_pool} does not exist"
        elif way.target_pool not in target.pools and vm.is_active:
            yield f"{move.id}: host {target.name} does not have pool {way.target_pool}"


def _space(site: Site, plan: Plan) -> Iterator[str]:
    """All volumes that come to a pool leave something of it free (CAS-16); what leaves it is not counted, because it is deleted last."""
    sizes = {volume.id: volume.capacity_bytes or 0 for vm in site.vms for volume in vm.volumes}
    coming: Counter[str] = Counter()
    for move in plan.migrations:
        for way in move.volumes:
            if way.moves and way.target_pool is not None:
                coming[way.target_pool] += sizes.get(way.volume, 0) * (2 if way.format else 1)
    for pool_id, wanted in coming.items():
        free = site.pool_by_id[pool_id].free_bytes if pool_id in site.pool_by_id else None
        if free is not None and wanted and wanted >= free:
            yield f"pool {pool_id} would get {wanted} bytes and has {free} free"


class _Load:
    """What every host holds at one moment: the rules' own view, and memory and number of VMs counted here anew."""

    def __init__(self, state: PlannedSite) -> None:
        self.state = state
        self.memory_mib: Counter[str] = Counter()
        self.count: Counter[str] = Counter()
        for vm in state.site.vms:
            self.add(vm, vm.host, 1)
            if vm.operation is OperationKind.MIGRATION_OUT and vm.operation_target not in ("", vm.host):
                self.add(vm, vm.operation_target, 1)

    def add(self, vm: Vm, host: str, sign: int) -> None:
        """Count the VM in (1) or out (-1)."""
        if vm.is_active:
            self.memory_mib[host] += sign * vm.memory_mib
            self.count[host] += sign

    def copy(self) -> _Load:
        """An independent copy."""
        twin = _Load.__new__(_Load)
        twin.state, twin.memory_mib, twin.count = self.state.copy(), self.memory_mib.copy(), self.count.copy()
        return twin


class _Replay:
    """One replay: the rules are asked about every intermediate state."""

    def __init__(self, load: _Load, plan: Plan, request: PlanRequest) -> None:
        self._load, self._plan, self._request = load, plan, request
        self._site, self._state = load.state.site, load.state
        self._moves = {move.id: move for move in plan.migrations}
        self._faults: list[str] = []

    def run(self, bias: float, chance: random.Random) -> list[str]:
        """Start and end moves; ``bias`` 0: start whatever may start before anything ends; 1: end whatever runs before anything starts."""
        waits: dict[str, set[str]] = {name: set() for name in self._moves}
        for order in self._plan.order:
            waits[order.after].add(order.before)
        followers: dict[str, list[str]] = {name: [] for name in self._moves}
        for order in self._plan.order:
            followers[order.before].append(order.after)
        ready, running = [name for name in self._moves if not waits[name]], list[str]()
        while ready or running:
            if running and (not ready or chance.random() < bias):
                ended = self._pick(running, bias, chance)
                self._end(self._moves[ended])
                for name in followers[ended]:
                    waits[name].discard(ended)
                    if not waits[name] and name not in ready:
                        ready.append(name)
            else:
                name = self._pick(ready, bias, chance)
                self._start(self._moves[name])
                running.append(name)
            if self._faults:
                return self._faults
        if any(waits.values()):
            return ["the order constraints make migrations wait for each other"]
        return []

    @staticmethod
    def _pick(names: list[str], bias: float, chance: random.Random) -> str:
        index = 0 if bias in (0.0, 1.0) else chance.randrange(len(names))
        names[index], names[-1] = names[-1], names[index]
        return names.pop()

    def _start(self, move: Migration) -> None:
        if move.type is MigrationType.STORAGE:
            return  # it stays where it is
        vm, target = self._site.vm_by_id[move.vm], self._site.host_by_name[move.target_host]
        for reason in self._against(move):
            self._faults.append(f"{move.id}: when VM {vm.name} starts for {target.name}: {reason}")
        self._state.hold(vm.id, target.name)
        self._load.add(vm, target.name, 1)
        if target.memory_mib is not None and self._load.memory_mib[target.name] > target.memory_mib - target.reserved_memory_mib:
            held = f"{self._load.memory_mib[target.name]} MiB of {target.memory_mib} MiB ({target.reserved_memory_mib} MiB reserved)"
            self._faults.append(f"{move.id}: host {target.name} is over-committed: {held}")
        if target.max_vms is not None and self._load.count[target.name] > target.max_vms:
            self._faults.append(f"{move.id}: host {target.name} would run {self._load.count[target.name]} VMs of {target.max_vms}")

    def _against(self, move: Migration) -> Sequence[object]:
        """What the rules say of the VM on its target: with the networks that it is given there, and the volumes that it reads in place."""
        vm, target = self._site.vm_by_id[move.vm], self._site.host_by_name[move.target_host]
        copied = {way.volume for way in move.volumes if way.moves}
        there = dataclasses.replace(vm, volumes=tuple(volume for volume in vm.volumes if volume.id not in copied)) if copied else vm
        if self._request.intent is not None:
            there = with_networks(there, self._request.intent.network_map)
        return blocking(evaluate(self._state, there, target, self._site.profile, self._request.consents, self._request.of(vm.id).intent))

    def _end(self, move: Migration) -> None:
        if move.type is MigrationType.STORAGE:
            return
        vm = self._site.vm_by_id[move.vm]
        self._state.place(vm.id, move.target_host)
        self._load.add(vm, vm.host, -1)

    def at_the_end(self) -> list[str]:
        """In the end, the same whatever the order, every move must hold by itself: nobody is under way any more whom a group could wait for."""
        self._state.moving = frozenset()
        return [
            f"{move.id}: in the end, VM {move.vm_name} on {move.target_host}: {reason}"
            for move in self._plan.migrations
            if move.type is not MigrationType.STORAGE
            for reason in self._against(move)
        ]
