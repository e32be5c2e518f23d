# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about who may be with whom: affinity, anti-affinity and host tags, judged on planned states (CloudStack PR 14108)."""

from __future__ import annotations

from ..model.vm import AffinityGroup, AffinityKind
from .rule import NOTHING, Case, Finding, Findings


def together(case: Case, *, required: bool) -> Findings:
    """An affinity group stays on one host. Members that are to leave the same host with this VM do not hold it back."""
    groups = _groups(case, AffinityKind.AFFINITY, required=required)
    return tuple(finding for group in groups for finding in _together(case, group))


def apart(case: Case, *, required: bool) -> Findings:
    """Members of an anti-affinity group run on different hosts, at every moment: a move under way counts on both ends."""
    groups = _groups(case, AffinityKind.ANTI_AFFINITY, required=required)
    return tuple(finding for group in groups for finding in _apart(case, group))


def tags(case: Case) -> Findings:
    """The destination must carry every tag that the VM requires (CSH-18)."""
    missing = sorted(case.vm.required_host_tags - case.host.tags)
    if not missing:
        return NOTHING
    text = f"VM {case.vm.name} requires host tags that host {case.host.name} does not carry: {', '.join(missing)}."
    return (Finding(text, f"Tag the host (site.hosts.{case.host.name}.tags), or choose another target."),)


def _groups(case: Case, kind: AffinityKind, *, required: bool) -> list[AffinityGroup]:
    found = case.planned.site.groups_by_vm.get(case.vm.id)
    if not found:
        return []
    return sorted((group for group in found if group.kind is kind and group.required is required), key=lambda group: group.name)


def _together(case: Case, group: AffinityGroup) -> Findings:
    planned, vm = case.planned, case.vm
    elsewhere: dict[str, str] = {}
    for other in sorted(group.vms - {vm.id}):
        member = planned.site.vm_by_id.get(other)
        if member is None or not member.is_active or case.host.name in planned.hosts_of(other):
            continue
        host = planned.hosts_of(other)[-1]
        undecided = other in planned.moving and len(planned.hosts_of(other)) == 1
        follows = undecided and (host == vm.host or host in planned.leaving)
        if not follows:
            elsewhere[member.name] = host
    if not elsewhere:
        return NOTHING
    named = ", ".join(f"{name} on {host}" for name, host in elsewhere.items())
    text = f"Affinity group {group.name} keeps VM {vm.name} together with {named}; host {case.host.name} would part them."
    return (Finding(text, "Move the group as a whole, or choose the host where the others are."),)


def _apart(case: Case, group: AffinityGroup) -> Findings:
    planned, vm = case.planned, case.vm
    there = (planned.active_ids_on(case.host.name) & group.vms) - {vm.id}
    if not there:
        return NOTHING
    named = ", ".join(sorted(planned.site.vm_by_id[other].name for other in there))
    text = f"Anti-affinity group {group.name} keeps VM {vm.name} apart from {named} on host {case.host.name}."
    return (Finding(text, "Choose a host without a member of the group."),)
