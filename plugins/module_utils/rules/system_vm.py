# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about system VMs (secondary storage, console proxy, router, load balancer): their pod, and which request is for them."""

from __future__ import annotations

from ..model.intent import Intent
from ..model.reason import Reason, Severity, hard
from ..model.vm import Vm
from .rule import NOTHING, Case, Finding, Findings, lacks


def same_pod(case: Case) -> Findings:
    """A system VM has an address of its pod's range and stays in its pod; no option overrides that (CSV-09, CSV-10)."""
    vm, host = case.vm, case.host
    if not vm.is_system:
        return NOTHING
    if case.source is None or not case.source.pod:
        return lacks(f"site.hosts.{vm.host}.pod")
    if not host.pod:
        return lacks(f"site.hosts.{host.name}.pod")
    if case.source.pod == host.pod:
        return NOTHING
    text = f"System VM {vm.name} ({vm.kind.value}) belongs to pod {case.source.pod}; host {host.name} is in pod {host.pod}."
    return (Finding(text, f"Choose a host of pod {case.source.pod}."),)


def judge_kind(vm: Vm, intent: Intent, *, system_wanted: bool) -> tuple[Reason, ...]:
    """Reasons that the request is for the other sort of VM (CSV-21): system VMs have a module of their own, users' VMs are none of its business."""
    if system_wanted and not vm.is_system:
        text = f"VM {vm.name} is no system VM (secondary storage, console proxy, router, load balancer)."
        return (hard("not_a_system_vm", text, f"Use vm_migrate, or give its kind as site.vms.{vm.name}.kind.", ("CSV-21",)),)
    if system_wanted or not vm.is_system or intent.allow_system_vm:
        return ()
    text = f"VM {vm.name} is a system VM ({vm.kind.value})."
    return (Reason("system_vm", Severity.SOFT, text, "Use systemvm_migrate, or give allow_system_vm.", "allow_system_vm", ("CSV-21",)),)
