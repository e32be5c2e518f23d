# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about processor, machine type, hypervisor and operating system."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.rules.software import version_key

from tests.unit.rules.world import host, reasons, site, web, with_source


@pytest.mark.rule("CAS-23", sign="+")
@pytest.mark.rule("CAS-23", sign="-")
@pytest.mark.parametrize(("source", "target", "refused"), [("x86_64", "aarch64", True), ("aarch64", "x86_64", True), ("amd64", "x86_64", False)])
def test_a_vm_stays_on_its_architecture(source: str, target: str, refused: bool) -> None:
    found = reasons(with_source(site(host("kvm2", architecture=target)), architecture=source))
    assert any(reason.code == "arch_mismatch" and reason.blocks for reason in found.values()) is refused


def test_an_unknown_architecture_of_the_source_is_taken_from_the_vm() -> None:
    world = with_source(site(host("kvm2", architecture="aarch64")), architecture=None)
    assert "arch_mismatch" in reasons(world)


@pytest.mark.rule("PCD-09", sign="+")
@pytest.mark.rule("PCD-09", sign="-")
def test_missing_cpu_features_are_named() -> None:
    world = site(vm=web(required_cpu_features=frozenset({"aes", "avx512f", "amx-tile"})))
    reason = reasons(world)["cpu_incompatible"]
    assert reason.message.endswith("lacks features that VM web sees: amx-tile, avx512f.")
    assert reason.blocks
    assert "cpu_incompatible" not in reasons(site())


@pytest.mark.parametrize(
    ("world", "fact"),
    [
        (site(host("kvm2", cpu_features=None)), "site.hosts.kvm2.cpu_features"),
        (site(vm=web(required_cpu_features=None)), "site.vms.web.required_cpu_features"),
        (site(host("kvm2", architecture=None)), "site.hosts.kvm2.architecture"),
        (site(host("kvm2", hypervisor_version=None)), "site.hosts.kvm2.hypervisor_version"),
        (site(host("kvm2", hypervisor="")), "site.hosts.kvm2.hypervisor"),
    ],
)
def test_what_cannot_be_compared_is_told(world: object, fact: str) -> None:
    found = reasons(world)  # type: ignore[arg-type]
    assert set(found) == {"fact_unknown"}
    assert fact in found["fact_unknown"].message


def test_a_fact_that_the_overlay_can_hold_is_asked_for_there() -> None:
    assert "overlay" in reasons(site(host("kvm2", cpu_features=None)))["fact_unknown"].hint
    assert "Give it as site.hosts.kvm2.cpu_features" in reasons(site(host("kvm2", cpu_features=None)))["fact_unknown"].hint
    assert "no field for it" in reasons(site(host("kvm2", architecture=None)))["fact_unknown"].hint


def test_the_destination_must_know_the_machine_type() -> None:
    assert reasons(site(host("kvm2", machine_types=frozenset({"pc-q35-6.0"}))))["machine_type_unsupported"].blocks
    assert "machine_type_unsupported" not in reasons(site(host("kvm2", machine_types=None)))


def test_another_kind_of_hypervisor_is_no_target() -> None:
    assert reasons(site(host("kvm2", hypervisor="esxi")))["hypervisor_mismatch"].blocks


@pytest.mark.rule("PCD-29", sign="-")
def test_an_older_hypervisor_needs_a_consent_in_generic_and_is_refused_in_pcd() -> None:
    older = host("kvm2", hypervisor_version="6.2.1")
    consent = frozenset({"allow_older_hypervisor"})
    assert reasons(site(older))["hypervisor_version_mismatch"].overridable == "allow_older_hypervisor"
    assert not reasons(site(older), consents=consent)["hypervisor_version_mismatch"].blocks
    assert reasons(site(older, profile="pcd"), consents=consent)["hypervisor_version_mismatch"].blocks


@pytest.mark.rule("PCD-29", sign="+")
def test_a_newer_hypervisor_is_a_warning_in_generic_and_needs_a_consent_in_pcd() -> None:
    newer = host("kvm2", hypervisor_version="8.0")
    assert not reasons(site(newer))["hypervisor_version_newer"].blocks
    assert reasons(site(newer, profile="pcd"))["hypervisor_version_newer"].overridable == "allow_os_upgrade"


def test_versions_are_compared_as_numbers() -> None:
    assert version_key("7.10.0") > version_key("7.9")
    assert version_key("9.0.0") == version_key("9")


@pytest.mark.rule("PCD-13", sign="-")
@pytest.mark.rule("PCD-34", sign="-")
@pytest.mark.rule("PCD-36", sign="-")
@pytest.mark.parametrize(("source", "target"), [("24.04", "22.04"), ("22.04", "20.04")])
def test_pcd_never_goes_back_to_an_older_release(source: str, target: str) -> None:
    world = with_source(site(host("kvm2", os_name="ubuntu", os_version=target), profile="pcd"), os_name="ubuntu", os_version=source)
    reason = reasons(world, consents=frozenset({"allow_os_upgrade"}))["os_version_mismatch"]
    assert reason.blocks


@pytest.mark.rule("PCD-34", sign="+")
def test_pcd_goes_forward_only_with_consent() -> None:
    world = with_source(site(host("kvm2", os_name="ubuntu", os_version="24.04"), profile="pcd"), os_name="ubuntu", os_version="22.04")
    assert reasons(world)["os_version_mismatch"].overridable == "allow_os_upgrade"
    assert not reasons(world, consents=frozenset({"allow_os_upgrade"}))["os_version_mismatch"].blocks


@pytest.mark.rule("PCD-13", sign="+")
@pytest.mark.rule("PCD-30", sign="+")
def test_equal_releases_are_well_and_generic_does_not_ask() -> None:
    same = site(host("kvm2", os_name="ubuntu", os_version="22.04"), profile="pcd")
    assert "os_version_mismatch" not in reasons(with_source(same, os_name="ubuntu", os_version="22.04"))
    assert "os_version_mismatch" not in reasons(site(host("kvm2", os_name="rocky", os_version="9")))
    assert "os_version_mismatch" not in reasons(site(host("kvm2", os_name="debian", os_version="13")))


def test_pcd_tells_which_release_is_not_known() -> None:
    found = reasons(site(host("kvm2", os_version=None), profile="pcd"))
    assert "site.hosts.kvm2.os_version" in found["fact_unknown"].message
