# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How guests fare in each mode: cold, suspended, offline, and live moves that are brought to their end."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Job, Scope, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind, Guest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import TimeoutAction
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

from tests.unit.drivers.simulator.small_world import ended, migration, note, opened, vm, world
from tests.unit.drivers.simulator.storage_world import LOCAL1, LOCAL2, SHARED, begun, free_bytes, moving, places, storage_world, web

FAST = 1000.0


def state_of(driver: SimulatorDriver, name: str = "web") -> PowerState:
    return driver.snapshot(EVERYTHING).vm_by_id[f"id-{name}"].power_state


def test_the_driver_says_that_it_can_do_everything() -> None:
    can = SimulatorDriver.capabilities
    assert all(can.can(kind, mode) for kind in MigrationType for mode in Mode)
    assert all(getattr(can, field.name) for field in dataclasses.fields(can) if field.name != "needs_controller")
    assert not can.needs_controller


@pytest.mark.parametrize(
    ("mode", "before", "works"),
    [
        (Mode.LIVE, PowerState.RUNNING, True),
        (Mode.LIVE, PowerState.PAUSED, True),
        (Mode.LIVE, PowerState.OFF, False),
        (Mode.LIVE, PowerState.SAVED, False),
        (Mode.SUSPENDED, PowerState.RUNNING, True),
        (Mode.SUSPENDED, PowerState.PAUSED, True),
        (Mode.SUSPENDED, PowerState.OFF, False),
        (Mode.COLD, PowerState.RUNNING, True),
        (Mode.COLD, PowerState.PAUSED, True),
        (Mode.COLD, PowerState.OFF, True),
        (Mode.OFFLINE, PowerState.OFF, True),
        (Mode.OFFLINE, PowerState.SAVED, True),
        (Mode.OFFLINE, PowerState.RUNNING, False),
    ],
)
@pytest.mark.parametrize("way", [("kvm2", LOCAL2), ("kvm1", SHARED)])
def test_each_power_state_is_kept_as_it_was_or_the_mode_is_refused(tmp_path: Path, mode: Mode, before: PowerState, works: bool, way: tuple[str, str]) -> None:
    driver = opened(storage_world(web(power_state=before)), tmp_path, FAST)
    planned = moving(way[1], way[0], mode)
    assert ("power_state" not in {reason.code for reason in driver.check(planned, MoveOptions())}) is works
    job = begun(driver, planned, power_state=before.value)
    assert (ended(driver, job) == "") is works
    verification = driver.verify(planned, job.note)
    assert (verification.verdict is Verdict.ARRIVED, verification.reasons) == (works, ())
    (driver.finish if works else driver.rollback)(planned, job.note)
    assert state_of(driver) is before
    assert set(places(driver).values()) == {way[1] if works else LOCAL1}
    assert driver.snapshot(EVERYTHING).vm_by_id["id-web"].autostart


def test_a_guest_that_is_moved_cold_stops_is_copied_and_starts_again(tmp_path: Path) -> None:
    driver = opened(storage_world(shutdown_seconds=30.0, boot_seconds=30.0, pool_mib_s=50.0), tmp_path, 50.0)
    planned = moving(LOCAL2, mode=Mode.COLD)
    job = begun(driver, planned)
    seen = []
    while not (progress := driver.poll([job])[0]).ended:
        site = driver.snapshot(EVERYTHING)
        seen.append((progress.phase, site.vm_by_id["id-web"].power_state))
        assert driver.snapshot(Scope(only_hosts=frozenset({"kvm2"}))).vms == (), "there is no receiving half"
        driver.clock.sleep(driver.poll_seconds)
    assert list(dict.fromkeys(seen)) == [
        (Phase.PREPARING, PowerState.RUNNING),
        (Phase.COPYING, PowerState.OFF),
        (Phase.SWITCHING, PowerState.OFF),
    ]
    verification = driver.verify(planned, job.note)
    assert state_of(driver) is PowerState.RUNNING
    assert verification.downtime_ms == pytest.approx(1000 * (3 * 1024 / 50 + 30), rel=0.01)


@pytest.mark.parametrize(("needs", "may", "stops_after"), [(5.0, 120.0, 5.0), (300.0, 20.0, 20.0)])
def test_a_guest_stops_in_its_own_time_and_is_ended_when_that_is_too_long(tmp_path: Path, needs: float, may: float, stops_after: float) -> None:
    driver = opened(storage_world(guests={"web": Guest(shutdown_seconds=needs)}), tmp_path, FAST)
    job = begun(driver, moving(LOCAL2, mode=Mode.COLD), MoveOptions(shutdown_seconds=may))
    ended(driver, job)
    downtime_seconds = (driver.verify(job.migration, job.note).downtime_ms or 0) / 1000
    last = driver._engine.moment().last_moves["id-web"]
    assert (last.ended_at or 0) - last.started_at - downtime_seconds == pytest.approx(stops_after + 0.3, abs=1e-2)


def test_a_guest_whose_cold_move_fails_runs_again_where_it_was(tmp_path: Path) -> None:
    driver = opened(storage_world(faults=(Fault(FaultKind.MOVE_FAILS, vm="web", at_percent=60.0, message="boom"),)), tmp_path, FAST)
    planned = moving(LOCAL2, mode=Mode.COLD)
    job = begun(driver, planned)
    assert ended(driver, job) == "boom"
    assert driver.verify(planned, job.note).verdict is Verdict.AT_SOURCE
    driver.rollback(planned, job.note)
    assert (state_of(driver), len(set(free_bytes(driver).values()))) == (PowerState.RUNNING, 1)


