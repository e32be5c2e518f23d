# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private Cloud Director's statements: environment and cluster, equal releases, one-way moves in the middle of an upgrade."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, Purpose
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Severity
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets

from tests.unit.rules.world import host, reasons, site, web, with_source

UPGRADE = frozenset({"allow_os_upgrade"})


def pcd(target: object = None, **facts: object) -> Site:
    return site(target, profile="pcd", **facts)  # type: ignore[arg-type]


def releases(source: str, target: str) -> Site:
    return with_source(pcd(host("kvm2", os_name="ubuntu", os_version=target)), os_name="ubuntu", os_version=source)


@pytest.mark.rule("PCD-01", sign="+")
@pytest.mark.rule("PCD-02", sign="+")
def test_within_environment_and_cluster_all_is_well() -> None:
    assert reasons(pcd()) == {}


@pytest.mark.rule("PCD-01", sign="-")
def test_no_vm_leaves_its_environment() -> None:
    reason = reasons(pcd(host("kvm2", zone="z2")))["environment_mismatch"]
    assert reason.severity is Severity.HARD
    assert "environment_mismatch" not in reasons(site(host("kvm2", zone="z2")))


@pytest.mark.rule("PCD-02", sign="-")
def test_another_cluster_needs_a_consent() -> None:
    other = pcd(host("kvm2", cluster="c2"))
    assert reasons(other)["cluster_mismatch"].overridable == "allow_other_cluster"
    assert not reasons(other, consents=frozenset({"allow_other_cluster"}))["cluster_mismatch"].blocks
    assert "cluster_mismatch" not in reasons(site(host("kvm2", cluster="c2")))


@pytest.mark.rule("PCD-05", sign="+")
def test_live_cold_and_recovery_are_told_apart() -> None:
    assert Intent().kind == "live"
    assert Intent(mode=Mode.COLD).kind == Intent(mode=Mode.OFFLINE).kind == "cold"
    assert Intent(purpose=Purpose.DRAIN).kind == "live"


@pytest.mark.rule("PCD-05", sign="-")
def test_a_recovery_is_never_called_a_live_move() -> None:
    assert {Intent(purpose=Purpose.RECOVER, mode=mode).kind for mode in Mode} == {"recover"}


@pytest.mark.rule("PCD-11", sign="+")
@pytest.mark.rule("PCD-23", sign="+")
@pytest.mark.parametrize("wanted", [frozenset(), frozenset({"kvm2"})])
def test_a_target_is_given_or_found_and_the_suitable_ones_come_first(wanted: frozenset[str]) -> None:
    world = pcd(hosts=(host("kvm1"), host("kvm2"), host("kvm3", zone="z2")))
    found = find_targets(world, world.vms[0], PlanRequest(("id-web",), target_hosts=wanted))
    assert [target.host for target in found if target.suitable_for_migration] == ["kvm2"]
    assert found[0].host == "kvm2"


@pytest.mark.rule("PCD-11", sign="-")
@pytest.mark.rule("PCD-23", sign="-")
def test_a_given_target_that_does_not_suit_is_listed_with_its_reason() -> None:
    world = pcd(hosts=(host("kvm1"), host("kvm2"), host("kvm3", zone="z2")))
    (found,) = find_targets(world, world.vms[0], PlanRequest(("id-web",), target_hosts=frozenset({"kvm3"})))
    assert not found.suitable_for_migration
    assert "environment_mismatch" in {reason.code for reason in found.reasons}


@pytest.mark.rule("PCD-20", sign="+")
@pytest.mark.rule("PCD-18", sign="+")
def test_equal_processors_and_shared_disks_give_no_reason() -> None:
    assert not {"cpu_incompatible", "local_storage_vms"} & set(reasons(pcd()))


@pytest.mark.rule("PCD-20", sign="-")
def test_the_missing_feature_is_named() -> None:
    assert "avx512f" in reasons(pcd(vm=web(required_cpu_features=frozenset({"avx512f"}))))["cpu_incompatible"].message


