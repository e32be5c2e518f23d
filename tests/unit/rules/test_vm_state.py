# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the VM as it is now: state, devices, operations, duplicates, policy."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Nic, OperationKind, PowerState, Vm, VmKind, VmPolicy
from ansible_collections.vmops.migration.plugins.module_utils.rules.rule import Level, Profile, Setting
from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK

from tests.unit.rules.world import host, reasons, site, web, with_source


@pytest.mark.rule("CAS-52", sign="-")
@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"power_state": PowerState.OFF}, "is off"),
        ({"power_state": PowerState.OFF, "managed_save": True}, "managed save"),
        ({"power_state": PowerState.SAVED}, "saved to disk"),
        ({"power_state": PowerState.UNKNOWN}, "could not tell"),
    ],
)
def test_only_what_holds_memory_moves_live(facts: dict[str, object], said: str) -> None:
    reason = reasons(site(vm=web(**facts)))["power_state"]
    assert reason.blocks
    assert said in reason.message


@pytest.mark.rule("CAS-52", sign="+")
@pytest.mark.parametrize("state", [PowerState.RUNNING, PowerState.PAUSED])
def test_running_and_paused_vms_may_move(state: PowerState) -> None:
    assert reasons(site(vm=web(power_state=state))) == {}


def test_snapshots_whose_definitions_come_along_hold_no_vm_back() -> None:
    assert reasons(site(vm=web(snapshots=2, snapshots_travel=True))) == {}


@pytest.mark.parametrize(
    ("facts", "code", "said"),
    [
        ({"snapshots": 1}, "has_snapshots", "1 snapshot,"),
        ({"snapshots": 3}, "has_snapshots", "3 snapshots"),
        ({"host_devices": ("pci 0000:3b:00.0",)}, "host_device", "pci 0000:3b:00.0"),
        ({"nics": (Nic("52:54:00:00:00:01", "", "hostdev"),)}, "host_device", "NIC 52:54:00:00:00:01"),
        ({"operation": OperationKind.BLOCK_JOB}, "block_job_active", "block job"),
        ({"operation": OperationKind.BACKUP}, "operation_in_progress", "backed up"),
        ({"operation": OperationKind.MIGRATION_OUT, "operation_target": "kvm7"}, "operation_in_progress", "migrated to kvm7"),
        ({"operation": OperationKind.MIGRATION_IN}, "operation_in_progress", "received"),
        ({"operation": OperationKind.OTHER}, "operation_in_progress", "another operation"),
        ({"policy": VmPolicy(pinned=True, note="licence")}, "pinned", "licence"),
        ({"also_on": ("kvm7",)}, "also_defined_elsewhere", "kvm7"),
    ],
)
def test_what_keeps_a_vm_where_it_is(facts: dict[str, object], code: str, said: str) -> None:
    reason = reasons(site(vm=web(**facts)))[code]
    assert reason.blocks
    assert not reason.overridable
    assert said in reason.message
    assert reason.hint


@pytest.mark.parametrize("hypervisor", ["esxi", "hyperv"])
def test_other_hypervisors_than_qemu_take_snapshots_along(hypervisor: str) -> None:
    assert "has_snapshots" not in reasons(with_source(site(vm=web(snapshots=1)), hypervisor=hypervisor))
    assert "has_snapshots" in reasons(with_source(site(vm=web(snapshots=1)), hypervisor="KVM"))


def test_each_operation_has_one_reason() -> None:
    assert "operation_in_progress" not in reasons(site(vm=web(operation=OperationKind.BLOCK_JOB)))
    assert "block_job_active" not in reasons(site(vm=web(operation=OperationKind.BACKUP)))


def test_a_silent_host_makes_uniqueness_a_matter_of_doubt_only() -> None:
    reason = reasons(site(vm=web(uniqueness_unproven_on=("kvm9",))))["uniqueness_unproven"]
    assert not reason.blocks
    assert "kvm9" in reason.message


