# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places for the moves of a plan, and what has to wait for what so that they can be reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..model.plan import OrderConstraint
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from .candidates import Allowed, candidates
from .ordering import Ordering
from .parties import parties_of
from .placement import Placement


@dataclass(frozen=True, slots=True)
class Places:
    """Target host by VM id, what waits for what (ids of VMs), and VMs that would have waited for ever."""

    host_of: Mapping[str, str]
    order: tuple[OrderConstraint, ...] = ()
    deadlocked: frozenset[str] = frozenset()


def find_places(site: Site, request: PlanRequest, vms: Sequence[Vm], allowed: Allowed) -> Places:
    """A host for every VM: first so that no move waits for another; where that leaves VMs out, with room that other moves make."""
    host_of = Placement(site, request, vms, allowed, waits=False).find()
    sources = {vm.host for vm in vms} - request.avoid_hosts
    if len(host_of) == len(vms) or not any(host.name in sources for host in candidates(site, request)):
        return Places(host_of)
    other = in_order(site, request, vms, Placement(site, request, vms, allowed, waits=True).find())
    return other if len(other.host_of) > len(host_of) else Places(host_of)


def in_order(site: Site, request: PlanRequest, vms: Sequence[Vm], host_of: Mapping[str, str]) -> Places:
    """These places with the constraints that they need, less those that can be reached in no order."""
    deadlocked: set[str] = set()
    while True:
        ordered = Ordering(site, request, vms, host_of).find()
        if not ordered.stuck:
            return Places(host_of, ordered.constraints, frozenset(deadlocked))
        stuck = {vm.id for vm in ordered.stuck}
        deadlocked |= {vm.id for party in parties_of(site, vms, request.consents) if any(vm.id in stuck for vm in party.vms) for vm in party.vms}
        host_of = {vm_id: host for vm_id, host in host_of.items() if vm_id not in deadlocked}
