# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""H3C CAS: pools, RBD, encryption, snapshots, formats and Kubernetes nodes."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import VolumeFormat
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

from tests.unit.rules.storage_world import ONLINE, data, mapped, refusals, root, site, stopped, storage_only, vm, with_storage
from tests.unit.rules.world import host as fit_host
from tests.unit.rules.world import reasons, web
from tests.unit.rules.world import site as small_site

RBD = {"kind": "rbd", "identity": "rbd://mon1/a"}


@pytest.mark.rule("CAS-09", sign="+")
@pytest.mark.rule("CAS-29", sign="+")
def test_storage_goes_to_another_pool_of_the_vms_host() -> None:
    assert not refusals(mapped(site(vm(), "cas"), storage_only(root_pool="nfs-b")))


@pytest.mark.rule("CAS-09", sign="-")
@pytest.mark.rule("CAS-29", sign="-")
def test_storage_does_not_go_to_a_pool_that_the_vms_host_lacks_even_when_it_is_off() -> None:
    assert list(refusals(mapped(site(vm(), "cas"), storage_only(root_pool="nfs-c")))) == ["pool_not_on_host"]
    off = vm(power_state=PowerState.OFF)
    assert list(refusals(mapped(site(off, "cas"), stopped(root_pool="nfs-c")))) == ["pool_not_on_host"]
    assert not refusals(mapped(site(off), stopped(root_pool="nfs-c")))


@pytest.mark.rule("CAS-10", sign="+")
@pytest.mark.rule("CAS-30", sign="+")
def test_with_its_storage_a_vm_goes_to_a_pool_of_the_destination() -> None:
    assert not refusals(mapped(site(vm(root("kvm1/local")), "cas"), with_storage(root_pool="far/local"), "far"))


@pytest.mark.rule("CAS-10", sign="-")
@pytest.mark.rule("CAS-30", sign="-")
def test_a_pool_of_the_source_alone_is_not_enough() -> None:
    assert "pool_not_on_host" in refusals(mapped(site(vm(), "cas"), with_storage(root_pool="nfs-b"), "far"))


@pytest.mark.rule("CAS-14", sign="-")
@pytest.mark.parametrize("power_state", [PowerState.RUNNING, PowerState.PAUSED])
@pytest.mark.parametrize("mode", ONLINE)
def test_an_online_vm_that_uses_rbd_does_not_change_its_storage(mode: Mode, power_state: PowerState) -> None:
    world = site(vm(power_state=power_state), "cas", nfs_a=RBD)
    assert list(refusals(mapped(world, storage_only(mode=mode, root_pool="nfs-b")))) == ["rbd_online_storage"]
    assert list(refusals(mapped(world, with_storage(mode=mode, root_pool="nfs-b"), "kvm2"))) == ["rbd_online_storage"]


@pytest.mark.rule("CAS-14", sign="+")
def test_a_vm_that_uses_rbd_changes_its_storage_when_it_is_off_or_its_host_alone() -> None:
    world = site(vm(power_state=PowerState.OFF), "cas", nfs_a=RBD)
    assert not refusals(mapped(world, stopped(root_pool="nfs-b")))
    online = site(vm(), "cas", nfs_a=RBD)
    assert not {"rbd_online_storage", "pool_not_on_host"} & set(reasons(online))
    assert not refusals(mapped(site(vm(), nfs_a=RBD), storage_only(root_pool="nfs-b")))


@pytest.mark.rule("CAS-25", sign="-")
@pytest.mark.parametrize("mode", ONLINE)
def test_an_encrypted_disk_does_not_change_its_storage_online(mode: Mode) -> None:
    world = site(vm(root(encrypted=True)), "cas")
    assert list(refusals(mapped(world, storage_only(mode=mode, root_pool="nfs-b")))) == ["encrypted_online_storage"]


@pytest.mark.rule("CAS-25", sign="+")
def test_an_encrypted_disk_changes_its_storage_offline() -> None:
    assert not refusals(mapped(site(vm(root(encrypted=True), power_state=PowerState.OFF), "cas"), stopped(root_pool="nfs-b")))
    assert not refusals(mapped(site(vm(root(encrypted=True))), storage_only(root_pool="nfs-b")))


@pytest.mark.rule("CAS-19", sign="+")
@pytest.mark.parametrize("kinds", [({"kind": "dir"}, {"kind": "netfs"}), (RBD, {"kind": "rbd", "identity": "rbd://mon1/b"})])
def test_with_snapshots_storage_goes_between_pools_of_one_kind(kinds: tuple[dict[str, object], dict[str, object]]) -> None:
    world = site(vm(snapshots=2, power_state=PowerState.OFF), "cas", nfs_a=kinds[0], nfs_b=kinds[1])
    assert not refusals(mapped(world, stopped(root_pool="nfs-b")))


