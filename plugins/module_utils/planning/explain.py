# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a plan leaves VMs out: reasons per candidate, and in one paragraph the totals, the largest hole, and the rule that empties the candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from ..model.plan import Unplaced
from ..model.reason import Reason, blocking, hard
from ..model.request import PlanRequest
from ..model.vm import Vm
from ..rules.planned import PlannedSite
from .against import all_reasons_at, own_reasons, stays
from .candidates import candidates
from .parties import parties_of
from .storage_part import storage_part

PAIRS = 10_000
"""So many pairs of VM and host are explained one by one; beyond that an answer would be too long to read and too slow to give."""


_NO_ROOM = ("no_suitable_target", "order_deadlock", "group_has_no_host")
_ROOM = frozenset({"insufficient_memory", "max_vms_reached", "no_plan_found"})
NOTHING_REFUSED: Mapping[str, tuple[Reason, ...]] = MappingProxyType({})
_MATTER_OF_COURSE = ("same_host", "host_avoided")


def left_out(
    planned: PlannedSite, vms: Sequence[Vm], deadlocked: frozenset[str], request: PlanRequest, refused: Mapping[str, tuple[Reason, ...]] = NOTHING_REFUSED
) -> tuple[Unplaced, ...]:
    """Every VM that has no place, with its own reasons and those of all candidates, ``planned`` being the state that the rest of the plan leads to.

    ``refused`` says of VMs (by id) why their volumes have no place beside the rest of the plan.
    """
    site = planned.site
    every = candidates(site, request)
    pairs = 0
    found = []
    company = _company(planned, vms, request)
    for vm in vms:
        own = own_reasons(site, vm, request) + company.get(vm.id, ()) + refused.get(vm.id, ())
        hosts = (site.host_by_name[vm.host],) if stays(request) and vm.host in site.host_by_name else every
        if not hosts:
            own += (hard("no_candidate", "No host comes into question as a target.", "Name other target hosts, or avoid fewer."),)
        if vm.id in deadlocked:
            text = f"The room for VM {vm.name} would only come free by moves that wait for its own room."
            own += (hard("order_deadlock", text, "Free some memory on a target host, or move fewer VMs at once."),)
        if pairs and pairs + len(hosts) > PAIRS:
            text = f"None of {len(hosts)} candidates takes VM {vm.name} beside the rest of the plan; too many VMs have no place to list the reasons of each."
            own += (hard("no_suitable_target", text, "Ask find_migration_targets for this VM."),)
            found.append(Unplaced(vm.id, vm.name, vm.host, own))
            continue
        pairs += len(hosts)
        per_host = {host.name: all_reasons_at(planned, vm, host, request, storage_part(site, vm, host, request)) for host in hosts}
        if not blocking(own):
            per_host = {name: reasons if blocking(reasons) else (*reasons, _not_with_the_others(vm, name)) for name, reasons in per_host.items()}
        found.append(Unplaced(vm.id, vm.name, vm.host, own, per_host))
    return tuple(found)


def _company(planned: PlannedSite, vms: Sequence[Vm], request: PlanRequest) -> dict[str, tuple[Reason, ...]]:
    """For VMs that have to go together and cannot: what they need as a whole, by VM id."""
    site = planned.site
    found: dict[str, tuple[Reason, ...]] = {}
    for party in parties_of(site, vms, request.consents):
        if len(party.vms) == 1 or stays(request) or any(blocking(own_reasons(site, vm, request)) for vm in party.vms):
            continue
        names = ", ".join(vm.name for vm in party.vms)
        text = f"VMs {names} have to go together (affinity) and need {party.memory_mib} MiB of memory; no candidate was found that takes all of them."
        reason = hard("group_has_no_host", text, "Make room for all of them on one host, or part the group.")
        found.update({vm.id: (reason,) for vm in party.vms})
    return found


def _not_with_the_others(vm: Vm, host: str) -> Reason:
    text = f"Host {host} could take VM {vm.name}, but no plan was found in which the VM goes there and everything else holds."
    return hard("no_plan_found", text, "Add a target host, free memory, or move fewer VMs at once.")


def explanation(planned: PlannedSite, unplaced: Sequence[Unplaced], wanted: int) -> str:
    """What an operator wants to know first when not every VM has a place; empty where all have one."""
    if not unplaced:
        return ""
    blocked = [entry for entry in unplaced if any(reason.blocks and reason.code not in _NO_ROOM for reason in entry.reasons)]
    homeless = [entry for entry in unplaced if entry not in blocked]
    parts = [f"{wanted - len(unplaced)} of {wanted} VMs have a place."]
    if blocked:
        parts.append(f"{len(blocked)} cannot be moved anywhere ({_counted(reason for entry in blocked for reason in entry.reasons)}).")
    if homeless:
        parts.append(_room(planned, homeless))
        parts.append(f"What rules candidates out: {_counted(reason for entry in homeless for reasons in entry.candidates.values() for reason in reasons)}.")
    parts += _consents(unplaced)
    return " ".join(parts)


def _consents(unplaced: Sequence[Unplaced]) -> list[str]:
    """Which options would open a host to which VMs, where nothing else stands in the way."""
    helped: dict[str, list[str]] = {}
    for entry in unplaced:
        wanted = [{reason.overridable for reason in blocking((*entry.reasons, *reasons))} for reasons in entry.candidates.values()]
        enough = min((options for options in wanted if options and "" not in options), key=lambda options: (len(options), sorted(options)), default=None)
        if enough:
            helped.setdefault(" and ".join(sorted(enough)), []).append(entry.vm_name)
    return [f"With {options}, a host would take {', '.join(sorted(names))}." for options, names in sorted(helped.items())]


def _room(planned: PlannedSite, homeless: Sequence[Unplaced]) -> str:
    """Need against what is free, on the hosts where nothing but room is missing."""
    vms = sorted((planned.site.vm_by_id[entry.vm] for entry in homeless), key=lambda vm: (-vm.memory_mib, vm.name))
    who = f"{len(vms)} without a place need" if len(vms) > 1 else "1 without a place needs"
    text = f"{who} {sum(vm.memory_mib for vm in vms)} MiB of memory, the largest {vms[0].memory_mib} MiB ({vms[0].name});"
    fit = {name for entry in homeless for name, reasons in entry.candidates.items() if {reason.code for reason in blocking(reasons)} <= _ROOM}
    free = {name: planned.memory_free_mib(name) or 0 for name in fit}
    if not free:
        return f"{text} no candidate would take any of them as things stand, whatever its memory."
    hole = min(free, key=lambda name: (-free[name], name))
    total_mib = sum(max(0, amount) for amount in free.values())
    return (
        f"{text} where only room is missing ({len(free)} hosts), {total_mib} MiB are free after the rest of the plan, "
        f"the largest hole is {free[hole]} MiB on {hole}."
    )


def _counted(reasons: Iterable[Reason]) -> str:
    counts = Counter(reason.code for reason in reasons if reason.blocks and reason.code not in _MATTER_OF_COURSE)
    return ", ".join(f"{code} ({count})" for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))) or "nothing"