def test_a_suspended_guest_stands_still_from_the_first_byte_to_the_last(tmp_path: Path) -> None:
    driver = opened(world(vms=(vm("web", "kvm1", 1024, dirty_rate_mib_s=900.0, working_set_mib=1000),)), tmp_path, 10.0)
    planned = migration("web", "kvm1", "kvm2", mode=Mode.SUSPENDED)
    written = driver.write_note(planned, note(planned))
    job = driver.start(planned, written, MoveOptions())
    driver.clock.sleep(3.0)
    assert state_of(driver) is PowerState.PAUSED
    ended(driver, job)
    assert state_of(driver) is PowerState.RUNNING
    assert driver.verify(planned, written).downtime_ms == pytest.approx(1000 * (1024 * 2**20 / (1e9 / 8) + 0.02), rel=1e-3)


def test_a_cold_guest_keeps_its_memory_promised_on_both_ends(tmp_path: Path) -> None:
    driver = opened(storage_world(pool_mib_s=1.0), tmp_path, 100.0)
    job = begun(driver, moving(LOCAL2, mode=Mode.COLD))
    driver.clock.sleep(20.0)
    assert state_of(driver) is PowerState.OFF
    assert [driver._engine.moment().memory_used_mib(host) for host in ("kvm1", "kvm2")] == [1024, 1024]
    driver.cancel(job)
    assert [driver._engine.moment().memory_used_mib(host) for host in ("kvm1", "kvm2")] == [1024, 0]


WILD = vm("web", "kvm1", 4096, dirty_rate_mib_s=500.0, working_set_mib=2048)


def begun_wildly(driver: SimulatorDriver, **options: bool) -> tuple[Migration, Job]:
    planned = migration("web", "kvm1", "kvm2")
    job = driver.start(planned, driver.write_note(planned, note(planned)), MoveOptions(**options))  # type: ignore[arg-type]
    driver.clock.sleep(60.0)
    assert not driver.poll([job])[0].ended
    return planned, job


def test_a_guest_that_never_converges_arrives_when_it_is_suspended(tmp_path: Path) -> None:
    driver = opened(world(vms=(WILD,)), tmp_path, 25.0)
    planned, job = begun_wildly(driver)
    driver.hurry(job, TimeoutAction.SUSPEND)
    assert state_of(driver) is PowerState.PAUSED
    assert ended(driver, job) == ""
    assert state_of(driver) is PowerState.RUNNING
    assert (driver.verify(planned, job.note).downtime_ms or 0) > 1000


def test_a_guest_that_never_converges_arrives_by_post_copy_and_there_is_no_way_back(tmp_path: Path) -> None:
    driver = opened(world(vms=(WILD,)), tmp_path, 100.0)
    planned, job = begun_wildly(driver, post_copy=True)
    before = driver.poll([job])[0]
    driver.hurry(job, TimeoutAction.POST_COPY)
    after = driver.poll([job])[0]
    assert before.passes > 0
    assert (before.past_return, after.past_return) == (False, True)
    with pytest.raises(StateConflict, match="switched already"):
        driver.cancel(job)
    with pytest.raises(StateConflict):
        driver.hurry(job, TimeoutAction.SUSPEND)
    assert ended(driver, job) == ""
    assert driver.verify(planned, job.note).verdict is Verdict.ARRIVED


@pytest.mark.parametrize("action", [TimeoutAction.POST_COPY, TimeoutAction.ABORT, TimeoutAction.CONTINUE])
def test_what_does_not_bring_a_move_to_its_end_is_refused_and_the_move_goes_on(tmp_path: Path, action: TimeoutAction) -> None:
    driver = opened(world(vms=(WILD,)), tmp_path, 100.0)
    _planned, job = begun_wildly(driver)
    with pytest.raises(StateConflict):
        driver.hurry(job, action)
    assert not driver.poll([job])[0].ended


@pytest.mark.parametrize("dying", ["kvm1", "kvm2"])
def test_a_guest_whose_post_copy_breaks_is_lost(tmp_path: Path, dying: str) -> None:
    hosts = tuple(dataclasses.replace(host, management_link_mbps=100) for host in world().site.hosts)
    driver = opened(world(hosts, (WILD,), faults=(Fault(FaultKind.HOST_DIES, host=dying, at_seconds=100.0),)), tmp_path, 100.0)
    _planned, job = begun_wildly(driver, post_copy=True)
    driver.hurry(job, TimeoutAction.POST_COPY)
    driver.clock.sleep(100.0)
    assert {seen.power_state for seen in driver.snapshot(EVERYTHING).vms} <= {PowerState.OFF}


def test_options_that_only_real_hypervisors_heed_are_accepted(tmp_path: Path) -> None:
    driver = opened(storage_world(), tmp_path, FAST)
    options = MoveOptions(encrypt=True, compression="zstd", connections=4, post_copy=True, eject_media=True)
    assert driver.check(moving(LOCAL2), options) == ()
    assert ended(driver, begun(driver, moving(LOCAL2), options)) == ""
