# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks of each kind of move, their speed, and what a long move is advised."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.capabilities import Capabilities
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode, NetworkRole
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Link, Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm
from ansible_collections.vmops.migration.plugins.module_utils.planning.advice import LONG_SECONDS, advice
from ansible_collections.vmops.migration.plugins.module_utils.planning.durations import estimate
from ansible_collections.vmops.migration.plugins.module_utils.planning.networks import Way, course_of, slow_network, way_of
from ansible_collections.vmops.migration.plugins.module_utils.planning.routes import Routes

from tests.unit.rules.options_world import KNOWN, OFF, PAUSED, RUNNING, ordinary
from tests.unit.rules.world import host, site, with_source

MIGRATION, MANAGEMENT, STORAGE = NetworkRole.MIGRATION, NetworkRole.MANAGEMENT, NetworkRole.STORAGE
HOST, DISKS, BOTH = MigrationType.HOST, MigrationType.STORAGE, MigrationType.HOST_STORAGE
GIB = 2**30


def _way(kind: MigrationType, subject: Vm = RUNNING, world: Site | None = None, mode: Mode | None = None) -> Way:
    place = world or site(vm=subject)
    wanted = Intent(type=kind, mode=mode or (Mode.LIVE if subject.is_active else Mode.OFFLINE))
    return way_of(place, Routes(place, PlanRequest((subject.id,))), wanted, subject, "kvm1" if kind is DISKS else "kvm2")


@pytest.mark.rule("CAS-11", sign="+")
@pytest.mark.parametrize(
    ("kind", "subject", "networks"),
    [
        (HOST, RUNNING, {MIGRATION, MANAGEMENT}),
        (DISKS, RUNNING, {STORAGE}),
        (BOTH, RUNNING, {MIGRATION, MANAGEMENT, STORAGE}),
        (HOST, OFF, {MANAGEMENT}),
        (DISKS, OFF, {STORAGE}),
        (BOTH, OFF, {MIGRATION, MANAGEMENT, STORAGE}),
    ],
)
def test_each_kind_of_move_has_its_networks(kind: MigrationType, subject: Vm, networks: set[NetworkRole]) -> None:
    assert set(_way(kind, subject).networks_used) == networks


@pytest.mark.rule("CAS-11", sign="-")
@pytest.mark.parametrize("kind", [HOST, BOTH])
def test_no_kind_of_move_uses_a_migration_network_that_one_end_lacks(kind: MigrationType) -> None:
    world = site(host("kvm2", migration_address=None), RUNNING)
    assert MIGRATION not in _way(kind, RUNNING, world).networks_used
    assert "migration_network_one_end" in {reason.code for reason in _way(kind, RUNNING, world).warnings}


@pytest.mark.rule("CAS-13", sign="+")
@pytest.mark.rule("PCD-17", sign="-")
def test_where_both_ends_have_a_migration_network_it_carries_the_data_and_management_the_control() -> None:
    way = _way(HOST)
    assert (way.network, way.networks_used, way.bandwidth_mbps) == (MIGRATION, (MIGRATION, MANAGEMENT), 10000)
    assert way.warnings == ()


@pytest.mark.rule("CAS-13", sign="-")
@pytest.mark.parametrize("lacking", ["kvm1", "kvm2"])
def test_a_migration_network_at_one_end_only_leaves_the_move_to_management_and_says_so(lacking: str) -> None:
    bare = {"migration_address": None}
    world = with_source(site(vm=RUNNING), **bare) if lacking == "kvm1" else site(host("kvm2", **bare), RUNNING)
    way = _way(HOST, RUNNING, world)
    assert (way.network, way.networks_used, way.bandwidth_mbps) == (MANAGEMENT, (MANAGEMENT,), 1000)
    [reason] = way.warnings
    assert (reason.code, reason.blocks) == ("migration_network_one_end", False)
    assert f"site.hosts.{lacking}.migration_address" in reason.hint


