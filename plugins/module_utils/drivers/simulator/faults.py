# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of a world as functions of time: who is dead, cut off or refusing when."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .simulation import Fault, FaultKind
from .state import State
from .world import World


class Disturbances:
    """The world's faults, in simulated time. Timed ones count from the first start of a migration; before that they have not begun."""

    def __init__(self, world: World, state: State) -> None:
        self._world = world
        self._start = state.first_start_at
        self._faults = world.simulation.faults

    def _begin(self, fault: Fault) -> float:
        if fault.at_seconds is None:
            return -math.inf
        return math.inf if self._start is None else self._start + fault.at_seconds

    def _end(self, fault: Fault) -> float:
        return math.inf if fault.until_seconds is None or self._start is None else self._start + fault.until_seconds

    def _holding(self, kind: FaultKind, at: float) -> Iterator[Fault]:
        for fault in self._faults:
            if fault.kind is kind and self._begin(fault) <= at < self._end(fault):
                yield fault

    def next_change(self, after: float) -> float:
        """The first moment after ``after`` at which a fault begins or ends; infinite where none does."""
        moments = [moment for fault in self._faults for moment in (self._begin(fault), self._end(fault)) if moment > after]
        return min(moments, default=math.inf)

    def is_dead(self, host: str, at: float) -> bool:
        """True from the moment on at which the host dies; its VMs die with it."""
        return any(fault.host == host for fault in self._holding(FaultKind.HOST_DIES, at))

    def answers(self, host: str, at: float) -> bool:
        """True where a controller reaches the host."""
        if not self._world.has_answered(host) or self.is_dead(host, at):
            return False
        return all(fault.host != host for fault in self._holding(FaultKind.HOST_UNREACHABLE, at))

    def is_pool_dead(self, pool: str, at: float) -> bool:
        """True from the moment on at which the pool dies, for all hosts."""
        return any(fault.pool == pool for fault in self._holding(FaultKind.POOL_DIES, at))

    def dead_pools(self, at: float) -> frozenset[str]:
        """Ids of all dead pools."""
        return frozenset(fault.pool for fault in self._holding(FaultKind.POOL_DIES, at))

    def is_link_down(self, name: str, at: float) -> bool:
        """True while the shared link carries nothing."""
        return any(fault.link == name for fault in self._holding(FaultKind.LINK_DOWN, at))

    def is_host_link_down(self, host: str, at: float) -> bool:
        """True while the links of the host carry no memory of VMs."""
        return any(fault.host == host for fault in self._holding(FaultKind.LINK_DOWN, at))

    def failing_checks(self, subject: str, host: str, at: float) -> Iterator[Fault]:
        """Faults that make the pre-check of this VM or detached volume, or onto this host, fail."""
        for fault in self._holding(FaultKind.CHECK_FAILS, at):
            if self._is_about(fault, subject, host):
                yield fault

    def _is_about(self, fault: Fault, subject: str, host: str) -> bool:
        if fault.host:
            return fault.host == host
        return subject == (fault.volume or self._world.vm_id(fault.vm))

    def striking(self, state: State, kind: FaultKind, subject: str, host: str, at: float) -> Fault | None:
        """The fault of a counted kind that strikes a move of this VM or detached volume to this host, if one still may."""
        for fault in self._holding(kind, at):
            meant = self._is_about(fault, subject, host)
            if meant and (fault.times == 0 or state.fault_uses.get(fault_key(fault), 0) < fault.times):
                return fault
        return None


def fault_key(fault: Fault) -> str:
    """The name under which the state counts how often a fault struck."""
    return f"{fault.kind.value}:{fault.vm or fault.volume or fault.host}:{fault.at_percent:g}"
