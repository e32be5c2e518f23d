# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which VMs may go to which hosts, as the documents have it: managers, system VMs, scope, virtual hardware, vMotion, capacity."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostNetwork
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import PoolScope
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, PowerState, Vm, VmKind
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets
from ansible_collections.vmops.migration.plugins.module_utils.rules.evaluate import evaluate
from ansible_collections.vmops.migration.plugins.module_utils.rules.managers import MANAGERS
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite
from ansible_collections.vmops.migration.plugins.module_utils.rules.rule import Profile
from ansible_collections.vmops.migration.plugins.module_utils.rules.system_vm import judge_kind

from tests.unit.rules.world import host, reasons, site, web, with_source

SYSTEM_KINDS = [kind for kind in VmKind if kind is not VmKind.USER]
ALLOW_MANAGED = frozenset({"allow_managed"})


def codes(world: Site) -> set[str]:
    return set(reasons(world))


def esxi(source: str, target: str, hardware: int | None, **facts: object) -> Site:
    """A site of two ESXi hosts of these releases with vMotion, and a VM of that virtual hardware."""
    usual: dict[str, object] = {"hypervisor": "esxi", "has_vmotion": True}
    world = site(host("kvm2", **(usual | {"hypervisor_version": target} | facts)), vm=web(hardware_version=hardware))
    return with_source(world, **(usual | {"hypervisor_version": source}))


# ------------------------------------------------------------ other managers


@pytest.mark.parametrize("manager", [*MANAGERS, "somebody-else"])
@pytest.mark.parametrize("profile", list(Profile))
def test_a_vm_of_another_manager_is_refused_until_the_operator_consents(manager: str, profile: str) -> None:
    world = site(vm=web(managed_by=manager), profile=profile)
    reason = reasons(world)["managed_by_other"]
    assert reason.blocks
    assert reason.overridable == "allow_managed"
    assert MANAGERS.get(manager, (manager,))[0] in reason.message
    assert not reasons(world, consents=ALLOW_MANAGED)["managed_by_other"].blocks


def test_a_vm_that_nobody_else_manages_is_free() -> None:
    assert "managed_by_other" not in codes(site())


def test_backup_checkpoints_are_warned_of() -> None:
    reason = reasons(site(vm=web(checkpoints=2)))["has_checkpoints"]
    assert not reason.blocks
    assert "2 backup checkpoints" in reason.message
    assert "has_checkpoints" not in codes(site())


# ------------------------------------------------------------ system VMs


@pytest.mark.rule("CSV-21", sign="+")
@pytest.mark.parametrize("kind", SYSTEM_KINDS)
def test_each_kind_of_system_vm_is_known(kind: VmKind) -> None:
    vm = web(kind=kind)
    assert judge_kind(vm, Intent(), system_wanted=True) == ()
    assert judge_kind(vm, Intent(allow_system_vm=True), system_wanted=False) == ()
    assert judge_kind(web(), Intent(), system_wanted=False) == ()


@pytest.mark.rule("CSV-21", sign="-")
@pytest.mark.parametrize("kind", SYSTEM_KINDS)
def test_each_request_is_for_its_own_sort_of_vm(kind: VmKind) -> None:
    (users,) = judge_kind(web(), Intent(allow_system_vm=True), system_wanted=True)
    assert users.code == "not_a_system_vm"
    assert users.blocks
    assert not users.overridable
    (system,) = judge_kind(web(kind=kind), Intent(), system_wanted=False)
    assert (system.code, system.overridable) == ("system_vm", "allow_system_vm")


# ------------------------------------------------------------ scope


@pytest.mark.rule("CSV-06", sign="-")
@pytest.mark.rule("CSV-07", sign="-")
def test_without_storage_motion_candidates_are_those_of_the_cluster() -> None:
    reason = reasons(site(host("kvm2", cluster="c2"), profile="cloudstack_kvm"))["cluster_mismatch"]
    assert reason.blocks
    assert not reason.overridable
    assert "cluster c1" in reason.message


@pytest.mark.rule("CSK-05", sign="-")
@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.SUSPENDED])
def test_on_kvm_no_vm_leaves_its_cluster_with_its_storage_while_it_is_in_memory(mode: Mode) -> None:
    assert "cluster_mismatch" in asked_of_kvm(web(), MigrationType.HOST_STORAGE, mode)


