# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How strictly a rule is taken: what forbids in one profile is not asked in another, and what only tells never forbids."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Severity
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.planning.pool_targets import find_pool_targets

from tests.unit.rules import storage_world as storage
from tests.unit.rules.options_world import BY_BOTH, BY_STORAGE, RUNNING, asked, is_error, refused
from tests.unit.rules.world import host, reasons, site, with_source

UBUNTU = {"os_name": "ubuntu", "os_version": "22.04"}


def upgraded(profile: str) -> Site:
    """kvm2 has been brought to the next release, kvm1 not yet."""
    return with_source(site(host("kvm2", os_name="ubuntu", os_version="24.04"), profile=profile), **UBUNTU)


@pytest.mark.rule("PCD-35", sign="+")
@pytest.mark.rule("PCD-35", sign="-")
def test_a_cluster_of_several_releases_is_told_where_the_product_asks_for_it() -> None:
    assert "mixed_version_cluster" not in reasons(upgraded("generic"))
    assert not reasons(upgraded("pcd"))["mixed_version_cluster"].blocks


@pytest.mark.rule("PCD-33", sign="-")
def test_a_way_without_return_is_told_where_releases_count() -> None:
    assert "no_return" not in reasons(upgraded("generic"))
    assert not reasons(upgraded("pcd"))["no_return"].blocks


@pytest.mark.rule("PCD-01", sign="-")
def test_zones_are_environments_in_one_product_only() -> None:
    assert "environment_mismatch" not in reasons(site(host("kvm2", zone="z2")))
    assert reasons(site(host("kvm2", zone="z2"), profile="pcd"))["environment_mismatch"].severity is Severity.HARD


@pytest.mark.rule("CSH-27", sign="-")
def test_an_old_hyper_v_is_refused_by_its_own_profile_only() -> None:
    old = with_source(site(host("kvm2", hypervisor="hyperv", hypervisor_version="6.2")), hypervisor="hyperv", hypervisor_version="6.2")
    assert "hypervisor_too_old" not in reasons(old)
    assert reasons(dataclasses.replace(old, profile="cloudstack_hyperv"))["hypervisor_too_old"].blocks


@pytest.mark.rule("CSV-12", sign="-")
def test_no_host_for_the_copy_forbids_it() -> None:
    loose = Volume("loose", VolumeKind.DATA, pool="nfs-a", capacity_bytes=storage.GIB, format="qcow2")
    intent = Intent(type=MigrationType.STORAGE, mode=Mode.OFFLINE, volume="loose")
    found = {target.pool: target for target in find_pool_targets(storage.site(storage.vm()), None, loose, PlanRequest((), intent=intent))}
    assert [reason.severity for reason in found["nfs-c"].reasons if reason.code == "no_worker_host"] == [Severity.HARD]


@pytest.mark.rule("CSK-02", sign="+")
def test_other_kinds_of_pools_are_refused_by_the_profile_of_nfs_only() -> None:
    world = storage.site(storage.vm(), nfs_b={"kind": "iscsi"})
    intent = storage.with_storage(root_pool="nfs-b")
    assert "pool_type_unsupported" not in storage.refusals(storage.mapped(world, intent, "kvm2"))
    kvm = dataclasses.replace(world, profile="cloudstack_kvm")
    assert "pool_type_unsupported" in storage.refusals(storage.mapped(kvm, intent, "kvm2"))


@pytest.mark.rule("CAS-28", sign="+")
def test_a_pool_whose_identity_is_known_is_proven_to_be_shared() -> None:
    assert "sharing_unproven" not in reasons(site(profile="cas"))


@pytest.mark.rule("CAS-28", sign="-")
def test_a_pool_that_is_only_said_to_be_shared_waits_for_consent() -> None:
    unproven = dataclasses.replace(site().pools[0], identity=None)
    world = site(profile="cas", pools=(unproven, *site().pools[1:]))
    assert reasons(world)["sharing_unproven"].overridable == "allow_unproven_sharing"
    assert reasons(world)["sharing_unproven"].blocks
    assert not reasons(world, consents=frozenset({"allow_unproven_sharing"}))["sharing_unproven"].blocks


@pytest.mark.rule("CAS-01", sign="+")
@pytest.mark.parametrize("wanted", [{}, BY_STORAGE, BY_BOTH], ids=["host", "storage", "host_storage"])
def test_each_type_of_move_can_be_asked_for(wanted: dict[str, object]) -> None:
    assert not refused(asked(RUNNING, profile="cas", **wanted))  # type: ignore[arg-type]


@pytest.mark.rule("CSK-07", sign="+")
def test_storage_goes_along_by_the_type_of_both() -> None:
    assert not refused(asked(RUNNING, profile="cloudstack_kvm", volume_pools={"vda": "nfs-a"}, **BY_BOTH))  # type: ignore[arg-type]


@pytest.mark.rule("CAS-01", sign="-")
@pytest.mark.rule("CSK-07", sign="-")
@pytest.mark.parametrize("profile", ["cas", "cloudstack_kvm"])
def test_no_storage_goes_along_with_a_move_by_host(profile: str) -> None:
    assert is_error(asked(RUNNING, profile=profile, volume_pools={"vda": "nfs-a"})["storage_option_on_host_move"])
