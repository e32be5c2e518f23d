# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Order constraints: which move has to wait for which, so that every intermediate state of every order that they allow is a good one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..model.plan import OrderConstraint
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import refuses
from ..rules.planned import PlannedSite
from ..rules.rule import About


@dataclass(frozen=True, slots=True)
class Ordered:
    """What waits for what, by VM ids, and the VMs that would wait for one another for ever."""

    constraints: tuple[OrderConstraint, ...]
    stuck: tuple[Vm, ...]


class Ordering:
    """Finds a sequence in which the moves can be made, and only those constraints of it that are needed.

    Every move counts on both ends until it is waited for. A move that fits so waits for nothing and comes first; where none does, the one that has to wait
    for the fewest is next.

    Why that suffices: for every host the moves away from it that are waited for form a beginning of one fixed sequence, and a move to the host that comes
    later in the sequence waits for at least as many. So whatever else is allowed to run, the host holds no more than it did in the state that was checked
    for the latest of the moves to it that have started: all earlier arrivals, and all departures not waited for still there.
    """

    def __init__(self, site: Site, request: PlanRequest, vms: Sequence[Vm], host_of: Mapping[str, str]) -> None:
        self._site, self._request, self._host_of = site, request, host_of
        self._vms = [vm for vm in vms if vm.id in host_of]
        self._planned = PlannedSite(site, frozenset(vm.id for vm in self._vms), request.avoid_hosts)
        self._leaving: dict[str, list[Vm]] = defaultdict(list)
        self._gone: dict[str, int] = defaultdict(int)
        self._found: list[OrderConstraint] = []

    def find(self) -> Ordered:
        """Sequence all moves. To be called once."""
        left = list(self._vms)
        while left:
            waiting = [vm for vm in left if not self._fits(vm)]
            if len(waiting) == len(left):
                waits = [(count, index) for index, vm in enumerate(left) if (count := self._waits_for(vm)) is not None]
                if not waits:
                    break
                count, index = min(waits)
                vm = waiting.pop(index)
                self._wait(vm, count)
                self._begin(vm)
            left = waiting
        return Ordered(tuple(self._found), tuple(left))

    def _fits(self, vm: Vm) -> bool:
        """Begin the move if it need not wait for more than is waited for already."""
        if self._refused(vm):
            return False
        self._begin(vm)
        return True

    def _refused(self, vm: Vm) -> bool:
        host = self._site.host_by_name[self._host_of[vm.id]]
        return refuses(self._planned, vm, host, self._site.profile, self._request.consents, About.PLANNED_STATE)

    def _waits_for(self, vm: Vm) -> int | None:
        """How many more of the moves away from its target it has to wait for; None where all of them are not enough."""
        target = self._host_of[vm.id]
        others = self._leaving[target][self._gone[target] :]
        count = 0
        while (refused := self._refused(vm)) and count < len(others):
            self._planned.place(others[count].id, self._host_of[others[count].id])
            count += 1
        for other in others[:count]:
            self._planned.place(other.id, other.host)
            self._planned.hold(other.id, self._host_of[other.id])
        return None if refused else count

    def _wait(self, vm: Vm, count: int) -> None:
        target = self._host_of[vm.id]
        for other in self._leaving[target][self._gone[target] :][:count]:
            self._planned.place(other.id, self._host_of[other.id])
        self._gone[target] += count

    def _begin(self, vm: Vm) -> None:
        target = self._host_of[vm.id]
        for other in self._leaving[target][: self._gone[target]]:
            self._found.append(OrderConstraint(other.id, vm.id, f"{vm.name} takes a place on {target} that {other.name} leaves"))
        self._planned.hold(vm.id, target)
        self._leaving[vm.host].append(vm)