@pytest.mark.rule("CSK-05", sign="+")
def test_on_kvm_a_vm_that_is_off_or_stopped_leaves_its_cluster() -> None:
    off = web(power_state=PowerState.OFF)
    assert "cluster_mismatch" not in asked_of_kvm(off, MigrationType.HOST_STORAGE, Mode.OFFLINE)
    assert "cluster_mismatch" not in asked_of_kvm(web(), MigrationType.HOST_STORAGE, Mode.COLD)


@pytest.mark.rule("CSV-07", sign="+")
def test_on_kvm_a_host_of_another_cluster_is_fine_where_the_zone_shares_the_disks() -> None:
    assert "cluster_mismatch" not in asked_of_kvm(web(), MigrationType.HOST, Mode.LIVE, PoolScope.ZONE)
    assert "cluster_mismatch" in asked_of_kvm(web(), MigrationType.HOST_STORAGE, Mode.LIVE, PoolScope.ZONE)
    assert "cluster_mismatch" in asked_of_kvm(web(), MigrationType.HOST, Mode.LIVE, PoolScope.CLUSTER)


def asked_of_kvm(subject: Vm, kind: MigrationType, mode: Mode, scope: PoolScope = PoolScope.CLUSTER) -> set[str]:
    """What forbids that move of the VM to another cluster."""
    world = site(host("kvm2", cluster="c2"), subject, profile="cloudstack_kvm")
    world = dataclasses.replace(world, pools=(dataclasses.replace(world.pools[0], scope=scope), *world.pools[1:]))
    found = evaluate(PlannedSite(world), subject, world.hosts[1], world.profile, intent=Intent(type=kind, mode=mode))
    return {reason.code for reason in blocking(found)}


@pytest.mark.rule("CSV-06", sign="+")
@pytest.mark.rule("CSV-07", sign="+")
@pytest.mark.parametrize("profile", ["generic", "cloudstack_vmware", "cloudstack_hyperv", "cas"])
def test_users_vms_may_go_to_other_clusters_and_pods_of_the_zone(profile: str) -> None:
    assert codes(site(host("kvm2", cluster="c2", pod="p2"), profile=profile)) <= {"fact_unknown"}


@pytest.mark.rule("CSV-06", sign="-")
@pytest.mark.parametrize("profile", ["cloudstack_kvm", "cloudstack_vmware", "cloudstack_hyperv"])
def test_no_move_leads_out_of_the_zone(profile: str) -> None:
    assert reasons(site(host("kvm2", zone="z2"), profile=profile))["zone_mismatch"].blocks
    assert "zone_mismatch" not in codes(site(profile=profile))


def test_a_cluster_that_nobody_knows_is_told() -> None:
    for world in (site(host("kvm2", cluster=""), profile="cloudstack_kvm"), with_source(site(profile="cloudstack_kvm"), cluster="")):
        assert "cluster is not known" in reasons(world)["fact_unknown"].message


@pytest.mark.rule("CAS-20", sign="-")
def test_a_kubernetes_node_stays_in_its_cluster() -> None:
    world = site(host("kvm2", cluster="c2"), vm=web(labels=frozenset({"kubernetes_node"})), profile="cas")
    assert reasons(world)["k8s_node_cross_cluster"].blocks


@pytest.mark.rule("CAS-20", sign="+")
def test_a_kubernetes_node_moves_within_its_cluster() -> None:
    assert "k8s_node_cross_cluster" not in codes(site(vm=web(labels=frozenset({"kubernetes_node"})), profile="cas"))


# ------------------------------------------------------------ vSphere


@pytest.mark.rule("CSV-23", sign="-")
@pytest.mark.parametrize(("target", "hardware"), [("6.5", 14), ("6.5.0", 14), ("6.0", 13), ("7.0.3", 20), ("8.0.2", 22)])
def test_hardware_that_is_newer_than_the_host_understands_is_refused(target: str, hardware: int) -> None:
    reason = reasons(esxi("8.0.3", target, hardware))["hw_version_unsupported"]
    assert reason.blocks
    assert f"vmx-{hardware}" in reason.message


