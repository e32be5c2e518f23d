# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage tags cell by cell, and space summed per pool over a whole plan."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import VolumeFormat
from ansible_collections.vmops.migration.plugins.module_utils.planning.space import PlannedSpace

from tests.unit.rules.storage_world import GIB, data, mapped, refusals, root, site, storage_only, vm

ROOM = {"capacity_bytes": 100 * GIB}


@pytest.mark.rule("CSH-14", sign="+")
@pytest.mark.rule("CSH-14", sign="-")
@pytest.mark.parametrize("profile", ["generic", "cloudstack_vmware", "cloudstack_kvm", "cloudstack_hyperv", "pcd", "cas"])
@pytest.mark.parametrize(
    ("needs", "has", "suits"),
    [("AB", "A", False), ("ABC", "ABCDX", True), ("", "A", True), ("A", "", False), ("", "", True)],
)
def test_what_a_volume_requires_is_a_subset_of_what_the_pool_offers(needs: str, has: str, suits: bool, profile: str) -> None:
    world = site(vm(root(tags=frozenset(needs))), profile, nfs_b={"tags": frozenset(has)})
    found = refusals(mapped(world, storage_only(root_pool="nfs-b")))
    assert ("storage_tag_mismatch" in found) is not suits


@pytest.mark.rule("CAS-16", sign="+")
def test_one_byte_more_than_the_size_is_enough() -> None:
    assert not refusals(mapped(site(vm(), "cas", nfs_b={"free_bytes": 10 * GIB + 1}), storage_only(root_pool="nfs-b")))


@pytest.mark.rule("CAS-16", sign="-")
@pytest.mark.parametrize("profile", ["generic", "cloudstack_vmware", "cas"])
def test_a_pool_with_exactly_the_size_free_is_refused(profile: str) -> None:
    found = mapped(site(vm(), profile, nfs_b={"free_bytes": 10 * GIB}), storage_only(root_pool="nfs-b"))
    assert list(refusals(found)) == ["insufficient_storage"]


@pytest.mark.rule("CAS-16", sign="-")
def test_two_volumes_that_fit_one_by_one_do_not_fit_together() -> None:
    world = site(vm(root(), data()), "cas", nfs_b={"free_bytes": 30 * GIB})
    assert not refusals(mapped(world, storage_only(volume="data", root_pool="nfs-b")))
    found = mapped(world, storage_only(root_pool="nfs-b", single_pool=True))
    assert list(refusals(found)) == ["insufficient_storage"]


@pytest.mark.rule("CAS-16", sign="-")
def test_the_sum_is_taken_over_all_vms_of_a_plan() -> None:
    world = site(vm(), "cas", nfs_b={"free_bytes": 20 * GIB})
    planned = PlannedSpace()
    assert not refusals(mapped(world, storage_only(root_pool="nfs-b"), planned=planned))
    second = dataclasses.replace(world, vms=(dataclasses.replace(world.vms[0], id="id-second"),))
    assert list(refusals(mapped(second, storage_only(root_pool="nfs-b"), planned=planned))) == ["insufficient_storage"]


def test_volumes_are_spread_when_they_do_not_fit_into_one_pool() -> None:
    world = site(vm(root(), data()), nfs_b={**ROOM, "free_bytes": 25 * GIB}, nfs_z={**ROOM, "free_bytes": 15 * GIB})
    found = mapped(world, storage_only())
    assert not refusals(found)
    assert found.pools == {"root": "nfs-z", "data": "nfs-b"}


def test_volumes_that_fit_one_by_one_only_are_all_named() -> None:
    world = site(vm(root(), data()), nfs_b={**ROOM, "free_bytes": 25 * GIB}, nfs_z=None)
    found = [reason for reason in mapped(world, storage_only()).reasons if reason.blocks]
    assert [reason.code for reason in found] == ["no_pool_for_volume", "no_pool_for_volume"]


@pytest.mark.rule("CAS-17", sign="+")
def test_twice_the_size_is_enough_for_another_format() -> None:
    world = site(vm(), "cas", nfs_b={"free_bytes": 20 * GIB})
    assert not refusals(mapped(world, storage_only(root_pool="nfs-b", volume_format=VolumeFormat.RAW)))


@pytest.mark.rule("CAS-17", sign="-")
def test_less_than_twice_the_size_is_refused_for_another_format() -> None:
    world = site(vm(), "cas", nfs_b={"free_bytes": 19 * GIB})
    found = mapped(world, storage_only(root_pool="nfs-b", volume_format=VolumeFormat.RAW))
    assert list(refusals(found)) == ["insufficient_storage"]
    assert not refusals(mapped(world, storage_only(root_pool="nfs-b", volume_format=VolumeFormat.QCOW2)))


def test_an_unknown_size_or_room_is_told() -> None:
    found = mapped(site(vm(), nfs_b={"free_bytes": None}), storage_only(root_pool="nfs-b"))
    assert [reason.code for reason in found.reasons] == ["fact_unknown"]
    assert "site.pools.nfs-b.free_bytes" in found.reasons[0].message
