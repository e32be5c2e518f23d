# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan copies: the volumes of every VM mapped one VM after the other, over what the pools hold and what the plan brings to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..model.reason import Reason, blocking, hard
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from .mapping import VolumeMapping, map_volumes
from .space import PlannedSpace
from .storage_part import storage_intent


@dataclass(frozen=True, slots=True)
class Copies:
    """The mapping of each VM that has one (by id), and why the volumes of the others have no place beside the rest of the plan."""

    part_of: Mapping[str, VolumeMapping] = field(default_factory=dict)
    refused: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)


def map_all(site: Site, request: PlanRequest, vms: Sequence[Vm], host_of: Mapping[str, str]) -> Copies:
    """Map the volumes of all VMs that have a host, in the order of the request. Nothing for moves by host alone."""
    if storage_intent(request) is None:
        return Copies()
    space = PlannedSpace()
    parts: dict[str, VolumeMapping] = {}
    refused: dict[str, tuple[Reason, ...]] = {}
    for vm in vms:
        intent = storage_intent(request.of(vm.id))
        if vm.id not in host_of or intent is None:
            continue
        part = map_volumes(site, vm, site.host_by_name[host_of[vm.id]], intent, space, request.consents)
        against = blocking(part.reasons)
        if not against and host_of[vm.id] == vm.host and not part.moves_storage:
            against = (_nothing_to_move(vm),)
        if against:
            refused[vm.id] = against
        else:
            parts[vm.id] = part
    return Copies(parts, refused)


def _nothing_to_move(vm: Vm) -> Reason:
    return hard("nothing_to_move", f"Every volume of VM {vm.name} is where it should be already.", "Name another pool, or leave the VM out.")
