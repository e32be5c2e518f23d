# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudStack on KVM: live moves of a VM with its storage, from NFS to NFS, to another host of the same cluster."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState
from ansible_collections.vmops.migration.plugins.module_utils.planning.copying import Backing, backing_of

from tests.unit.rules.storage_world import ONLINE, data, mapped, refusals, root, site, stopped, storage_only, vm, with_storage

KVM = "cloudstack_kvm"


@pytest.mark.rule("CSK-01", sign="+")
@pytest.mark.rule("CSK-02", sign="+")
@pytest.mark.rule("CSK-03", sign="+")
def test_from_nfs_to_nfs_of_another_host_in_the_cluster() -> None:
    found = mapped(site(vm(root(), data()), KVM), with_storage(volume_pools={"root": "nfs-b", "data": "nfs-b"}), "kvm2")
    assert not refusals(found)
    assert found.pools == {"root": "nfs-b", "data": "nfs-b"}


@pytest.mark.rule("CSK-01", sign="-")
@pytest.mark.rule("CSK-02", sign="-")
@pytest.mark.rule("CSK-03", sign="-")
@pytest.mark.parametrize("pool", ["nfs_a", "nfs_b"])
@pytest.mark.parametrize("mode", ONLINE)
def test_a_pool_of_another_kind_on_either_side_is_refused(mode: Mode, pool: str) -> None:
    found = mapped(site(vm(), KVM, **{pool: {"kind": "iscsi"}}), with_storage(mode=mode, root_pool="nfs-b"), "kvm2")
    assert list(refusals(found)) == ["pool_type_unsupported"]


@pytest.mark.rule("CSK-02", sign="-")
def test_every_volume_is_looked_at_not_only_the_first() -> None:
    world = site(vm(root(), data("nfs-z")), KVM, nfs_z={"kind": "iscsi"})
    found = mapped(world, with_storage(volume_pools={"root": "nfs-b", "data": "nfs-b"}), "kvm2")
    assert "v-data" in refusals(found)["pool_type_unsupported"].message


def test_an_unknown_kind_of_pool_is_told() -> None:
    found = mapped(site(vm(), KVM, nfs_b={"kind": ""}), with_storage(root_pool="nfs-b"), "kvm2")
    assert [reason.code for reason in found.reasons] == ["fact_unknown"]


@pytest.mark.rule("CSK-04", sign="-")
@pytest.mark.rule("CSK-03", sign="-")
@pytest.mark.parametrize("mode", ONLINE)
def test_on_the_same_host_it_is_refused_with_a_hint(mode: Mode) -> None:
    reason = refusals(mapped(site(vm(), KVM), storage_only(mode=mode, root_pool="nfs-b")))["same_host"]
    assert "host_storage" in reason.hint


@pytest.mark.rule("CSK-04", sign="+")
@pytest.mark.parametrize("profile", ["generic", "cloudstack_vmware", "cas"])
def test_elsewhere_it_is_not(profile: str) -> None:
    assert not refusals(mapped(site(vm(), profile), storage_only(root_pool="nfs-b")))


@pytest.mark.rule("CSK-05", sign="-")
@pytest.mark.rule("CSK-03", sign="-")
def test_another_cluster_is_refused() -> None:
    assert list(refusals(mapped(site(vm(), KVM), with_storage(root_pool="nfs-c"), "far"))) == ["cluster_mismatch"]


@pytest.mark.rule("CSK-05", sign="+")
@pytest.mark.parametrize("profile", ["generic", "cloudstack_vmware", "cloudstack_hyperv"])
def test_elsewhere_another_cluster_is_allowed(profile: str) -> None:
    assert not refusals(mapped(site(vm(), profile), with_storage(root_pool="nfs-c"), "far"))


def test_a_stopped_vms_storage_is_not_bound_by_the_rules_of_live_moves() -> None:
    world = site(vm(power_state=PowerState.OFF), KVM, nfs_b={"kind": "iscsi"})
    assert not refusals(mapped(world, stopped(root_pool="nfs-b")))


@pytest.mark.rule("CSK-08", sign="+")
def test_a_pool_that_is_mounted_and_open_is_accepted() -> None:
    assert not refusals(mapped(site(vm(), KVM), with_storage(root_pool="nfs-b"), "kvm2"))