@pytest.mark.rule("CAS-19", sign="-")
@pytest.mark.parametrize(
    "kinds",
    [
        ({"kind": "netfs"}, RBD),
        (RBD, {"kind": "netfs"}),
        (RBD, {"kind": "rbd", "identity": "rbd://mon2/a"}),
        ({"kind": "logical"}, {"kind": "logical"}),
    ],
)
def test_with_snapshots_storage_goes_nowhere_else(kinds: tuple[dict[str, object], dict[str, object]]) -> None:
    world = site(vm(snapshots=2, power_state=PowerState.OFF), "cas", nfs_a=kinds[0], nfs_b=kinds[1])
    assert list(refusals(mapped(world, stopped(root_pool="nfs-b")))) == ["snapshot_pool_kind"]
    assert not refusals(mapped(site(world.vms[0], "pcd", nfs_a=kinds[0], nfs_b=kinds[1]), stopped(root_pool="nfs-b")))


@pytest.mark.rule("CAS-19", sign="-")
def test_with_snapshots_host_and_storage_do_not_change_together() -> None:
    found = mapped(site(vm(snapshots=1), "cas"), with_storage(root_pool="nfs-b"), "kvm2")
    assert list(refusals(found)) == ["snapshot_pool_kind"]


@pytest.mark.rule("CAS-47", sign="-")
@pytest.mark.parametrize("profile", ["generic", "cas", "cloudstack_kvm"])
def test_a_linked_clone_keeps_its_format(profile: str) -> None:
    off = vm(root(backing=("/x/template",)), power_state=PowerState.OFF)
    found = mapped(site(off, profile), stopped(root_pool="nfs-b", volume_format=VolumeFormat.RAW))
    assert list(refusals(found)) == ["format_change_with_backing"]


@pytest.mark.rule("CAS-47", sign="+")
@pytest.mark.rule("CAS-48", sign="+")
@pytest.mark.parametrize(("wanted", "factor"), [("same", 1), ("qcow2", 1), ("raw", 2)])
def test_the_format_is_kept_made_qcow2_or_made_raw(wanted: str, factor: int) -> None:
    intent = storage_only(root_pool="nfs-b", volume_format=VolumeFormat(wanted), flatten=True)
    world = site(vm(root(backing=("/x/template",))), "cas", nfs_b={"free_bytes": factor * 10 * 2**30 + 1})
    assert not refusals(mapped(world, intent))
    tight = site(vm(root(backing=("/x/template",))), "cas", nfs_b={"free_bytes": factor * 10 * 2**30 - 1})
    assert list(refusals(mapped(tight, intent))) == ["insufficient_storage"]


@pytest.mark.rule("CAS-47", sign="-")
@pytest.mark.rule("CAS-48", sign="-")
@pytest.mark.parametrize("kind", ["rbd", "logical", "iscsi"])
@pytest.mark.parametrize("profile", ["generic", "cas"])
def test_no_other_format_in_a_pool_that_holds_no_files(kind: str, profile: str) -> None:
    world = site(vm(), profile, nfs_b={"kind": kind})
    assert list(refusals(mapped(world, storage_only(root_pool="nfs-b", volume_format=VolumeFormat.RAW)))) == ["format_pool_type"]
    assert not refusals(mapped(world, storage_only(root_pool="nfs-b", volume_format=VolumeFormat.QCOW2)))


@pytest.mark.rule("CAS-20", sign="-")
def test_a_kubernetes_node_stays_in_its_cluster() -> None:
    node = web(labels=frozenset({"kubernetes_node"}))
    world = small_site(fit_host("kvm2", cluster="c2"), node, profile="cas")
    assert reasons(world)["k8s_node_cross_cluster"].blocks


@pytest.mark.rule("CAS-20", sign="+")
def test_a_kubernetes_node_moves_inside_its_cluster_and_others_anywhere() -> None:
    node = web(labels=frozenset({"kubernetes_node"}))
    assert "k8s_node_cross_cluster" not in reasons(small_site(None, node, profile="cas"))
    assert "k8s_node_cross_cluster" not in reasons(small_site(fit_host("kvm2", cluster="c2"), profile="cas"))
    assert "k8s_node_cross_cluster" not in reasons(small_site(fit_host("kvm2", cluster="c2"), node))


def test_what_is_left_out_of_a_mapping_of_one_volume_stays() -> None:
    found = mapped(site(vm(root(), data()), "cas"), storage_only(volume="v-data", root_pool="nfs-b"))
    assert not refusals(found)
    assert found.pools == {"data": "nfs-b"}