@pytest.mark.rule("PCD-17", sign="+")
def test_without_any_migration_network_management_carries_memory_and_disks() -> None:
    world = with_source(site(host("kvm2", migration_address=None), RUNNING, profile="pcd"), migration_address=None)
    for kind in (HOST, BOTH):
        assert (_way(kind, RUNNING, world).network, _way(kind, RUNNING, world).warnings) == (MANAGEMENT, ())


@pytest.mark.rule("CAS-12", sign="+")
def test_memory_and_disks_on_one_link_are_counted_once() -> None:
    shared = Link("uplink", frozenset({"kvm1"}), 500)
    world = with_source(site(host("kvm2", migration_address=None), RUNNING, links=(shared,)), migration_address=None)
    way = _way(BOTH, RUNNING, world)
    assert (way.links, way.bandwidth_mbps) == (("uplink",), 500)
    assert len(set(way.networks_used)) == len(way.networks_used)
    both = course_of(way, Intent(type=BOTH), RUNNING, 10 * GIB)
    whole = estimate(RUNNING.memory_mib, None, None, 500, disk_bytes=10 * GIB)
    assert (both.seconds, both.bytes) == (pytest.approx(whole.seconds), whole.bytes)


@pytest.mark.rule("CAS-12", sign="-")
def test_a_link_that_the_move_does_not_cross_counts_not_at_all() -> None:
    world = site(vm=RUNNING, links=(Link("elsewhere", frozenset({"kvm1", "kvm2"}), 100),))
    assert (_way(HOST, RUNNING, world).links, _way(HOST, RUNNING, world).bandwidth_mbps) == ((), 10000)


@pytest.mark.rule("PCD-08", sign="+")
@pytest.mark.parametrize("subject", [OFF, ordinary(power_state=PowerState.SAVED)], ids=["off", "saved"])
def test_a_cold_move_of_the_cloud_director_goes_over_management(subject: Vm) -> None:
    way = _way(BOTH, subject, site(vm=subject, profile="pcd"))
    assert (way.network, way.bandwidth_mbps) == (MANAGEMENT, 1000)
    assert MIGRATION not in way.networks_used
    assert _way(BOTH, RUNNING, site(vm=RUNNING, profile="pcd"), Mode.COLD).network is MANAGEMENT


@pytest.mark.rule("PCD-08", sign="-")
@pytest.mark.parametrize("speed_mbps", [100, 1000])
def test_disks_over_a_slow_network_are_warned_of(speed_mbps: int) -> None:
    world = with_source(site(vm=OFF, profile="pcd"), management_link_mbps=speed_mbps)
    [reason] = slow_network(OFF, _way(BOTH, OFF, world), 50 * GIB)
    assert (reason.code, reason.blocks) == ("slow_network", False)
    assert f"{speed_mbps} Mbit/s" in reason.message


@pytest.mark.rule("PCD-19", sign="+")
def test_where_no_disk_is_copied_nobody_asks_for_bandwidth() -> None:
    world = with_source(site(vm=OFF, profile="pcd"), management_link_mbps=100)
    assert slow_network(OFF, _way(HOST, OFF, world), 0) == ()
    assert slow_network(RUNNING, _way(BOTH), 50 * GIB) == (), "10 Gbit/s are enough"


@pytest.mark.rule("PCD-19", sign="-")
def test_local_disks_need_bandwidth() -> None:
    world = with_source(site(vm=RUNNING, profile="pcd"), migration_address=None, management_link_mbps=100)
    assert [reason.code for reason in slow_network(RUNNING, _way(BOTH, RUNNING, world), GIB)] == ["slow_network"]


def test_the_storage_network_has_its_own_speed_or_says_that_it_is_assumed() -> None:
    assert _way(DISKS, RUNNING, with_source(site(vm=RUNNING), storage_link_mbps=25000)).bandwidth_mbps == 25000
    unknown = _way(DISKS)
    assert unknown.bandwidth_mbps == 1000
    assert "site.hosts.kvm1.storage_link_mbps" in unknown.warnings[0].message


