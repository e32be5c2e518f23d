# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the VM as it is now: its state, what is being done with it, what its operator said of it."""

from __future__ import annotations

from ..model.host import HostState
from ..model.vm import OperationKind, PowerState
from .rule import NOTHING, Case, Finding, Findings, VmCase, lacks
from .software import runs_qemu


def known_in_detail(case: VmCase) -> Findings:
    """With light facts only, disks, NICs, devices and snapshots are not known: no rule may take that for their absence."""
    return NOTHING if case.vm.detailed else lacks(f"site.vms.{case.vm.name}.detailed")


def source_answers(case: VmCase) -> Findings:
    """The source has to send the VM."""
    if case.source is None:
        return lacks(f"site.hosts.{case.vm.host}.state")
    if case.source.state is not HostState.UNREACHABLE:
        return NOTHING
    return (Finding(f"Host {case.vm.host}, where VM {case.vm.name} is, does not answer.", "Bring it back; what is known of the VM is not fresh."),)


def live(case: VmCase) -> Findings:
    """Only a VM that holds memory can move live: running, or paused, which it then stays (PCD-06, CAS-52)."""
    vm = case.vm
    if vm.is_active:
        return NOTHING
    texts = {
        PowerState.SAVED: "is saved to disk",
        PowerState.OFF: "has a saved state on disk (managed save)" if vm.managed_save else "is off",
    }
    hint = "Ask again." if vm.power_state is PowerState.UNKNOWN else "Only running or paused VMs move live; start it first, or leave it."
    return (Finding(f"VM {vm.name} {texts.get(vm.power_state, 'is in a state that its host could not tell')}.", hint),)


def snapshots(case: VmCase) -> Findings:
    """libvirt moves no domain with snapshots, unless its driver takes the definitions off for the way and puts them back; other hypervisors take them along."""
    if case.vm.snapshots <= 0 or case.vm.snapshots_travel or (case.source is not None and case.source.hypervisor and not runs_qemu(case.source)):
        return NOTHING
    count = f"{case.vm.snapshots} snapshot{'s' if case.vm.snapshots > 1 else ''}"
    return (Finding(f"VM {case.vm.name} has {count}, which its hypervisor does not migrate.", "Delete the snapshots, or leave the VM."),)


def checkpoints(case: VmCase) -> Findings:
    """Checkpoints are kept by the source's daemon and do not come along: incremental backups start anew (libvirt: checkpoint XML, migration)."""
    if case.vm.checkpoints <= 0:
        return NOTHING
    text = f"VM {case.vm.name} has {case.vm.checkpoints} backup checkpoint{'s' if case.vm.checkpoints > 1 else ''}, which may not come along."
    return (Finding(text, "Have the backup software make a full backup after the move."),)


def block_job(case: VmCase) -> Findings:
    """A copy, commit or mirror of a disk must end first (libvirt: one job per VM)."""
    if case.vm.operation is not OperationKind.BLOCK_JOB:
        return NOTHING
    return (Finding(f"A block job is active on a disk of VM {case.vm.name}.", "Wait for its end, or abort it."),)


def nothing_else(case: VmCase) -> Findings:
    """One operation per VM (CSH-32)."""
    operation = case.vm.operation
    if operation in (None, OperationKind.BLOCK_JOB):
        return NOTHING
    words = {
        OperationKind.MIGRATION_OUT: f"is being migrated{f' to {case.vm.operation_target}' if case.vm.operation_target else ''}",
        OperationKind.MIGRATION_IN: "is being received by a migration",
        OperationKind.BACKUP: "is being backed up",
    }
    return (Finding(f"VM {case.vm.name} {words.get(operation, 'is busy with another operation')}.", "Wait for its end and run again."),)


def pinned(case: VmCase) -> Findings:
    """The operator said that this VM is never moved."""
    if not case.vm.policy.pinned:
        return NOTHING
    note = f": {case.vm.policy.note}" if case.vm.policy.note else ""
    return (Finding(f"VM {case.vm.name} is pinned to its host{note}.", f"Take policy.pinned from site.vms.{case.vm.name}, if that no longer holds."),)


def only_one(case: VmCase) -> Findings:
    """A VM that is defined on several hosts is in danger of running twice (OpenNebula 3582)."""
    if not case.vm.also_on:
        return NOTHING
    text = f"VM {case.vm.name} ({case.vm.id}) is defined on host {', '.join(sorted(case.vm.also_on))} too."
    return (Finding(text, "Find out which one is right, and undefine the other."),)


def surely_only_one(case: VmCase) -> Findings:
    """A host that does not answer might have the VM as well."""
    if not case.vm.uniqueness_unproven_on:
        return NOTHING
    text = f"Whether VM {case.vm.name} is also on host {', '.join(sorted(case.vm.uniqueness_unproven_on))} could not be asked."
    return (Finding(text, "Make sure that it does not run there."),)


def name_free(case: Case) -> Findings:
    """Another VM of the same name on the destination makes the hypervisor refuse (names are unique per host in libvirt, and nowhere else)."""
    if case.vm.name not in case.planned.repeated_names or (case.host.hypervisor and not runs_qemu(case.host)):
        return NOTHING
    others = [vm.id for vm in case.planned.vms_on(case.host.name) if vm.name == case.vm.name and vm.id != case.vm.id]
    if not others:
        return NOTHING
    text = f"Host {case.host.name} has another VM named {case.vm.name} ({', '.join(sorted(others))})."
    return (Finding(text, "Rename one of them, or choose another target."),)
