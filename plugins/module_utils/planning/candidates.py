# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts a VM may go to at all: what request and rulebook say whatever else is planned, asked once per VM and host."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ..model.host import Host
from ..model.reason import Reason, blocking, hard
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import host_facts, refuses
from ..rules.network import with_networks
from ..rules.planned import PlannedSite
from ..rules.rule import About
from .intended import option_reasons
from .storage_part import reading_in_place, storage_part

SCOPES = ("cluster", "pod", "zone", "site")


def candidates(site: Site, request: PlanRequest) -> tuple[Host, ...]:
    """The hosts that a request lets come into question, by name: the named targets, or all."""
    return tuple(sorted((host for host in site.hosts if not request.target_hosts or host.name in request.target_hosts), key=lambda host: host.name))


def request_reasons(site: Site, vm: Vm, host: Host, request: PlanRequest) -> tuple[Reason, ...]:
    """What the request itself says against a host: that it is the VM's own, one to avoid, or outside the scope (CSV-06)."""
    found = []
    if host.name == vm.host:
        found.append(hard("same_host", f"VM {vm.name} is on host {host.name} already.", "Choose another host."))
    elif host.name in request.avoid_hosts:
        found.append(hard("host_avoided", f"Host {host.name} is one of the hosts to leave or to avoid.", "Choose another host."))
    source = site.host_by_name.get(vm.host)
    if source is not None and _outside(source, host, request.scope):
        text = f"Host {host.name} is not in the {request.scope} of VM {vm.name}, which is on host {vm.host}."
        found.append(hard("outside_scope", text, "Widen the option scope, or choose another host.", ("CSV-06",)))
    return tuple(found)


def _outside(source: Host, host: Host, scope: str) -> bool:
    if scope == "site":
        return False
    if source.zone != host.zone:
        return True
    if scope == "zone":
        return False
    return source.pod != host.pod or (scope == "cluster" and source.cluster != host.cluster)


class Allowed:
    """Remembers, for one request, which VM may go to which host whatever else is planned.

    Hosts that are alike in every fact that the rules about places read get one answer per VM: what these are, the rulebook says (``facts``), and a test
    holds it to that. Of a host's pools only those count that a moving VM could need.
    """

    def __init__(self, site: Site, request: PlanRequest, vms: Iterable[Vm]) -> None:
        self._site = site
        self._request = request
        self._planned = PlannedSite(site)
        self._facts = sorted({fact for fact in host_facts(site.profile) if fact != "pools"})
        used = {volume.pool for vm in vms for volume in vm.volumes}
        self._pools = frozenset(pool.id for pool in site.pools if not pool.is_local) | used
        self._likeness: dict[str, int] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._known: dict[tuple[str, int | str, frozenset[str]], bool] = {}
        self._forbidden: set[tuple[str, str]] = set()

    def forbid(self, vm_id: str, host: str) -> None:
        """From now on the VM may not go to that host: its volumes found no place there beside those of others."""
        self._forbidden.add((vm_id, host))

    def may_go(self, vm: Vm, host: Host, consents: frozenset[str]) -> bool:
        """True where neither the request nor a rule about the place forbids it."""
        if (vm.id, host.name) in self._forbidden:
            return False
        if host.name == vm.host or host.name in self._request.avoid_hosts:
            return False
        source = self._site.host_by_name.get(vm.host)
        if source is not None and _outside(source, host, self._request.scope):
            return False
        intent = self._request.of(vm.id).intent
        plain = intent is None or intent.is_plain
        key = (vm.id, self._alike(host) if plain else host.name, consents)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._suits(vm, host, consents)
        return known

    def _suits(self, vm: Vm, host: Host, consents: frozenset[str]) -> bool:
        """What the rules say of the place; with an intent also what its mapping and its options give for that host."""
        intent = self._request.of(vm.id).intent
        if intent is None or intent.is_plain:
            return not refuses(self._planned, vm, host, self._site.profile, consents, About.PLACE)
        asked = dataclasses.replace(self._request, consents=consents)
        part = storage_part(self._site, vm, host, asked)
        attached = with_networks(reading_in_place(vm, part), intent.network_map)
        if refuses(self._planned, attached, host, self._site.profile, consents, About.PLACE, intent) or (part is not None and blocking(part.reasons)):
            return False
        return not blocking(option_reasons(self._site, vm, host, asked, () if part is None else part.moves))

    def _alike(self, host: Host) -> int:
        """A number that hosts have in common which no rule about places can tell apart."""
        number = self._likeness.get(host.name)
        if number is None:
            facts = (host.pools & self._pools, *(getattr(host, fact) for fact in self._facts))
            number = self._likeness[host.name] = self._numbers.setdefault(facts, len(self._numbers))
        return number