@pytest.mark.rule("CSK-08", sign="-")
@pytest.mark.parametrize("profile", ["generic", KVM])
def test_a_pool_that_is_inactive_or_in_maintenance_is_refused(profile: str) -> None:
    asleep = site(vm(), profile, nfs_b={"active": False})
    assert list(refusals(mapped(asleep, with_storage(root_pool="nfs-b"), "kvm2"))) == ["pool_not_on_host"]
    closed = site(vm(), profile, nfs_b={"maintenance": Maintenance(MaintenanceState.MAINTENANCE)})
    assert list(refusals(mapped(closed, with_storage(root_pool="nfs-b"), "kvm2"))) == ["pool_in_maintenance"]


def test_a_pool_that_the_hypervisor_itself_has_closed_is_refused() -> None:
    closed = site(vm(), "generic", nfs_b={"closed_because": "a host has mounted it read-only"})
    assert list(refusals(mapped(closed, with_storage(root_pool="nfs-b"), "kvm2"))) == ["pool_closed"]


@pytest.mark.parametrize("profile", ["generic", "pcd"])
def test_volume_not_in_pool_it_stays_and_cannot_be_mapped(profile: str) -> None:
    world = site(vm(root(), data(None)), profile)
    assert [volume.id for volume in mapped(world, with_storage(root_pool="nfs-b"), "kvm2").staying] == ["data"]
    assert "volume_not_in_pool" in refusals(mapped(world, with_storage(volume_pools={"data": "nfs-b"}), "kvm2"))


@pytest.mark.parametrize("profile", ["generic", "pcd"])
def test_volume_not_in_pool_is_told_where_all_storage_is_to_move(profile: str) -> None:
    world = site(vm(root(), data(None)), profile)
    assert list(refusals(mapped(world, storage_only()))) == ["volume_not_in_pool"]
    assert "v-data" not in refusals(mapped(world, storage_only(volume="vda")))
    assert not refusals(mapped(world, storage_only(volume="vda", root_pool="nfs-b")))


def test_a_volume_in_an_unknown_pool_is_told_where_all_storage_is_to_move() -> None:
    found = mapped(site(vm(root(), data("nfs-q"))), storage_only())
    assert not refusals(found)
    assert [reason.code for reason in found.reasons] == ["fact_unknown"]
    assert "nfs-q" in found.reasons[0].message


def test_the_order_of_pools_and_hosts_changes_nothing() -> None:
    world = site(vm(root(), data("kvm1/local")))
    turned = dataclasses.replace(world, hosts=world.hosts[::-1], pools=world.pools[::-1])
    assert mapped(world, with_storage(), "far") == mapped(turned, with_storage(), "far")


@pytest.mark.parametrize("profile", ["generic", "cloudstack_vmware", "cas"])
@pytest.mark.rule("CSK-02", sign="+")
def test_elsewhere_pools_of_other_kinds_take_part(profile: str) -> None:
    world = site(vm(), profile, nfs_a={"kind": "iscsi"}, nfs_b={"kind": "logical"})
    assert not refusals(mapped(world, with_storage(root_pool="nfs-b"), "kvm2"))


@pytest.mark.rule("CSK-09", sign="+")
@pytest.mark.rule("CSK-09", sign="-")
@pytest.mark.parametrize(("backing", "kind"), [((), Backing.NONE), (("/t",), Backing.LINKED), (("/s", "/t"), Backing.MULTI_LEVEL)])
def test_a_volume_is_known_by_what_it_rests_on(backing: tuple[str, ...], kind: Backing) -> None:
    assert backing_of(root(backing=backing)) is kind


@pytest.mark.rule("CSK-16", sign="+")
@pytest.mark.rule("CSK-16", sign="-")
def test_one_way_to_copy_for_a_whole_migration() -> None:
    linked = site(vm(root(backing=("/t",)), data()))
    everything = {"root": "nfs-b", "data": "nfs-b"}
    assert mapped(linked, with_storage(volume_pools=everything), "kvm2").disk_copy is DiskCopy.INCREMENTAL
    assert mapped(linked, with_storage(volume_pools=everything, flatten=True), "kvm2").disk_copy is DiskCopy.FULL
    assert mapped(linked, with_storage(volume_pools={"data": "nfs-b"}), "kvm2").disk_copy is DiskCopy.FULL
    assert mapped(linked, with_storage(), "kvm2").disk_copy is DiskCopy.NONE
