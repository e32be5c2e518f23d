# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudStack on Hyper-V: local and shared storage, on one host and between hosts, cell by cell."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import StorageClass
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site

from tests.unit.rules.storage_world import ONLINE, data, mapped, refusals, root, site, storage_only, vm, with_storage

HYPERV = "cloudstack_hyperv"
ELSEWHERE = {"kvm2": {"local": "kvm2/local", "shared": "nfs-b"}, "far": {"local": "far/local", "shared": "nfs-c"}}
HERE = {"local": "kvm1/local", "shared": "nfs-a"}


@pytest.mark.rule("CSH-07", sign="+")
@pytest.mark.rule("CSH-06", sign="+")
def test_on_one_host_shared_goes_to_shared() -> None:
    found = mapped(site(vm(), HYPERV), storage_only(root_pool="nfs-b"))
    assert not refusals(found)
    assert found.pools == {"root": "nfs-b"}


@pytest.mark.rule("CSH-05", sign="-")
@pytest.mark.rule("CSH-07", sign="-")
@pytest.mark.rule("CSH-22", sign="-")
@pytest.mark.parametrize(("source", "target"), [("local", "local"), ("local", "shared"), ("shared", "local")])
@pytest.mark.parametrize("mode", ONLINE)
def test_on_one_host_nothing_else_goes(mode: Mode, source: str, target: str) -> None:
    pools = {"local": "kvm1/second", "shared": "nfs-b"}
    world = _with_second_local(HERE[source])
    found = refusals(mapped(world, storage_only(mode=mode, root_pool=pools[target], new_storage_class=StorageClass(target))))
    assert list(found) == ["local_volume_live_move"]


@pytest.mark.rule("CSH-05", sign="+")
@pytest.mark.rule("CSH-22", sign="+")
@pytest.mark.parametrize("profile", ["generic", "cas"])
def test_other_profiles_let_a_local_volume_move_live(profile: str) -> None:
    assert not refusals(mapped(_with_second_local("kvm1/local", profile), storage_only(root_pool="kvm1/second")))


def _with_second_local(where: str, profile: str = HYPERV) -> Site:
    world = site(vm(root(where)), profile)
    second = dataclasses.replace(world.pool_by_id["kvm1/local"], id="kvm1/second", name="second")
    first = dataclasses.replace(world.hosts[0], pools=world.hosts[0].pools | {"kvm1/second"})
    return dataclasses.replace(world, hosts=(first, *world.hosts[1:]), pools=(*world.pools, second))


@pytest.mark.rule("CSH-06", sign="-")
@pytest.mark.parametrize("mode", ONLINE)
def test_on_one_host_a_pool_of_another_cluster_is_refused(mode: Mode) -> None:
    assert "cluster_mismatch" in refusals(mapped(site(vm(), HYPERV), storage_only(mode=mode, root_pool="nfs-c")))
    assert "cluster_mismatch" not in refusals(mapped(site(vm()), storage_only(root_pool="nfs-c")))


@pytest.mark.rule("CSH-11", sign="+")
@pytest.mark.rule("CSH-08", sign="+")
@pytest.mark.rule("CSH-09", sign="+")
@pytest.mark.parametrize("target", ["kvm2", "far"])
@pytest.mark.parametrize("kind", ["local", "shared"])
def test_to_another_host_a_volume_goes_in_its_class(kind: str, target: str) -> None:
    found = mapped(site(vm(root(HERE[kind])), HYPERV), with_storage(root_pool=ELSEWHERE[target][kind]), target)
    assert not refusals(found)
    assert found.pools == {"root": ELSEWHERE[target][kind]}


@pytest.mark.rule("CSH-11", sign="-")
@pytest.mark.rule("CSH-12", sign="-")
@pytest.mark.rule("CSH-21", sign="-")
@pytest.mark.parametrize("profile", [HYPERV, "cloudstack_vmware", "cloudstack_kvm"])
@pytest.mark.parametrize("target", ["kvm2", "far"])
@pytest.mark.parametrize(("source", "wanted"), [("local", "shared"), ("shared", "local")])
def test_to_another_host_no_volume_changes_its_class(source: str, wanted: str, target: str, profile: str) -> None:
    found = mapped(site(vm(root(HERE[source])), profile), with_storage(root_pool=ELSEWHERE[target][wanted]), target)
    assert "storage_class_conflict" in refusals(found)


