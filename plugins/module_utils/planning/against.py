# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All reasons against one VM on one host (or one VM's storage alone), as far as they hold there and not everywhere: request, rules, mapping, options."""

from __future__ import annotations

from ..model.host import Host
from ..model.migration import MigrationType
from ..model.reason import Reason, hard
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import evaluate
from ..rules.network import with_networks
from ..rules.planned import PlannedSite
from .candidates import request_reasons
from .intended import option_reasons
from .mapping import VolumeMapping
from .storage_part import reading_in_place, storage_intent, vm_reasons


def stays(request: PlanRequest) -> bool:
    """True where the storage alone is to move, so that every VM stays on its host."""
    intent = storage_intent(request)
    return intent is not None and intent.type is MigrationType.STORAGE


def reasons_at(planned: PlannedSite, vm: Vm, host: Host, request: PlanRequest, part: VolumeMapping | None) -> tuple[Reason, ...]:
    """What request, rules and mapping say against the VM on that host. ``part`` is its storage part, None for a move by host."""
    if part is not None:
        if stays(request):
            return _stays_on(vm, host, request) + part.reasons
        return _on(planned, reading_in_place(vm, part), host, request) + part.reasons
    return _on(planned, vm, host, request)


def all_reasons_at(planned: PlannedSite, vm: Vm, host: Host, request: PlanRequest, part: VolumeMapping | None) -> tuple[Reason, ...]:
    """The same with what the options of the intent give for that host."""
    options = option_reasons(planned.site, vm, host, request, () if part is None else part.moves)
    return once(reasons_at(planned, vm, host, request, part), options)


def once(reasons: tuple[Reason, ...], options: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Both, without what the first say already by the same code."""
    told = {reason.code for reason in reasons} - {"fact_unknown"}
    return reasons + tuple(reason for reason in options if reason.code not in told)


def own_reasons(site: Site, vm: Vm, request: PlanRequest) -> tuple[Reason, ...]:
    """What holds for the VM wherever it might go: its own state, and options that no target could make good."""
    return once(vm_reasons(site, vm, request), option_reasons(site, vm, None, request, ()))


def _stays_on(vm: Vm, host: Host, request: PlanRequest) -> tuple[Reason, ...]:
    """A move of the storage alone has no target host (CAS-31)."""
    named = sorted(request.target_hosts | {host.name}) if request.target_hosts or host.name != vm.host else []
    if not named:
        return ()
    text = f"Only the storage of VM {vm.name} is to move, but a target host is given: {', '.join(named)}."
    return (hard("target_host_with_storage", text, "Leave target_host out, or move host and storage (type host_storage).", ("CAS-31",)),)


def _on(planned: PlannedSite, vm: Vm, host: Host, request: PlanRequest) -> tuple[Reason, ...]:
    intent = request.of(vm.id).intent
    attached = vm if intent is None else with_networks(vm, intent.network_map)
    return request_reasons(planned.site, vm, host, request) + evaluate(planned, attached, host, planned.site.profile, request.consents, intent)
