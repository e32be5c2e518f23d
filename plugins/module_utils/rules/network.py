# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about networks: every NIC must find its network on the destination."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..model.vm import Nic, Vm, attached
from .rule import Case, Finding, Findings, lacks
from .vsphere import ESXI

# A user-mode NIC needs no network of the host; a passed-through one is a host device and has its own rule.
_NEEDS_NONE = ("user", "hostdev")
# How these are attached is not told by a network's name, so presence cannot be judged from facts.
_NOT_JUDGED = ("vhostuser",)


def _wanted(case: Case) -> list[Nic]:
    return [nic for nic in case.vm.nics if nic.kind not in _NEEDS_NONE + _NOT_JUDGED]


def with_networks(vm: Vm, network_map: Mapping[str, str]) -> Vm:
    """The VM as it would be attached on the destination: each NIC's network by the operator's map, where that names it (CAS-32)."""
    if not any(nic.network in network_map for nic in vm.nics):
        return vm
    return dataclasses.replace(vm, nics=attached(vm.nics, network_map))


def mapped_networks(vm: Vm, network_map: Mapping[str, str]) -> dict[str, str]:
    """The part of the operator's map that says something of this VM: networks of its cards that have another name at the destination."""
    used = {nic.network for nic in vm.nics}
    return {source: target for source, target in sorted(network_map.items()) if source in used and source != target}


def present(case: Case) -> Findings:
    """The network of every NIC must be there (CAS-32; community.vmware 1289: per NIC)."""
    unjudged = [nic for nic in case.vm.nics if nic.kind in _NOT_JUDGED]
    found = [Finding("", unknown=f"site.vms.{case.vm.name}.nics.{nic.mac}.network") for nic in unjudged]
    wanted = _wanted(case)
    if not wanted:
        return tuple(found)
    if case.host.networks is None:
        return (*found, *lacks(f"site.hosts.{case.host.name}.networks"))
    names = {network.name for network in case.host.networks}
    found += [
        Finding(
            f"Host {case.host.name} has no network {nic.network}, which NIC {nic.mac} of VM {case.vm.name} is attached to.",
            f"Create {nic.network} on {case.host.name}, or choose another target.",
        )
        for nic in wanted
        if nic.network not in names
    ]
    return tuple(found)


def _is_attached_anew(case: Case, nic: Nic) -> bool:
    """ESXi attaches a card that is mapped to whatever has that name, a port group of the host or of a distributed switch; libvirt keeps the kind."""
    return case.host.hypervisor == ESXI and nic.network in case.intent.network_map.values()


def same_type(case: Case) -> Findings:
    """A network of the same name must be of the same type, or the NIC cannot be attached (CAS-32)."""
    kinds: dict[str, set[str]] = {}
    for network in case.host.networks or ():
        kinds.setdefault(network.name, set()).add(network.kind)
    return tuple(
        Finding(
            f"Network {nic.network} is of type {' and '.join(sorted(kinds[nic.network]))} on host {case.host.name}; "
            f"NIC {nic.mac} of VM {case.vm.name} needs {nic.kind}.",
            f"Make {nic.network} a {nic.kind} on {case.host.name}, or choose another target.",
        )
        for nic in _wanted(case)
        if nic.network in kinds and nic.kind not in kinds[nic.network] and not _is_attached_anew(case, nic)
    )