def test_light_facts_are_not_taken_for_the_absence_of_obstacles() -> None:
    reason = reasons(site(vm=web(detailed=False)))["fact_unknown"]
    assert reason.message.startswith("The rule known_in_detail could not judge: site.vms.web.detailed")
    assert not reason.blocks


def test_what_is_only_not_known_is_a_warning_in_every_profile() -> None:
    row = next(rule for rule in RULEBOOK if rule.name == "known_in_detail")
    assert all(row.setting(profile) == Setting(Level.SOFT) for profile in Profile)


def test_a_source_that_does_not_answer_cannot_send() -> None:
    reason = reasons(with_source(site(), state=HostState.UNREACHABLE))["host_unreachable"]
    assert reason.message.startswith("Host kvm1")
    assert reason.blocks


def test_a_name_that_is_taken_on_the_destination_is_refused() -> None:
    twin = Vm("id-twin", "web", "kvm2", memory_mib=512, power_state=PowerState.OFF)
    reason = reasons(site(vms=(web(), twin)))["name_taken"]
    assert "id-twin" in reason.message
    assert reason.blocks
    elsewhere = Vm("id-twin", "web", "kvm3", memory_mib=512)
    assert "name_taken" not in reasons(site(host("kvm2", hypervisor="esxi"), vms=(web(), dataclasses.replace(elsewhere, host="kvm2"))))
    assert "name_taken" not in reasons(site(vms=(web(), elsewhere), hosts=(host("kvm1"), host("kvm2"), host("kvm3"))))


@pytest.mark.rule("CSV-06", sign="-")
@pytest.mark.rule("CSV-09", sign="-")
@pytest.mark.rule("CSV-10", sign="-")
@pytest.mark.parametrize("kind", [kind for kind in VmKind if kind is not VmKind.USER])
@pytest.mark.parametrize("profile", ["generic", "cloudstack_kvm", "cloudstack_vmware", "cloudstack_hyperv", "pcd", "cas"])
def test_a_system_vm_never_leaves_its_pod(kind: VmKind, profile: str) -> None:
    everything = frozenset({"allow_soft_affinity", "allow_os_upgrade", "allow_older_hypervisor", "allow_unproven_sharing"})
    world = site(host("kvm2", pod="p2"), vm=web(kind=kind), profile=profile)
    assert reasons(world, consents=everything)["system_vm_pod_mismatch"].blocks


@pytest.mark.rule("CSV-09", sign="+")
def test_a_system_vm_may_go_to_another_cluster_of_its_pod() -> None:
    assert reasons(site(host("kvm2", cluster="c2"), vm=web(kind=VmKind.ROUTER))) == {}


@pytest.mark.rule("CSV-10", sign="+")
def test_a_users_vm_may_go_to_another_pod_and_an_unknown_pod_is_told() -> None:
    assert reasons(site(host("kvm2", pod="p2"))) == {}
    assert "site.hosts.kvm2.pod" in reasons(site(host("kvm2", pod=""), vm=web(kind=VmKind.ROUTER)))["fact_unknown"].message
    assert "site.hosts.kvm1.pod" in reasons(with_source(site(vm=web(kind=VmKind.ROUTER)), pod=""))["fact_unknown"].message


@pytest.mark.rule("CSH-18", sign="+")
@pytest.mark.rule("CSH-18", sign="-")
def test_required_tags_must_be_offered() -> None:
    tagged = web(required_host_tags=frozenset({"ssd", "gpu"}))
    reason = reasons(site(host("kvm2", tags=frozenset({"ssd"})), vm=tagged))["host_tag_mismatch"]
    assert reason.message.endswith("does not carry: gpu.")
    assert reason.blocks
    assert "host_tag_mismatch" not in reasons(site(host("kvm2", tags=frozenset({"ssd", "gpu", "x"})), vm=tagged))
