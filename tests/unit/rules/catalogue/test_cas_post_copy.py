# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""H3C CAS: when post-copy is allowed, and what it is warned of."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Link
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Nic, Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.options import judge_options

from tests.unit.rules.options_world import KNOWN, PAUSED, RUNNING, asked, is_error, is_warning, ordinary, refused
from tests.unit.rules.world import host, site, with_source

PROFILES = ("generic", "cas")
DPDK = ordinary(nics=(Nic("52:54:00:00:00:01", "lan", kind="vhostuser"),))
SMART_NIC = ordinary(nics=(Nic("52:54:00:00:00:01", "lan", kind="hostdev"),))
HUGE = ordinary(hugepage_kib=2048)
PAGES = {"hugepage_kib": 2048, "restart_pending": False}


@pytest.mark.rule("CAS-33", sign="+")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_running_vm_may_move_by_host_with_post_copy(profile: str) -> None:
    found = asked(RUNNING, profile, post_copy=True)
    assert list(found) == ["post_copy_risk"]


@pytest.mark.rule("CAS-33", sign="-")
@pytest.mark.parametrize("kind", [MigrationType.STORAGE, MigrationType.HOST_STORAGE])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_move_of_storage_has_no_post_copy(kind: MigrationType, profile: str) -> None:
    found = asked(RUNNING, profile, type=kind, post_copy=True)
    assert is_error(found["post_copy_type"])


@pytest.mark.rule("CAS-34", sign="+")
@pytest.mark.parametrize("profile", PROFILES)
def test_post_copy_is_warned_of_because_a_failure_may_lose_the_vm(profile: str) -> None:
    risk = asked(RUNNING, profile, post_copy=True)["post_copy_risk"]
    assert is_warning(risk)
    assert "is lost if" in risk.message


@pytest.mark.rule("CAS-34", sign="-")
def test_without_post_copy_nothing_is_said_of_its_risk() -> None:
    assert "post_copy_risk" not in asked(RUNNING, "cas")


@pytest.mark.rule("CAS-35", sign="-")
@pytest.mark.parametrize("which", ["source", "target"])
def test_a_host_that_waits_for_its_restart_takes_no_part_in_post_copy(which: str) -> None:
    waiting = {"restart_pending": True}
    target = host("kvm2", **(KNOWN | (waiting if which == "target" else {})))
    for profile, judged in (("cas", is_error), ("generic", is_warning)):
        found = asked(RUNNING, profile, target, waiting if which == "source" else None, post_copy=True)
        assert judged(found["host_restart_pending"])


@pytest.mark.rule("CAS-35", sign="+")
def test_a_restarted_host_and_a_move_without_post_copy_are_fine() -> None:
    assert not refused(asked(RUNNING, "cas", post_copy=True))
    assert not asked(RUNNING, "cas", host("kvm2", restart_pending=True))


def test_whether_a_host_waits_for_its_restart_must_be_known_for_post_copy() -> None:
    found = asked(RUNNING, "cas", host("kvm2", hugepage_kib=0), post_copy=True)
    assert "site.hosts.kvm2.restart_pending" in found["fact_unknown"].message


@pytest.mark.rule("CAS-36", sign="-")
def test_on_arm_an_upgrade_forbids_post_copy() -> None:
    target = host("kvm2", architecture="aarch64", hypervisor_version="8.2.0", **KNOWN)
    for profile, judged in (("cas", is_error), ("generic", is_warning)):
        assert judged(asked(RUNNING, profile, target, {"architecture": "aarch64"}, post_copy=True)["post_copy_mixed_versions"])


@pytest.mark.rule("CAS-36", sign="+")
def test_on_x86_or_with_equal_versions_on_arm_post_copy_is_allowed() -> None:
    newer = {"hypervisor_version": "8.2.0"}
    assert not refused(asked(RUNNING, "cas", host("kvm2", **(KNOWN | newer)), post_copy=True))
    arm = {"architecture": "aarch64"}
    assert not refused(asked(RUNNING, "cas", host("kvm2", **(KNOWN | arm)), arm, post_copy=True))


@pytest.mark.rule("CAS-37", sign="-")
@pytest.mark.parametrize("subject", [DPDK, SMART_NIC], ids=["dpdk", "smart nic"])
def test_dpdk_switches_and_smart_nics_forbid_post_copy(subject: Vm) -> None:
    assert is_error(asked(subject, "cas", post_copy=True)["post_copy_dpdk"])
    assert is_warning(asked(subject, "generic", post_copy=True)["post_copy_dpdk"])


@pytest.mark.rule("CAS-37", sign="+")
def test_a_bridge_is_fine_and_so_is_dpdk_without_post_copy() -> None:
    assert not refused(asked(RUNNING, "cas", post_copy=True))
    assert not asked(DPDK, "cas")


