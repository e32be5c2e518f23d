# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clusters say themselves: rules that keep VMs together or apart, and automation that moves VMs on its own. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...model.host import Host
from ...model.reason import Reason, warning
from ...model.vm import AffinityGroup, AffinityKind, Vm
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
                found.append(AffinityGroup(f"{cluster.name}/{rule.name}", kind, vms, required=bool(rule.mandatory)))
    return tuple(found)


@dataclass(frozen=True)
class HostRule:
    """A rule that VMs run on some hosts of their cluster only. In the model it is a tag that these hosts have and these VMs need. Ids of managed objects;
    outside of its cluster nothing is bound by it.
    """

    tag: str
    cluster: str
    vms: frozenset[str]
    hosts: frozenset[str]

    def admits(self, host: str, cluster: str) -> bool:
        """True for a host that the VMs may be on."""
        return cluster != self.cluster or host in self.hosts


def host_rules_of(inventory: Inventory) -> tuple[HostRule, ...]:
    """The enabled rules of VMs and hosts that must be kept; DRS weighs the others itself."""
    found: list[HostRule] = []
    for cluster in inventory.of_kind("ClusterComputeResource"):
        name = cluster.name
        groups = {str(group.name): group for group in getattr(cluster["configurationEx"], "group", None) or ()}
        all_hosts = frozenset(host.moid for host in inventory.hosts.values() if host.cluster == name)
        for rule in _rules(cluster["configurationEx"]):
            if isinstance(rule, vim().cluster.VmHostRuleInfo) and rule.enabled and rule.mandatory:
                vms, near, away = (_members(groups.get(str(group))) for group in (rule.vmGroupName, rule.affineHostGroupName, rule.antiAffineHostGroupName))
                hosts = all_hosts - away if rule.antiAffineHostGroupName else near
                found.append(HostRule(f"drs:{name}/{rule.name}", name, vms, hosts))
    return tuple(found)


def _members(group: Any) -> frozenset[str]:
    return frozenset(moid_of(ref) for ref in getattr(group, "vm", None) or getattr(group, "host", None) or ())


def bound(rules: tuple[HostRule, ...], hosts: Iterable[Host], vms: Iterable[Vm]) -> tuple[list[Host], list[Vm]]:
    """Hosts and VMs with the tags that the rules come to."""
    tagged = [dataclasses.replace(host, tags=host.tags | {rule.tag for rule in rules if rule.admits(host.id, host.cluster)}) for host in hosts]
    return tagged, [
        dataclasses.replace(vm, required_host_tags=vm.required_host_tags | {rule.tag for rule in rules if vm.id in rule.vms}) if rules else vm for vm in vms
    ]


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
            text = f"DRS of cluster {cluster.name} is fully automated: it may move VMs while a plan is carried out."
            found.append(warning("drs_automated", text, "Set DRS to partially automated for the window.", ("CAS-04",)))
    return tuple(found)
