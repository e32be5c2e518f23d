# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parties: VMs of a request that have to go to one host together, because an affinity group keeps them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.site import Site
from ..model.vm import AffinityKind, Vm
from ..rules.rule import Level, Profile
from ..rules.rulebook import RULEBOOK


@dataclass(frozen=True, slots=True, eq=False)
class Party:
    """One VM, or several that go together. ``order`` is the place of its first VM in the request, ``memory_mib`` what all of them need. Each is itself
    alone, so that it is quick to look up.
    """

    vms: tuple[Vm, ...]
    order: int
    memory_mib: int


def parties_of(site: Site, vms: Sequence[Vm], consents: frozenset[str]) -> tuple[Party, ...]:
    """The request's VMs as parties, in the order of their first VMs. Groups that may be parted, by profile or consent, make no party."""
    binding = {required for required in (True, False) if _binds(site.profile, consents, required=required)}
    place = {vm.id: index for index, vm in enumerate(vms)}
    leader = {vm.id: vm.id for vm in vms}

    def find(vm_id: str) -> str:
        while leader[vm_id] != vm_id:
            vm_id = leader[vm_id]
        return vm_id

    for group in site.affinity_groups:
        if group.kind is AffinityKind.AFFINITY and group.required in binding:
            members = sorted((vm_id for vm_id in group.vms if vm_id in place), key=place.__getitem__)
            for other in members[1:]:
                first, second = sorted((find(members[0]), find(other)), key=place.__getitem__)
                leader[second] = first
    gathered: dict[str, list[Vm]] = {}
    for vm in vms:
        gathered.setdefault(find(vm.id), []).append(vm)
    return tuple(Party(tuple(members), place[first], sum(vm.memory_mib for vm in members if vm.is_active)) for first, members in gathered.items())


def _binds(profile: str, consents: frozenset[str], *, required: bool) -> bool:
    """True where the rulebook forbids to part an affinity group of that kind."""
    name = "affinity" if required else "affinity_preferred"
    setting = next(rule.setting(Profile(profile)) for rule in RULEBOOK if rule.name == name)
    return setting.level is Level.HARD or (setting.level is Level.SOFT and bool(setting.consent) and setting.consent not in consents)