@pytest.mark.rule("CAS-38", sign="-")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_virtual_gpu_forbids_post_copy(profile: str) -> None:
    assert is_error(asked(ordinary(host_devices=("mdev 1234",)), profile, post_copy=True)["post_copy_vgpu"])


@pytest.mark.rule("CAS-38", sign="+")
def test_other_devices_and_moves_without_post_copy_are_not_its_business() -> None:
    assert "post_copy_vgpu" not in asked(ordinary(host_devices=("usb 1-1",)), "cas", post_copy=True)
    assert not asked(ordinary(host_devices=("mdev 1234",)), "cas")


@pytest.mark.rule("CAS-39", sign="-")
@pytest.mark.rule("CAS-52", sign="-")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_paused_vm_has_no_post_copy(profile: str) -> None:
    assert is_error(asked(PAUSED, profile, post_copy=True)["post_copy_suspended"])


@pytest.mark.rule("CAS-39", sign="+")
def test_a_paused_vm_moves_without_post_copy() -> None:
    assert not asked(PAUSED, "cas")


@pytest.mark.rule("CAS-40", sign="-")
@pytest.mark.parametrize("size_kib", [1048576, 0])
@pytest.mark.parametrize("profile", PROFILES)
def test_huge_pages_of_another_size_forbid_post_copy(size_kib: int, profile: str) -> None:
    target = host("kvm2", **(PAGES | {"hugepage_kib": size_kib}))
    assert is_error(asked(HUGE, profile, target, PAGES, post_copy=True)["post_copy_hugepage_size"])


@pytest.mark.rule("CAS-40", sign="+")
def test_huge_pages_of_one_size_and_ordinary_pages_are_fine() -> None:
    assert not refused(asked(HUGE, "cas", host("kvm2", **PAGES), PAGES, post_copy=True))
    other = host("kvm2", **(PAGES | {"hugepage_kib": 1048576}))
    assert not refused(asked(RUNNING, "cas", other, PAGES, post_copy=True))


def test_page_sizes_must_be_known_for_post_copy() -> None:
    unknown = asked(ordinary(hugepage_kib=None), "cas", post_copy=True)["fact_unknown"]
    assert "site.vms.web.hugepage_kib" in unknown.message
    there = asked(HUGE, "cas", host("kvm2", restart_pending=False), PAGES, post_copy=True)["fact_unknown"]
    assert "site.hosts.kvm2.hugepage_kib" in there.message


@pytest.mark.rule("CAS-41", sign="-")
@pytest.mark.parametrize("speed_mbps", [100, 1000])
def test_huge_pages_over_a_gigabit_link_forbid_post_copy(speed_mbps: int) -> None:
    target = host("kvm2", migration_link_mbps=speed_mbps, **PAGES)
    assert is_error(asked(HUGE, "cas", target, PAGES, post_copy=True)["post_copy_hugepage_1g"])
    assert is_warning(asked(HUGE, "generic", target, PAGES, post_copy=True)["post_copy_hugepage_1g"])


def test_the_slower_management_network_counts_where_one_end_has_no_migration_network() -> None:
    target = host("kvm2", migration_address=None, **PAGES)
    assert "post_copy_hugepage_1g" in refused(asked(HUGE, "cas", target, PAGES, post_copy=True))
    unknown = asked(HUGE, "cas", host("kvm2", migration_link_mbps=None, **PAGES), PAGES, post_copy=True)
    assert "site.hosts.kvm2.migration_link_mbps" in unknown["fact_unknown"].message


@pytest.mark.rule("CAS-41", sign="-")
@pytest.mark.rule("CAS-41", sign="+")
@pytest.mark.parametrize(("speed_mbps", "behind", "slow"), [(1000, {"kvm1"}, True), (10000, {"kvm1"}, False), (1000, {"kvm1", "kvm2"}, False)])
def test_a_shared_link_that_is_crossed_counts_as_well(speed_mbps: int, behind: set[str], slow: bool) -> None:
    world = site(host("kvm2", **PAGES), HUGE, profile="cas", links=(Link("uplink", frozenset(behind), speed_mbps),))
    world = with_source(world, **PAGES)
    found = judge_options(Intent(post_copy=True), HUGE, world.hosts[1], world)
    assert ("post_copy_hugepage_1g" in {reason.code for reason in found}) is slow


@pytest.mark.rule("CAS-41", sign="+")
@pytest.mark.parametrize("speed_mbps", [2500, 10000])
def test_huge_pages_over_a_faster_link_are_fine(speed_mbps: int) -> None:
    assert not refused(asked(HUGE, "cas", host("kvm2", migration_link_mbps=speed_mbps, **PAGES), PAGES, post_copy=True))