@pytest.mark.rule("CSV-23", sign="+")
@pytest.mark.parametrize(("target", "hardware"), [("6.5", 13), ("6.7", 14), ("7.0.3", 17), ("7", 17), ("8.0.2", 20)])
def test_hardware_that_the_host_understands_is_no_obstacle(target: str, hardware: int) -> None:
    found = reasons(esxi(target, target, hardware))
    assert set(found) == set()


def test_the_hosts_own_word_on_hardware_counts_more_than_its_release() -> None:
    assert "hw_version_unsupported" in codes(esxi("6.7", "6.7", 15, max_hardware_version=14))
    assert "hw_version_unsupported" not in codes(esxi("6.7", "6.7", 15, max_hardware_version=15))


@pytest.mark.parametrize(
    ("world", "fact"),
    [
        (esxi("7.0", "7.0", 18), "site.hosts.kvm2.max_hardware_version"),
        (esxi("9.9", "9.9", 18), "site.hosts.kvm2.max_hardware_version"),
        (esxi("7.0", "7.0", None), "site.vms.web.hardware_version"),
        (esxi("7.0", "7.0", 17, has_vmotion=None), "site.hosts.kvm2.has_vmotion"),
    ],
)
def test_what_is_not_known_of_vsphere_is_asked_for(world: Site, fact: str) -> None:
    reason = reasons(world)["fact_unknown"]
    assert fact in reason.message
    assert f"Give it as {fact}" in reason.hint


@pytest.mark.parametrize("profile", list(Profile))
def test_hosts_without_esxi_are_asked_nothing_about_it(profile: str) -> None:
    assert codes(site(profile=profile)) == set()


@pytest.mark.rule("CSV-22", sign="-")
def test_vmotion_must_be_enabled_on_both_ends() -> None:
    assert "kvm2" in reasons(esxi("7.0", "7.0", 17, has_vmotion=False))["vmotion_not_enabled"].message
    source = with_source(esxi("7.0", "7.0", 17), hypervisor="esxi", hypervisor_version="7.0", has_vmotion=False)
    assert "kvm1" in reasons(source)["vmotion_not_enabled"].message
    assert reasons(source)["vmotion_not_enabled"].blocks


@pytest.mark.rule("CSV-22", sign="+")
def test_vmotion_is_needed_for_running_vms_only() -> None:
    assert "vmotion_not_enabled" not in codes(esxi("7.0", "7.0", 17))
    off = site(host("kvm2", hypervisor="esxi", has_vmotion=False), vm=web(power_state=PowerState.OFF))
    assert "vmotion_not_enabled" not in codes(off)
    cold = esxi("7.0", "7.0", 17, has_vmotion=False)
    for mode, asked in ((Mode.COLD, False), (Mode.LIVE, True)):
        found = evaluate(PlannedSite(cold), cold.vms[0], cold.hosts[1], cold.profile, intent=Intent(mode=mode))
        assert ("vmotion_not_enabled" in {reason.code for reason in found}) is asked


# ------------------------------------------------------------ Hyper-V


def hyperv(source: str, target: str, profile: str = "cloudstack_hyperv") -> Site:
    world = site(host("kvm2", hypervisor="hyperv", hypervisor_version=target), profile=profile)
    return with_source(world, hypervisor="hyperv", hypervisor_version=source)


@pytest.mark.rule("CSH-27", sign="-")
@pytest.mark.parametrize(("source", "target", "named"), [("6.2.9200", "6.3.9600", "kvm1"), ("6.3.9600", "6.2.9200", "kvm2")])
def test_hyperv_before_2012_r2_is_refused(source: str, target: str, named: str) -> None:
    reason = reasons(hyperv(source, target))["hypervisor_too_old"]
    assert reason.blocks
    assert named in reason.message


@pytest.mark.rule("CSH-27", sign="+")
@pytest.mark.parametrize("version", ["6.3.9600", "10.0.17763"])
def test_hyperv_2012_r2_and_later_is_taken(version: str) -> None:
    assert codes(hyperv(version, version)) == set()
    assert "hypervisor_too_old" not in codes(site(host("kvm2", hypervisor_version="6.2"), profile="cloudstack_hyperv"))


