# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two clusters that share no storage, and two datacenters: VMs go over with all their disks, and cards get the networks of the other side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pyVmomi", reason="pyvmomi is not installed")

from pyVmomi import vim

from tests.integration.modules import Answer, evacuate, evacuate_pools, find_targets, migrate, reason_codes
from tests.labs.vsphere.lab import VsphereLab

if TYPE_CHECKING:
    from tests.labs.kvm.certificates import CertificateAuthority

pytestmark = pytest.mark.vsphere

MAP = {"VM Network": "guests-b"}


@dataclass
class Clusters:
    """Hosts a1 and a2 with datastore ``store-a``, b1 and b2 with ``fast-b`` and ``slow-b``; the clusters' port groups have different names."""

    lab: VsphereLab
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.a1, self.a2, self.b1, self.b2 = self.lab.hosts
        self.lab.add_datastore("store-a", [self.a1, self.a2])
        for name in ("fast-b", "slow-b"):
            self.lab.add_datastore(name, [self.b1, self.b2])
        for host in (self.b1, self.b2):
            self.lab.control("hosts", name=host, networks=["guests-b"])
        self.lab.settings(move_seconds=0.2)

    def site_options(self) -> dict[str, Any]:
        return {**self.lab.module_site(), "profile": "cloudstack_vmware", **self.facts}

    def host(self, vm: str) -> str:
        return str(self.lab.vm(vm).runtime.host.name)

    def disks(self, vm: str) -> list[str]:
        devices = self.lab.vm(vm).config.hardware.device
        return [disk.backing.datastore.name for disk in devices if isinstance(disk, vim.vm.device.VirtualDisk)]

    def networks(self, vm: str) -> list[str]:
        devices = self.lab.vm(vm).config.hardware.device
        return [card.backing.deviceName for card in devices if isinstance(card, vim.vm.device.VirtualEthernetCard)]

    def versions(self) -> list[tuple[str, str]]:
        return sorted((vm.name, vm.config.changeVersion) for vm in self.lab.all_of(vim.VirtualMachine))

    def move(self, vm: str, **options: Any) -> Answer:
        return migrate(self, vm, type="host_storage", **options)  # type: ignore[arg-type]


@pytest.fixture
def clusters(vsphere_authority: CertificateAuthority) -> Iterator[Clusters]:
    with VsphereLab(vsphere_authority, host_count=2, cluster_count=2, shared="") as lab:
        yield Clusters(lab)


@pytest.mark.rule("CSV-11", sign="+")
@pytest.mark.rule("CSV-03", sign="+")
@pytest.mark.rule("CSV-14", sign="+")
def test_a_running_vm_goes_to_the_other_cluster_with_every_disk_where_it_is_mapped(clusters: Clusters) -> None:
    web = clusters.lab.add_vm("web1", clusters.a1, pools=("store-a", "store-a"))
    options = {"target_host": clusters.b1, "volume_pools": {"scsi0:0": "fast-b", "scsi0:1": "slow-b"}, "network_map": MAP}
    before = clusters.versions()
    predicted = clusters.move("web1", check=True, diff=True, **options)
    assert predicted.changed, str(predicted)
    assert clusters.versions() == before
    (planned,) = predicted["migrations"]
    assert [volume["target_pool"] for volume in planned["volumes"]] == ["fast-b", "slow-b"]
    boot = clusters.lab.vm(web).runtime.bootTime
    answer = clusters.move("web1", **options)
    assert not answer.failed, str(answer)
    assert (clusters.host(web), clusters.disks(web), clusters.networks(web)) == (clusters.b1, ["fast-b", "slow-b"], ["guests-b"])
    vm = clusters.lab.vm(web)
    assert (str(vm.runtime.powerState), vm.runtime.bootTime) == ("poweredOn", boot)
    assert vm.resourcePool.owner.name == clusters.lab.host(clusters.b1).parent.name
    assert vm.config.files.vmPathName.startswith("[fast-b]")
    after = clusters.versions()
    assert not clusters.move("web1", **options).changed
    assert clusters.versions() == after


@pytest.mark.rule("CSV-14", sign="+")
@pytest.mark.rule("CSV-16", sign="+")
def test_with_root_alone_mapped_the_other_disk_finds_a_place_in_the_same_cluster(clusters: Clusters) -> None:
    web = clusters.lab.add_vm("web1", clusters.a1, pools=("store-a", "store-a"))
    answer = clusters.move("web1", target_host=clusters.b2, target_pool="slow-b", network_map=MAP)
    assert not answer.failed, str(answer)
    assert clusters.host(web) == clusters.b2
    root, data = clusters.disks(web)
    assert root == "slow-b"
    assert data in ("fast-b", "slow-b")


