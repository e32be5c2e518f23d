# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudStack on VMware: which volume goes to which pool."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, VmKind

from tests.unit.rules.storage_world import ONLINE, data, mapped, refusals, root, site, stopped, storage_only, vm, with_storage

VMWARE = "cloudstack_vmware"


@pytest.mark.rule("CSV-03", sign="+")
@pytest.mark.rule("CSV-11", sign="+")
@pytest.mark.rule("CSV-07", sign="+")
def test_a_running_vm_goes_to_another_cluster_with_all_its_volumes() -> None:
    found = mapped(site(vm(root(), data()), VMWARE), with_storage(), "far")
    assert not refusals(found)
    assert found.pools == {"root": "nfs-c", "data": "nfs-c"}


@pytest.mark.rule("CSV-03", sign="-")
@pytest.mark.rule("CSV-07", sign="-")
@pytest.mark.rule("CSV-11", sign="-")
def test_a_pool_that_the_destination_does_not_mount_is_refused() -> None:
    found = mapped(site(vm(), VMWARE), with_storage(root_pool="nfs-b"), "far")
    assert "pool_not_on_host" in refusals(found)
    assert "far" in refusals(found)["pool_not_on_host"].message


@pytest.mark.rule("CSV-04", sign="+")
@pytest.mark.rule("CSV-16", sign="+")
def test_volumes_of_unlike_tags_go_to_unlike_pools() -> None:
    subject = vm(root(tags=frozenset({"fast"})), data(tags=frozenset({"big"})))
    world = site(subject, VMWARE, nfs_c={"tags": frozenset({"fast"})}, nfs_z={"tags": frozenset({"big"}), "free_bytes": 2**40})
    found = mapped(world, with_storage(root_pool="nfs-c"), "far")
    assert not refusals(found)
    assert found.pools == {"root": "nfs-c", "data": "nfs-z"}


@pytest.mark.rule("CSV-04", sign="-")
@pytest.mark.rule("CSV-16", sign="-")
def test_one_pool_for_all_is_refused_when_one_volume_does_not_fit_and_names_it() -> None:
    subject = vm(root(), data(tags=frozenset({"big"})))
    found = mapped(site(subject, VMWARE), with_storage(root_pool="nfs-c", single_pool=True), "far")
    assert list(refusals(found)) == ["storage_tag_mismatch"]
    assert "v-data" in refusals(found)["storage_tag_mismatch"].message


@pytest.mark.rule("CSV-08", sign="+")
def test_volumes_of_a_user_vm_go_to_a_cluster_of_another_pod() -> None:
    found = mapped(site(vm(power_state=PowerState.OFF), VMWARE), stopped(root_pool="nfs-c"))
    assert not refusals(found)
    assert found.pools == {"root": "nfs-c"}


@pytest.mark.rule("CSV-08", sign="-")
@pytest.mark.rule("CSV-10", sign="-")
@pytest.mark.parametrize("profile", ["generic", VMWARE, "cas"])
def test_a_system_vms_volume_never_leaves_its_pod(profile: str) -> None:
    router = vm(kind=VmKind.ROUTER, power_state=PowerState.OFF)
    assert "system_vm_pod_mismatch" in refusals(mapped(site(router, profile), stopped(root_pool="nfs-c")))


@pytest.mark.rule("CSV-10", sign="+")
@pytest.mark.rule("CSV-17", sign="+")
def test_a_stopped_system_vm_may_go_to_a_pool_of_the_whole_zone() -> None:
    router = vm(kind=VmKind.ROUTER, power_state=PowerState.OFF)
    found = mapped(site(router, VMWARE, nfs_z={"free_bytes": 2**40}), stopped(root_pool="nfs-z"))
    assert not refusals(found)
    assert found.pools == {"root": "nfs-z"}


@pytest.mark.rule("CSV-17", sign="-")
def test_an_unknown_pool_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'nfs-q' is not in the site.*nfs-a") as caught:
        mapped(site(vm(kind=VmKind.ROUTER, power_state=PowerState.OFF)), stopped(root_pool="nfs-q"))
    assert caught.value.code == "pool_unknown"


@pytest.mark.rule("CSV-19", sign="+")
def test_a_running_system_vm_that_goes_to_a_host_gets_a_pool_there() -> None:
    world = site(vm(kind=VmKind.CONSOLE_PROXY), VMWARE, nfs_c={"pod": "p1"})
    world = dataclasses.replace(world, hosts=(*world.hosts[:2], dataclasses.replace(world.hosts[2], pod="p1")))
    found = mapped(world, with_storage(), "far")
    assert not refusals(found)
    assert found.pools == {"root": "nfs-c"}