@pytest.mark.rule("CSH-12", sign="+")
@pytest.mark.rule("CSH-21", sign="+")
@pytest.mark.parametrize(("source", "wanted"), [("local", "shared"), ("shared", "local")])
def test_the_class_changes_where_the_declared_one_changes_with_it(source: str, wanted: str) -> None:
    intent = with_storage(root_pool=ELSEWHERE["far"][wanted], new_storage_class=StorageClass(wanted))
    assert not refusals(mapped(site(vm(root(HERE[source])), HYPERV), intent, "far"))


@pytest.mark.parametrize("profile", ["generic", "cas", "pcd"])
def test_elsewhere_another_class_is_a_warning_only(profile: str) -> None:
    found = mapped(site(vm(root("kvm1/local")), profile), with_storage(root_pool="nfs-b"), "kvm2")
    assert [reason.code for reason in found.reasons] == ["storage_class_conflict"]
    assert not refusals(found)


@pytest.mark.rule("CSH-08", sign="-")
@pytest.mark.rule("CSH-10", sign="-")
def test_a_local_volume_finds_no_pool_on_a_host_without_local_storage() -> None:
    found = mapped(site(vm(root(), data("kvm1/local")), HYPERV, far_local=None), with_storage(), "far")
    assert list(refusals(found)) == ["no_pool_for_volume"]
    assert "v-data" in refusals(found)["no_pool_for_volume"].message
    assert "local" in refusals(found)["no_pool_for_volume"].message


@pytest.mark.rule("CSH-09", sign="-")
@pytest.mark.rule("CSH-19", sign="-")
def test_a_shared_volume_finds_no_pool_on_a_host_with_local_storage_only() -> None:
    found = mapped(site(vm(), HYPERV, nfs_c=None, nfs_z=None), with_storage(), "far")
    assert list(refusals(found)) == ["no_pool_for_volume"]


@pytest.mark.rule("CSH-10", sign="+")
@pytest.mark.rule("CSH-19", sign="+")
@pytest.mark.rule("CSH-34", sign="+")
def test_without_a_mapping_each_volume_stays_in_its_class() -> None:
    found = mapped(site(vm(root(), data("kvm1/local"), data("nfs-z", "kept")), HYPERV), with_storage(), "far")
    assert not refusals(found)
    assert [(move.volume, move.target_pool) for move in found.moves] == [("root", "nfs-c"), ("data", "far/local"), ("kept", "nfs-z")]


@pytest.mark.rule("CSH-34", sign="-")
def test_a_volume_without_a_place_is_no_part_of_the_map() -> None:
    found = mapped(site(vm(root(), data("kvm1/local")), HYPERV, far_local=None), with_storage(), "far")
    assert "no_pool_for_volume" in refusals(found)
    assert "data" not in {volume.id for volume in found.staying}


@pytest.mark.rule("CSH-20", sign="+")
@pytest.mark.rule("CAS-46", sign="+")
@pytest.mark.rule("CSH-16", sign="+")
def test_a_mapping_is_kept_to_and_what_is_not_in_it_stays() -> None:
    found = mapped(
        site(vm(root(), data(), data("nfs-b", "logs")), "cas", nfs_z={"free_bytes": 2**40}), storage_only(volume_pools={"vda": "nfs-z", "data": "nfs-b"})
    )
    assert not refusals(found)
    assert found.pools == {"root": "nfs-z", "data": "nfs-b"}
    assert [volume.id for volume in found.staying] == ["logs"]


@pytest.mark.rule("CSH-20", sign="-")
@pytest.mark.rule("CAS-46", sign="-")
def test_a_mapping_that_does_not_suit_is_refused_never_changed() -> None:
    found = mapped(site(vm(), nfs_b={"tags": frozenset({"fast"}), "free_bytes": 1}), storage_only(root_pool="nfs-b"))
    assert list(refusals(found)) == ["insufficient_storage"]
    assert found.pools == {"root": "nfs-b"}


@pytest.mark.rule("CSH-16", sign="-")
def test_a_move_of_one_volume_does_not_take_another_along() -> None:
    with pytest.raises(InputError) as caught:
        mapped(site(vm(root(), data()), HYPERV), storage_only(volume="data", volume_pools={"root": "nfs-b"}))
    assert caught.value.code == "mapping_contradictory"
