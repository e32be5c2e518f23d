# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about processor and machine type: can the guest go on with the same virtual hardware."""

from __future__ import annotations

from .rule import NOTHING, Case, Finding, Findings, lacks
from .software import runs_qemu

_ALIASES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}


def _architecture(name: str) -> str:
    return _ALIASES.get(name.lower(), name.lower())


def architecture(case: Case) -> Findings:
    """A VM does not move between hosts of unlike architecture, live or cold (CAS-23). Where the source's is unknown, the VM's own is compared."""
    vm, host = case.vm, case.host
    own = (case.source.architecture if case.source else None) or vm.architecture
    if host.architecture is None:
        return lacks(f"site.hosts.{host.name}.architecture")
    if own is None:
        return lacks(f"site.hosts.{vm.host}.architecture")
    if _architecture(own) == _architecture(host.architecture):
        return NOTHING
    return (Finding(f"VM {vm.name} runs on {own}, host {host.name} is {host.architecture}.", f"Choose a host whose architecture is {own}."),)


def features(case: Case) -> Findings:
    """The destination's processor must have every feature that the guest sees (PCD-09; kubevirt 12519: name the missing ones)."""
    vm, host = case.vm, case.host
    if vm.required_cpu_features is None:
        return lacks(f"site.vms.{vm.name}.required_cpu_features")
    if not vm.required_cpu_features:
        return NOTHING
    if host.cpu_features is None:
        return lacks(f"site.hosts.{host.name}.cpu_features")
    missing = sorted(vm.required_cpu_features - host.cpu_features)
    if not missing:
        return NOTHING
    return (
        Finding(
            f"The processor of host {host.name}{f' ({host.cpu_model})' if host.cpu_model else ''} lacks features that VM {vm.name} sees: {', '.join(missing)}.",
            "Choose a host that has them, or give the VM a CPU model that all hosts offer and restart it.",
        ),
    )


def machine_type(case: Case) -> Findings:
    """The destination's emulator must know the VM's machine type (webvirtcloud 465). Other hypervisors than QEMU know no such thing."""
    vm, host = case.vm, case.host
    if host.hypervisor and not runs_qemu(host):
        return NOTHING
    if vm.machine_type is None:
        return lacks(f"site.vms.{vm.name}.machine_type")
    if host.machine_types is None:
        return lacks(f"site.hosts.{host.name}.machine_types")
    if vm.machine_type in host.machine_types:
        return NOTHING
    return (Finding(f"Host {host.name} does not offer the machine type {vm.machine_type} of VM {vm.name}.", f"Upgrade the hypervisor of {host.name}."),)
