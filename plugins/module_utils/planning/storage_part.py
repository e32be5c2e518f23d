# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The storage part of a move: what an intent with storage changes in the questions about VM and host."""

from __future__ import annotations

import dataclasses

from ..model.host import Host
from ..model.intent import Intent
from ..model.migration import MigrationType, Mode
from ..model.reason import Reason
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import evaluate_vm
from ..rules.rule import About, Level, Profile
from ..rules.rulebook import RULEBOOK
from .mapping import VolumeMapping, map_volumes

OF_A_HOST_ONLY = frozenset({"host_device"})
"""Reasons that do not hold where the VM stays on its host."""


def storage_intent(request: PlanRequest) -> Intent | None:
    """The intent, where storage moves."""
    intent = request.intent
    return None if intent is None or intent.type is MigrationType.HOST else intent


def vm_reasons(site: Site, vm: Vm, request: PlanRequest) -> tuple[Reason, ...]:
    """Reasons that hold for the VM anywhere, as far as they concern what is asked for."""
    found = evaluate_vm(site, vm, site.profile, request.consents)
    intent = request.of(vm.id).intent
    if intent is None:
        return found
    beside = set(OF_A_HOST_ONLY) if intent.type is MigrationType.STORAGE else set()
    if intent.mode is not Mode.LIVE:
        beside.add("power_state")  # state_mismatch speaks of it
    if storage_intent(request) is not None and _has_rule(site.profile, "snapshot_pool_kind"):
        beside.add("has_snapshots")  # judged for each volume and pool instead
    return tuple(reason for reason in found if reason.code not in beside)


def _has_rule(profile: str, name: str) -> bool:
    return any(rule.name == name and rule.setting(Profile(profile)).level is not Level.OFF for rule in RULEBOOK if rule.about is About.VOLUME)


def storage_part(site: Site, vm: Vm, host: Host, request: PlanRequest) -> VolumeMapping | None:
    """Where the volumes go if the VM goes to (or stays on) that host; None for a move by host alone."""
    intent = storage_intent(request.of(vm.id))
    return None if intent is None else map_volumes(site, vm, host, intent, consents=request.consents)


def reading_in_place(vm: Vm, part: VolumeMapping | None) -> Vm:
    """The VM with those volumes only that the destination reads where they are."""
    return vm if part is None else dataclasses.replace(vm, volumes=part.staying)
