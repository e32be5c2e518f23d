# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clusters say themselves: rules that keep VMs together or apart, and automation that moves VMs on its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...model.reason import Reason, warning
from ...model.vm import AffinityGroup, AffinityKind
from .inventory import Inventory
from .library import vim
from .properties import moid_of


def groups_of(inventory: Inventory) -> tuple[AffinityGroup, ...]:
    """The enabled rules of all clusters as affinity groups, by the ids of their VMs."""
    found: list[AffinityGroup] = []
    for cluster in inventory.of_kind("ClusterComputeResource"):
        for rule in _rules(cluster["configurationEx"]):
            kind = _kind(rule)
            if kind is not None and rule.enabled:
                vms = frozenset(moid_of(vm) for vm in rule.vm or ())
                found.append(AffinityGroup(f"{cluster['name']}/{rule.name}", kind, vms, required=bool(rule.mandatory)))
    return tuple(found)


def _rules(configuration: Any) -> Iterable[Any]:
    return getattr(configuration, "rule", None) or ()


def _kind(rule: Any) -> AffinityKind | None:
    kinds = vim().cluster
    if isinstance(rule, kinds.AntiAffinityRuleSpec):
        return AffinityKind.ANTI_AFFINITY
    return AffinityKind.AFFINITY if isinstance(rule, kinds.AffinityRuleSpec) else None


def automation_of(inventory: Inventory) -> tuple[Reason, ...]:
    """A warning for each cluster whose DRS moves VMs by itself: a plan may be overtaken by it (CAS-04)."""
    found = []
    for cluster in inventory.of_kind("ClusterComputeResource"):
        drs = getattr(cluster["configurationEx"], "drsConfig", None)
        if drs is not None and drs.enabled and str(drs.defaultVmBehavior) == "fullyAutomated":
            text = f"DRS of cluster {cluster['name']} is fully automated: it may move VMs while a plan is carried out."
            found.append(warning("drs_automated", text, "Set DRS to partially automated for the window.", ("CAS-04",)))
    return tuple(found)