@pytest.mark.rule("CSV-19", sign="-")
@pytest.mark.rule("CSV-17", sign="-")
@pytest.mark.parametrize("profile", ["generic", VMWARE, "pcd"])
@pytest.mark.parametrize("mode", ONLINE)
def test_a_running_system_vm_is_not_given_a_pool(mode: Mode, profile: str) -> None:
    router = vm(kind=VmKind.ROUTER)
    assert "state_mismatch" in refusals(mapped(site(router, profile), storage_only(mode=mode, root_pool="nfs-b")))
    assert "state_mismatch" in refusals(mapped(site(router, profile), with_storage(mode=mode, root_pool="nfs-b"), "kvm2"))


@pytest.mark.rule("CSV-14", sign="+")
def test_with_root_alone_mapped_the_rest_follows_into_the_same_cluster() -> None:
    subject = vm(root(), data(), data(name="logs"), power_state=PowerState.OFF)
    found = mapped(site(subject, VMWARE), stopped(root_pool="nfs-c"))
    assert not refusals(found)
    assert found.pools == {"root": "nfs-c", "data": "nfs-c", "logs": "nfs-c"}


@pytest.mark.rule("CSV-14", sign="+")
def test_live_the_rest_follows_root_into_its_cluster_even_where_the_host_reaches_the_old_pool_too() -> None:
    world = site(vm(root(), data()), VMWARE)
    both = dataclasses.replace(world.hosts[2], pools=world.hosts[2].pools | {"nfs-a"})
    found = mapped(dataclasses.replace(world, hosts=(*world.hosts[:2], both)), with_storage(root_pool="nfs-c"), "far")
    assert not refusals(found)
    assert found.pools == {"root": "nfs-c", "data": "nfs-c"}


@pytest.mark.rule("CSV-14", sign="-")
def test_a_volume_without_a_pool_in_the_cluster_of_root_is_named() -> None:
    subject = vm(root(), data(tags=frozenset({"big"})), power_state=PowerState.OFF)
    world = site(subject, VMWARE, nfs_b={"tags": frozenset({"big"})})
    found = mapped(world, stopped(root_pool="nfs-c"))
    assert list(refusals(found)) == ["no_pool_for_volume"]
    assert "v-data" in refusals(found)["no_pool_for_volume"].message


@pytest.mark.rule("CSV-14", sign="-")
def test_pools_of_two_clusters_in_one_mapping_are_refused() -> None:
    subject = vm(root(), data(), power_state=PowerState.OFF)
    found = mapped(site(subject, VMWARE), stopped(volume_pools={"root": "nfs-b", "data": "nfs-c"}))
    assert list(refusals(found)) == ["mapping_spans_clusters"]


def test_a_volume_of_the_right_cluster_stays_where_it_is() -> None:
    found = mapped(site(vm(root(), data("nfs-b")), VMWARE), storage_only(root_pool="nfs-b"))
    assert found.pools == {"root": "nfs-b"}
    assert [volume.id for volume in found.staying] == ["data"]


@pytest.mark.rule("CSV-13", sign="-")
def test_a_vm_that_is_stopped_for_its_move_starts_on_its_host_so_the_pool_is_mounted_there() -> None:
    cold = storage_only(mode=Mode.COLD, allow_downtime=True, root_pool="nfs-c")
    assert list(refusals(mapped(site(vm(), VMWARE), cold))) == ["pool_not_on_host"]
    off = site(vm(power_state=PowerState.OFF), VMWARE)
    assert not refusals(mapped(off, stopped(root_pool="nfs-c")))


@pytest.mark.rule("CSV-13", sign="+")
def test_a_stopped_vm_with_three_volumes_goes_to_two_pools() -> None:
    subject = vm(root(), data(tags=frozenset({"big"})), data(name="logs"), power_state=PowerState.OFF)
    world = site(subject, VMWARE, nfs_z={"free_bytes": 2**40, "tags": frozenset({"big"})})
    found = mapped(world, stopped(volume_pools={"root": "nfs-b", "v-logs": "nfs-b", "data": "nfs-z"}))
    assert not refusals(found)
    assert found.pools == {"root": "nfs-b", "data": "nfs-z", "logs": "nfs-b"}


def test_a_mapping_that_contradicts_itself_is_an_input_error() -> None:
    with pytest.raises(InputError) as caught:
        mapped(site(vm()), stopped(volume_pools={"root": "nfs-a", "vda": "nfs-b"}))
    assert caught.value.code == "mapping_contradictory"
    with pytest.raises(InputError) as caught:
        mapped(site(vm()), stopped(volume_pools={"vdz": "nfs-a"}))
    assert caught.value.code == "volume_unknown"
