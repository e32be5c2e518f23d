# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that die or fall silent, pools that die, links that go down: what a controller sees then."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostState, Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

from tests.unit.drivers.simulator.small_world import CRAWLING_MBPS, ended, host, migration, note, opened, started, vm, world

FAST = 1000.0
WEB = migration("web", "kvm1", "kvm2")
SLOW_HOSTS = (host("kvm1", CRAWLING_MBPS), host("kvm2", CRAWLING_MBPS), host("kvm3", CRAWLING_MBPS))
SOON = 30.0


def wait_until_after(driver: SimulatorDriver, seconds: float) -> None:
    """Let simulated time pass beyond a fault that counts from now."""
    driver.clock.sleep(seconds + 10 * driver.poll_seconds)


def test_a_host_that_never_answered_is_named_and_its_vms_are_not_seen(tmp_path: Path) -> None:
    made = world(vms=(vm("web", "kvm1"), vm("db", "kvm2")), faults=(Fault(FaultKind.HOST_UNREACHABLE, host="kvm2"),))
    driver = opened(made, tmp_path)
    seen = driver.snapshot(EVERYTHING)
    silent = seen.host_by_name["kvm2"]
    assert (silent.state, silent.memory_mib, silent.pools) == (HostState.UNREACHABLE, None, frozenset())
    assert [found.name for found in seen.vms] == ["web"]
    assert seen.vms[0].uniqueness_unproven_on == ("kvm2",)
    assert "host_unreachable" in {reason.code for reason in driver.check(WEB, MoveOptions())}
    for act in (lambda: driver.claims("kvm2"), lambda: driver.set_maintenance("kvm2", Maintenance()), lambda: driver.request_stop("kvm2", "me")):
        with pytest.raises(HostUnreachable):
            act()


def test_a_host_that_was_silent_when_the_facts_were_taken_is_silent_here(tmp_path: Path) -> None:
    driver = opened(world((host("kvm1"), host("kvm2", state=HostState.UNREACHABLE))), tmp_path)
    assert driver.snapshot(EVERYTHING).host_by_name["kvm2"].state is HostState.UNREACHABLE


def test_a_move_goes_on_while_its_source_is_out_of_reach_and_is_found_arrived_later(tmp_path: Path) -> None:
    hosts = (host("kvm1", 100), host("kvm2", 100))
    fault = Fault(FaultKind.HOST_UNREACHABLE, host="kvm1", at_seconds=10.0, until_seconds=400.0)
    driver = opened(world(hosts, faults=(fault,)), tmp_path, 100.0)
    written = note(WEB)
    job = started(driver, WEB, written)
    driver.clock.sleep(60.0)
    with pytest.raises(HostUnreachable):
        driver.poll([job])
    assert driver.verify(WEB, written).verdict is Verdict.UNREACHABLE
    driver.clock.sleep(400.0)
    assert driver.poll([job])[0].ended
    assert driver.verify(WEB, written).verdict is Verdict.ARRIVED


def test_when_the_target_dies_the_vm_stays(tmp_path: Path) -> None:
    driver = opened(world(SLOW_HOSTS, faults=(Fault(FaultKind.HOST_DIES, host="kvm2", at_seconds=SOON),)), tmp_path, FAST)
    written = note(WEB)
    job = started(driver, WEB, written)
    assert "lost connection to host kvm2" in ended(driver, job)
    assert driver.snapshot(EVERYTHING).vm_by_id["id-web"].host == "kvm1"
    verification = driver.verify(WEB, written)
    assert (verification.verdict, [reason.code for reason in verification.reasons]) == (Verdict.AT_SOURCE, ["uniqueness_unproven"])


def test_a_vm_whose_disks_are_all_local_cannot_also_be_on_a_silent_host(tmp_path: Path) -> None:
    local = Pool("kvm1/local", "local", "dir", PoolScope.HOST)
    hosts = (host("kvm1", pools=frozenset({"shared", "kvm1/local"})), host("kvm2"))
    vms = (vm("web", "kvm1"), vm("db", "kvm1", volumes=(Volume("db-disk", device="vda", pool="kvm1/local"),)))
    driver = opened(world(hosts, vms, pools=(local,), faults=(Fault(FaultKind.HOST_UNREACHABLE, host="kvm2"),)), tmp_path)
    assert {seen.name: seen.uniqueness_unproven_on for seen in driver.snapshot(EVERYTHING).vms} == {"web": ("kvm2",), "db": ()}


def test_when_the_source_dies_the_vm_is_on_no_host_that_answers(tmp_path: Path) -> None:
    driver = opened(world(SLOW_HOSTS, faults=(Fault(FaultKind.HOST_DIES, host="kvm1", at_seconds=SOON),)), tmp_path, FAST)
    started(driver, WEB, note(WEB))
    wait_until_after(driver, SOON)
    assert driver.snapshot(EVERYTHING).vms == ()
    assert driver.in_flight() == ()


def test_a_dead_pool_is_inactive_its_vms_stand_still_and_their_moves_fail(tmp_path: Path) -> None:
    driver = opened(world(SLOW_HOSTS, faults=(Fault(FaultKind.POOL_DIES, pool="shared", at_seconds=SOON),)), tmp_path, FAST)
    job = started(driver, WEB, note(WEB))
    assert "input/output error on vda in pool shared" in ended(driver, job)
    seen = driver.snapshot(EVERYTHING)
    assert not seen.pool_by_id["shared"].active
    assert all(not found.pools for found in seen.hosts)
    assert seen.vm_by_id["id-web"].power_state is PowerState.PAUSED


def test_a_link_that_is_down_freezes_the_copy_without_an_error(tmp_path: Path) -> None:
    driver = opened(world(SLOW_HOSTS, faults=(Fault(FaultKind.LINK_DOWN, host="kvm2", at_seconds=SOON),)), tmp_path, FAST)
    job = started(driver, WEB, note(WEB))
    wait_until_after(driver, SOON)
    first = driver.poll([job])[0]
    driver.clock.sleep(100.0)
    second = driver.poll([job])[0]
    assert first.remaining_bytes == second.remaining_bytes > 0
    assert (second.ended, second.rate_mib_s, second.message) == (False, 0.0, "")
    driver.cancel(job)
    assert driver.poll([job])[0].ended


def test_a_check_that_shall_fail_fails_for_that_target_only(tmp_path: Path) -> None:
    driver = opened(world(SLOW_HOSTS, faults=(Fault(FaultKind.CHECK_FAILS, host="kvm2", message="no certificate"),)), tmp_path)
    assert [(reason.code, reason.message) for reason in driver.check(WEB, MoveOptions())] == [("check_failed", "no certificate")]
    assert driver.check(migration("web", "kvm1", "kvm3"), MoveOptions()) == ()


def test_timed_faults_have_not_begun_before_the_first_move(tmp_path: Path) -> None:
    driver = opened(world(faults=(Fault(FaultKind.HOST_DIES, host="kvm2", at_seconds=0.0),)), tmp_path, FAST)
    driver.set_maintenance("kvm1", Maintenance(MaintenanceState.PREPARING, "ann"))
    driver.clock.sleep(100.0)
    assert driver.snapshot(EVERYTHING).host_by_name["kvm2"].state is HostState.UP