@pytest.mark.rule("CSH-32", sign="-")
@pytest.mark.parametrize("operation", [OperationKind.MIGRATION_OUT, OperationKind.MIGRATION_IN, OperationKind.BACKUP, OperationKind.OTHER])
def test_a_vm_in_an_operation_is_left_alone(operation: OperationKind) -> None:
    assert reasons(site(vm=web(operation=operation), profile="cloudstack_hyperv"))["operation_in_progress"].blocks


@pytest.mark.rule("CSH-32", sign="+")
def test_a_vm_in_no_operation_is_free() -> None:
    assert codes(site(profile="cloudstack_hyperv")) == set()


# ------------------------------------------------------------ capacity


@pytest.mark.rule("CAS-15", sign="-")
@pytest.mark.parametrize("profile", ["cas", "cloudstack_kvm", "cloudstack_vmware", "cloudstack_hyperv"])
def test_a_host_with_fewer_cpus_than_the_vm_is_refused(profile: str) -> None:
    reason = reasons(site(vm=web(vcpus=17), profile=profile))["insufficient_cpu"]
    assert reason.blocks
    assert not reason.overridable
    assert "insufficient_cpu" not in codes(site(vm=web(vcpus=17)))
    assert "cpu_count" in reasons(site(host("kvm2", cpu_count=None), profile=profile))["fact_unknown"].message


@pytest.mark.rule("CAS-15", sign="-")
def test_a_vm_that_is_off_needs_its_memory_too_when_it_is_to_be_started() -> None:
    off = web(power_state=PowerState.OFF, memory_mib=16385)
    assert reasons(site(vm=off, profile="cas"))["insufficient_memory_to_start"].overridable == "allow_insufficient_capacity"
    warned = reasons(site(vm=off))["insufficient_memory_to_start"]
    assert not warned.blocks


@pytest.mark.rule("CAS-15", sign="+")
def test_room_that_just_suffices_is_enough() -> None:
    off = web(power_state=PowerState.OFF, memory_mib=16384)
    assert "insufficient_memory_to_start" not in codes(site(vm=off, profile="cas"))
    assert codes(site(vm=web(vcpus=16, memory_mib=16384), profile="cas")) == set()


@pytest.mark.rule("CAS-18", sign="-")
def test_a_vm_that_is_defined_twice_is_refused() -> None:
    assert reasons(site(vm=web(also_on=("kvm3",)), profile="cas"))["also_defined_elsewhere"].blocks


# ------------------------------------------------------------ networks


def on_kvm2(network_map: dict[str, str], **facts: object) -> tuple[bool, set[str]]:
    """Whether kvm2, which has the networks dmz and store (ovs) only, suits the VM with that map, and the codes of all reasons."""
    world = site(host("kvm2", networks=(HostNetwork("dmz"), HostNetwork("store", "ovs"))), profile="cas", **facts)
    request = PlanRequest(("id-web",), target_hosts=frozenset({"kvm2"}), intent=Intent(network_map=network_map))
    (target,) = find_targets(world, world.vms[0], request)
    return target.suitable_for_migration, {reason.code for reason in target.reasons}


@pytest.mark.rule("CAS-32", sign="+")
def test_a_network_map_finds_every_nic_its_network() -> None:
    suits, found = on_kvm2({"lan": "dmz"})
    assert suits
    assert not found & {"network_missing", "network_type_mismatch"}


def test_esxi_attaches_a_card_that_is_mapped_to_a_port_group_of_any_kind() -> None:
    world = site(host("kvm2", hypervisor="esxi", networks=(HostNetwork("lan", "dvs"), HostNetwork("store", "dvs"))))
    for network_map, differs in (({"lan": "store"}, False), ({}, True)):
        request = PlanRequest(("id-web",), target_hosts=frozenset({"kvm2"}), intent=Intent(network_map=network_map))
        (target,) = find_targets(world, world.vms[0], request)
        assert ("network_type_mismatch" in {reason.code for reason in target.reasons}) is differs


@pytest.mark.rule("CAS-32", sign="-")
@pytest.mark.parametrize(
    ("network_map", "code"),
    [({}, "network_missing"), ({"lan": "nowhere"}, "network_missing"), ({"wan": "dmz"}, "network_missing"), ({"lan": "store"}, "network_type_mismatch")],
)
def test_a_network_map_must_lead_to_a_network_of_the_same_type(network_map: dict[str, str], code: str) -> None:
    suits, found = on_kvm2(network_map)
    assert not suits
    assert code in found