@pytest.mark.rule("CSV-14", sign="-")
@pytest.mark.rule("CSV-11", sign="-")
@pytest.mark.rule("CSV-16", sign="-")
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"volume_pools": {"scsi0:0": "store-a"}, "network_map": MAP}, "pool_not_on_host"),
        ({"target_pool": "small-b", "single_pool": True, "network_map": MAP}, "insufficient_storage"),
        ({"target_pool": "nowhere", "network_map": MAP}, "pool_unknown"),
        ({"volume_pools": {"scsi9:9": "fast-b"}, "network_map": MAP}, "volume_unknown"),
        ({"target_pool": "fast-b"}, "network_missing"),
        ({"target_pool": "fast-b", "network_map": {"VM Network": "typo"}}, "network_missing"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_changes(clusters: Clusters, options: dict[str, Any], code: str) -> None:
    web = clusters.lab.add_vm("web1", clusters.a1, pools=("store-a", "store-a"))
    clusters.lab.add_datastore("small-b", [clusters.b1, clusters.b2], capacity_gib=3, free_gib=1)
    before = clusters.versions()
    for check in (True, False):
        answer = clusters.move("web1", target_host=clusters.b1, check=check, **options)
        assert answer.failed, str(answer)
        assert code in str(answer), str(answer)
    assert clusters.versions() == before
    assert (clusters.host(web), clusters.disks(web)) == (clusters.a1, ["store-a", "store-a"])


@pytest.mark.rule("CSV-15", sign="+")
@pytest.mark.rule("CSV-07", sign="-")
def test_hosts_of_both_clusters_are_told_with_what_they_ask_for(clusters: Clusters) -> None:
    clusters.lab.add_vm("web1", clusters.a1, pools=("store-a",))
    answer = find_targets(clusters, "web1")  # type: ignore[arg-type]
    told = {entry["host"]: entry for entry in answer["targets"]}
    assert told[clusters.a2]["suitable_for_migration"]
    assert "pool_not_on_host" in reason_codes(told[clusters.b1]["reasons"])
    assert (told[clusters.b1]["cluster"], told[clusters.b1]["zone"]) == ("DC0_C1", "DC0")
    with_storage = find_targets(clusters, "web1", type="host_storage", network_map=MAP)  # type: ignore[arg-type]
    assert {clusters.b1, clusters.b2} <= set(with_storage["suitable_hosts"])


@pytest.mark.rule("CSV-22", sign="-")
@pytest.mark.rule("CSV-23", sign="-")
def test_hosts_without_vmotion_and_of_an_old_release_are_refused(clusters: Clusters) -> None:
    web = clusters.lab.add_vm("web1", clusters.a1, pools=("store-a",))
    clusters.lab.control("hosts", name=clusters.b1, vmotion=False)
    clusters.lab.control("hosts", name=clusters.b2, version="6.5.0")
    for host, code in ((clusters.b1, "vmotion_not_enabled"), (clusters.b2, "hw_version_unsupported")):
        answer = clusters.move("web1", target_host=host, network_map=MAP)
        assert answer.failed
        assert code in str(answer)
    assert clusters.host(web) == clusters.a1


@pytest.mark.rule("CSV-22", sign="+")
def test_a_vm_that_is_off_needs_no_vmotion(clusters: Clusters) -> None:
    web = clusters.lab.add_vm("web1", clusters.a1, pools=("store-a",), powered_on=False)
    clusters.lab.control("hosts", name=clusters.b1, vmotion=False)
    answer = clusters.move("web1", target_host=clusters.b1, mode="offline", network_map=MAP)
    assert not answer.failed, str(answer)
    assert clusters.host(web) == clusters.b1


@pytest.mark.rule("CSV-24", sign="+")
def test_a_cluster_is_left_for_another_one_and_everyone_comes_home(clusters: Clusters) -> None:
    vms = [clusters.lab.add_vm(f"web{number}", clusters.a1, pools=("store-a",)) for number in range(3)]
    options = {"type": "host_storage", "network_map": MAP, "target_hosts": [clusters.b1, clusters.b2]}
    answer = evacuate(clusters, clusters.a1, state="maintenance", **options)  # type: ignore[arg-type]
    assert not answer.failed, str(answer)
    assert {clusters.host(vm) for vm in vms} <= {clusters.b1, clusters.b2}
    assert clusters.lab.host(clusters.a1).runtime.inMaintenanceMode
    assert not evacuate(clusters, clusters.a1, state="available").failed  # type: ignore[arg-type]
    home = evacuate(clusters, clusters.a1, state="returned", type="host_storage", network_map={"guests-b": "VM Network"})  # type: ignore[arg-type]
    assert not home.failed, str(home)
    assert [(clusters.host(vm), clusters.disks(vm), clusters.networks(vm)) for vm in vms] == [(clusters.a1, ["store-a"], ["VM Network"])] * 3


def test_a_card_goes_over_to_a_distributed_port_group(clusters: Clusters) -> None:
    web = clusters.lab.add_vm("web1", clusters.a1, pools=("store-a",))
    options = {"target_host": clusters.a2, "network_map": {"VM Network": "DC0_DVPG0"}}
    answer = migrate(clusters, "web1", **options)  # type: ignore[arg-type]
    assert not answer.failed, str(answer)
    (card,) = [one for one in clusters.lab.vm(web).config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
    group = clusters.lab.named(vim.dvs.DistributedVirtualPortgroup, "DC0_DVPG0")
    assert (card.backing.port.portgroupKey, card.backing.port.switchUuid) == (group.key, group.config.distributedVirtualSwitch.uuid)
    back = migrate(clusters, "web1", target_host=clusters.a1, network_map={"DC0_DVPG0": "VM Network"})  # type: ignore[arg-type]
    assert not back.failed, str(back)
    assert clusters.networks(web) == ["VM Network"]


def pod_of(lab: VsphereLab, name: str, *stores: str) -> None:
    """A datastore cluster with these datastores."""
    members = [lab.named(vim.Datastore, store) for store in stores]
    pod = members[0].parent.CreateStoragePod(name)
    lab.wait(pod.MoveIntoFolder_Task(members))


def test_a_datastore_cluster_stands_for_the_datastore_in_it_with_the_most_room(clusters: Clusters) -> None:
    lab = clusters.lab
    web = lab.add_vm("web1", clusters.a1, pools=("store-a", "store-a"))
    lab.add_datastore("roomy-b", [clusters.b1, clusters.b2], capacity_gib=500, free_gib=499)
    pod_of(lab, "pod-b", "fast-b", "roomy-b")
    options = {"target_host": clusters.b1, "target_pool": "pod-b", "single_pool": True, "network_map": MAP}
    answer = clusters.move("web1", **options)
    assert not answer.failed, str(answer)
    assert clusters.disks(web) == ["fast-b", "fast-b"] or clusters.disks(web) == ["roomy-b", "roomy-b"]
    assert not clusters.move("web1", **options).changed
    emptied = evacuate_pools(clusters, "fast-b", "roomy-b", state="evacuated", target_pools=["slow-b"])  # type: ignore[arg-type]
    assert not emptied.failed, str(emptied)
    assert clusters.disks(web) == ["slow-b", "slow-b"]
    lab.change_datastore("roomy-b", [clusters.b1, clusters.b2], maintenance="inMaintenance")
    back = evacuate_pools(clusters, "slow-b", state="evacuated", target_pools=["pod-b"])  # type: ignore[arg-type]
    assert not back.failed, str(back)
    assert set(clusters.disks(web)) == {"fast-b"}


@pytest.fixture
def datacenters(vsphere_authority: CertificateAuthority) -> Iterator[VsphereLab]:
    """Two datacenters with a datastore of the same name in each."""
    with VsphereLab(vsphere_authority, host_count=1, datacenter_count=2, shared="") as lab:
        for host in lab.hosts:
            lab.add_datastore("store", [host], folder=f"{host}-")
        yield lab


def test_datastores_of_one_name_are_told_apart_and_a_vm_changes_its_datacenter(datacenters: VsphereLab) -> None:
    one, other = datacenters.hosts
    site = Clusters.__new__(Clusters)
    site.lab, site.facts = datacenters, {"profile": "generic"}
    web = datacenters.add_vm("web1", one, pools=("store",))
    options = {"type": "host_storage", "target_host": other, "target_pool": "DC1/store"}
    ambiguous = migrate(site, "web1", **{**options, "target_pool": "store"})  # type: ignore[arg-type]
    assert (ambiguous.failed, ambiguous.code) == (True, "pool_unknown")
    assert "DC1/store" in ambiguous.message
    answer = migrate(site, "web1", scope="site", **options)  # type: ignore[arg-type]
    assert not answer.failed, str(answer)
    vm = datacenters.vm(web)
    assert vm.runtime.host.name == other
    assert vm.parent.parent.name == "DC1"
    assert not migrate(site, "web1", scope="site", **options).changed  # type: ignore[arg-type]