@pytest.mark.rule("PCD-18", sign="-")
def test_vms_on_local_storage_are_warned_of() -> None:
    local = web(volumes=(dataclasses.replace(web().volumes[0], pool="kvm1/local"),))
    assert not reasons(pcd(vm=local))["local_storage_vms"].blocks
    assert "local_storage_vms" not in reasons(site(vm=local))


@pytest.mark.rule("PCD-10", sign="+")
@pytest.mark.rule("PCD-21", sign="+")
@pytest.mark.rule("PCD-31", sign="+")
def test_from_2404_to_2404() -> None:
    assert reasons(releases("24.04", "24.04")) == {}


@pytest.mark.rule("PCD-30", sign="+")
@pytest.mark.rule("PCD-32", sign="+")
@pytest.mark.rule("PCD-36", sign="+")
def test_from_2204_to_2204() -> None:
    assert reasons(releases("22.04", "22.04")) == {}


@pytest.mark.rule("PCD-30", sign="-")
@pytest.mark.rule("PCD-32", sign="-")
@pytest.mark.rule("PCD-10", sign="-")
def test_from_2204_to_2404_without_consent() -> None:
    reason = reasons(releases("22.04", "24.04"))["os_version_mismatch"]
    assert reason.blocks
    assert reason.overridable == "allow_os_upgrade"


@pytest.mark.rule("PCD-31", sign="-")
@pytest.mark.rule("PCD-21", sign="-")
@pytest.mark.rule("PCD-36", sign="-")
@pytest.mark.parametrize("consents", [frozenset(), UPGRADE])
def test_never_from_2404_to_2204(consents: frozenset[str]) -> None:
    reason = reasons(releases("24.04", "22.04"), consents=consents)["os_version_mismatch"]
    assert reason.severity is Severity.HARD


def test_another_system_of_the_same_number_is_no_equal() -> None:
    world = with_source(pcd(host("kvm2", os_name="ubuntu", os_version="12")), os_name="debian", os_version="12")
    assert reasons(world)["os_version_mismatch"].severity is Severity.HARD


@pytest.mark.rule("PCD-29", sign="-")
def test_the_same_system_with_an_older_hypervisor_is_refused() -> None:
    reason = reasons(pcd(host("kvm2", hypervisor_version="6.2")))["hypervisor_version_mismatch"]
    assert reason.severity is Severity.HARD


@pytest.mark.rule("PCD-33", sign="+")
@pytest.mark.rule("PCD-34", sign="+")
def test_a_one_way_move_is_allowed_with_consent_and_marked_as_without_return() -> None:
    found = reasons(releases("22.04", "24.04"), consents=UPGRADE)
    assert not any(reason.blocks for reason in found.values())
    assert "return home" in found["no_return"].message


@pytest.mark.rule("PCD-33", sign="-")
@pytest.mark.rule("PCD-34", sign="-")
def test_the_way_home_after_an_upgrade_is_refused_and_needs_no_mark() -> None:
    found = reasons(releases("24.04", "22.04"), consents=UPGRADE)
    assert found["os_version_mismatch"].blocks
    assert "no_return" not in found
    assert "no_return" not in reasons(pcd())


@pytest.mark.rule("PCD-35", sign="-")
@pytest.mark.parametrize("facts", [{"os_version": "11"}, {"hypervisor_version": "8.0"}])
def test_a_cluster_of_mixed_releases_is_warned_of(facts: dict[str, object]) -> None:
    hosts = (host("kvm1"), host("kvm2"), host("kvm3", **facts))
    assert "mixed_version_cluster" not in reasons(site(hosts=hosts))
    reason = reasons(pcd(hosts=hosts))["mixed_version_cluster"]
    assert not reason.blocks
    assert "debian 12 with qemu 7.2.0" in reason.message


@pytest.mark.rule("PCD-35", sign="+")
def test_a_uniform_cluster_is_not_warned_of() -> None:
    assert "mixed_version_cluster" not in reasons(pcd())
    assert "mixed_version_cluster" not in reasons(pcd(hosts=(host("kvm1"), host("kvm2"), host("kvm3", os_version="11", cluster="c2"))))