def test_a_cap_slows_the_disks_and_memory_goes_only_where_the_guest_stays_in_it() -> None:
    way = _way(BOTH)
    free, capped = course_of(way, Intent(type=BOTH), RUNNING, GIB), course_of(way, Intent(type=BOTH), RUNNING, GIB, speed_mib_s=20)
    assert capped.seconds - free.seconds == pytest.approx(1024 / 20 - 1024 * 2**20 * 8 / (10e9 * 1448 / 1538))
    assert course_of(way, Intent(type=BOTH, mode=Mode.OFFLINE), OFF, GIB).bytes == GIB
    assert course_of(way, Intent(type=DISKS), RUNNING, GIB).bytes == GIB
    assert course_of(way, Intent(type=HOST), PAUSED).bytes >= PAUSED.memory_mib * 2**20


@pytest.mark.rule("CAS-42", sign="+")
@pytest.mark.rule("PCD-12", sign="+")
def test_the_expected_duration_follows_the_network_that_is_chosen() -> None:
    fast = course_of(_way(HOST), Intent(), RUNNING)
    slow = course_of(_way(HOST, RUNNING, site(host("kvm2", migration_address=None), RUNNING)), Intent(), RUNNING)
    assert slow.seconds > 5 * fast.seconds
    assert 0 < fast.downtime_ms < 300


@pytest.mark.rule("CAS-42", sign="-")
def test_an_unknown_speed_is_told_and_not_passed_over() -> None:
    world = site(host("kvm2", migration_link_mbps=None), RUNNING)
    [reason] = _way(HOST, RUNNING, world).warnings
    assert reason.code == "fact_unknown"
    assert "site.hosts.kvm2.migration_link_mbps" in reason.message


@pytest.mark.rule("PCD-12", sign="-")
def test_a_guest_that_rewrites_too_fast_would_stand_still_for_longer_than_the_limit() -> None:
    course = course_of(_way(HOST), Intent(), ordinary(dirty_rate_mib_s=5000.0))
    assert not course.converges
    assert course.downtime_ms > 300


def _advised(subject: Vm, seconds: float, target: Host | None = None, capabilities: Capabilities | None = None, **wanted: object) -> set[str]:
    goal = target or host("kvm2", **KNOWN)
    world = with_source(site(goal, subject, profile="cas"), **KNOWN)
    intent = Intent(**({"timeout_seconds": 1e9} | wanted))  # type: ignore[arg-type]
    return {reason.code for reason in advice(intent, subject, goal, world, seconds, capabilities)}


@pytest.mark.rule("CAS-43", sign="+")
def test_a_move_of_more_than_a_day_is_advised_to_use_post_copy() -> None:
    assert _advised(RUNNING, LONG_SECONDS + 60) == {"consider_post_copy"}


@pytest.mark.rule("CAS-43", sign="-")
def test_nobody_is_advised_what_is_not_needed_or_not_allowed() -> None:
    long = LONG_SECONDS + 60
    assert _advised(RUNNING, LONG_SECONDS) == set(), "exactly 24 hours are no longer than 24 hours"
    assert _advised(RUNNING, long, post_copy=True) == set(), "it is used already"
    assert _advised(RUNNING, long, type=BOTH) == set()
    assert _advised(PAUSED, long) == set()
    assert _advised(ordinary(host_devices=("mdev 1",)), long) == set(), "a virtual GPU forbids it"
    assert _advised(RUNNING, long, host("kvm2", restart_pending=True, hugepage_kib=0)) == set()
    assert _advised(RUNNING, long, capabilities=Capabilities()) == set(), "the driver cannot"


@pytest.mark.rule("CSK-06", sign="-")
def test_a_timeout_that_is_shorter_than_the_move_is_warned_of() -> None:
    assert _advised(RUNNING, 120.0, timeout_seconds=60.0) == {"timeout_too_short"}
    assert _advised(RUNNING, 60.0, timeout_seconds=60.0) == set()
    assert _advised(RUNNING, 7200.0, timeout_seconds=None) == {"timeout_too_short"}
    assert _advised(RUNNING, 7200.0, timeout_seconds=None, type=BOTH) == set()
