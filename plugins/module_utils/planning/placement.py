# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placement of many: a host for every VM, under capacity and the rules about planned states, with repair when memory is short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..model.host import Host
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import refuses
from ..rules.planned import PlannedSite
from ..rules.rule import About
from .candidates import Allowed, candidates
from .parties import Party, parties_of
from .ranking import RankedHosts

REPAIR_DEPTH = 3
REPAIR_STEPS = 10_000
"""How often one attempt may put a party on a host while it makes room, so that a hopeless request is told soon."""

Hosts = Callable[[int], Iterable[Host]]


class Board:
    """Where the parties are put while a placement is sought. ``waits``: memory that a VM leaves counts as free as soon as it is planned away, so that moves
    may have to wait for one another; otherwise every VM counts on both ends and any order will do.
    """

    def __init__(self, site: Site, request: PlanRequest, vms: Sequence[Vm], allowed: Allowed, *, waits: bool) -> None:
        self._site = site
        self._request = request
        self._allowed = allowed
        self._waits = waits
        self.planned = PlannedSite(site, frozenset(vm.id for vm in vms), request.avoid_hosts)
        self.hosts = candidates(site, request)
        self.ranked = RankedHosts(self.planned, self.hosts)
        self.host_of: dict[Party, Host] = {}
        self.steps = 0

    def has_room(self, party: Party, host: Host, gained_mib: int = 0) -> bool:
        """False where memory alone forbids it: a quick look before the rules are asked."""
        free_mib = self.planned.memory_free_mib(host.name)
        return free_mib is None or party.memory_mib <= free_mib + gained_mib

    def put(self, party: Party, host: Host, consents: frozenset[str]) -> bool:
        """Put the party on the host if every VM may go there as things stand."""
        self.steps += 1
        done: list[Vm] = []
        for vm in party.vms:
            if not self._may_stand(vm, host, consents):
                for other in reversed(done):
                    self._move(other, None)
                return False
            self._move(vm, host)
            done.append(vm)
        self.host_of[party] = host
        return True

    def take(self, party: Party) -> Host:
        """Take the party off its host again."""
        for vm in reversed(party.vms):
            self._move(vm, None)
        return self.host_of.pop(party)

    def restore(self, was: dict[Party, Host]) -> None:
        """Put everything back to where it was."""
        changed = [party for party, host in self.host_of.items() if was.get(party) != host]
        for party in changed:
            self.take(party)
        for party, host in was.items():
            if party not in self.host_of:
                for vm in party.vms:
                    self._move(vm, host)
                self.host_of[party] = host

    def may_ever(self, party: Party, host: Host) -> bool:
        """True where only what is planned could stand against it."""
        return all(self._allowed.may_go(vm, host, self._request.consents) for vm in party.vms)

    def _may_stand(self, vm: Vm, host: Host, consents: frozenset[str]) -> bool:
        return self._allowed.may_go(vm, host, consents) and not refuses(self.planned, vm, host, self._site.profile, consents, About.PLANNED_STATE)

    def _move(self, vm: Vm, host: Host | None) -> None:
        target = vm.host if host is None else host.name
        touched = {*self.planned.hosts_of(vm.id), target, vm.host}
        for name in touched:
            self.ranked.before_change(name)
        if host is None or self._waits:
            self.planned.place(vm.id, target)
        else:
            self.planned.hold(vm.id, target)
        for name in touched:
            self.ranked.after_change(name)


class Placement:
    """The search for a host for every party: spread first, tightly packed if that leaves somebody out, then by making room."""

    def __init__(self, site: Site, request: PlanRequest, vms: Sequence[Vm], allowed: Allowed, *, waits: bool) -> None:
        self._site, self._request, self._vms, self._allowed, self._waits = site, request, vms, allowed, waits
        self._parties = parties_of(site, vms, request.consents)
        self._budget = 0

    def find(self) -> dict[str, str]:
        """Target host by VM id for every VM that has one; as many as could be placed, those that come first in the request before others."""
        large_first = sorted(self._parties, key=lambda party: (-party.memory_mib, party.order))
        best = self._attempt(large_first, spread=True, repair=False)
        if len(best) < len(self._parties):
            count = self._counted(large_first)
            large_first = [party for party in large_first if count[party]]
            hard_first = sorted(large_first, key=lambda party: (len(party.vms) == 1, count[party], -party.memory_mib, party.order))
            preferred = sorted(large_first, key=lambda party: party.order)
            # Smallest first leaves the fewest without a place where not all of them fit.
            small_first = sorted(large_first, key=lambda party: (party.memory_mib, party.order))
            for order, spread in ((hard_first, True), (large_first, False), (hard_first, False), (preferred, False), (small_first, False)):
                found = self._attempt(order, spread=spread, repair=True)
                best = max(best, found, key=self._worth)
                if len(best) == len(order):
                    break
        return {vm.id: host.name for party, host in best.items() for vm in party.vms}

    def _worth(self, found: dict[Party, Host]) -> tuple[int, list[int]]:
        return sum(len(party.vms) for party in found), sorted((-party.order for party in found), reverse=True)

    def _counted(self, parties: Iterable[Party]) -> dict[Party, int]:
        """How many hosts might take each party, if nothing else were planned."""
        board = self._board()
        return {party: sum(board.may_ever(party, host) for host in board.hosts) for party in parties}

    def _board(self) -> Board:
        return Board(self._site, self._request, self._vms, self._allowed, waits=self._waits)

    def _attempt(self, order: Sequence[Party], *, spread: bool, repair: bool) -> dict[Party, Host]:
        board = self._board()
        hosts: Hosts = board.ranked.best_first if spread else board.ranked.fullest_first
        left_out = [party for party in order if not self._direct(board, party, hosts)]
        if repair:
            self._budget = board.steps + REPAIR_STEPS
            for party in left_out:
                self._insert(board, party, hosts, REPAIR_DEPTH)
        return board.host_of

    def _direct(self, board: Board, party: Party, hosts: Hosts) -> bool:
        """On the first host that takes it; hosts that need a consent come after those that need none."""
        for consents in dict.fromkeys((frozenset[str](), self._request.consents)):
            for host in hosts(party.memory_mib):
                if board.has_room(party, host) and board.put(party, host, consents):
                    return True
        return False

    def _insert(self, board: Board, party: Party, hosts: Hosts, depth: int) -> bool:
        """Directly, or by sending those away that are planned onto a host and may as well go elsewhere."""
        if self._direct(board, party, hosts):
            return True
        used = {host.name: host for host in board.host_of.values()}
        if depth == 0 or board.steps > self._budget:
            return False
        for host in sorted(used.values(), key=lambda host: (-(board.planned.memory_free_mib(host.name) or 0), host.name)):
            if board.may_ever(party, host) and self._make_room(board, party, host, hosts, depth):
                return True
        return False

    def _make_room(self, board: Board, party: Party, host: Host, hosts: Hosts, depth: int) -> bool:
        """Send single parties away from the host, smallest first, then several."""
        there = sorted((other for other, on in board.host_of.items() if on is host), key=lambda other: (other.memory_mib, other.order))
        for leaving in [(other,) for other in there] + [tuple(there[:count]) for count in range(2, len(there) + 1)]:
            if board.steps > self._budget:
                return False
            if not board.has_room(party, host, sum(other.memory_mib for other in leaving)):
                continue
            was = dict(board.host_of)
            for other in leaving:
                board.take(other)
            if board.put(party, host, self._request.consents) and all(self._insert(board, other, hosts, depth - 1) for other in reversed(leaving)):
                return True
            board.restore(was)
        return False
