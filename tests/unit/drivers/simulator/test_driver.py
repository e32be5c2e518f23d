# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator keeps the drivers' contract: notes, moves, verifying, claims and what else a real hypervisor would do."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, LIGHT, HostLoad, InFlight, Scope, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.foreign import start_foreign_migration
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError, OperationInProgress, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.note import ClaimKind, Home, NotePhase
from ansible_collections.vmops.migration.plugins.module_utils.model.options import HostOptions, SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, PowerState

from tests.unit.drivers.simulator.small_world import CRAWLING_MBPS, claim, ended, host, migration, note, opened, options, started, vm, world

FAST = 1000.0
WEB = migration("web", "kvm1", "kvm2")
CRAWLING = world((host("kvm1", CRAWLING_MBPS), host("kvm2", CRAWLING_MBPS)))


def where(driver: SimulatorDriver, name: str = "web") -> str:
    return driver.snapshot(EVERYTHING).vm_by_id[f"id-{name}"].host


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_move_from_note_to_finish(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path, FAST)
    written = note(WEB, autostart=True, home=Home("kvm1", since=5.0))
    assert driver.check(WEB, MoveOptions()) == ()
    assert ended(driver, started(driver, WEB, written)) == ""
    verification = driver.verify(WEB, written)
    assert verification.verdict is Verdict.ARRIVED
    assert verification.reasons == ()
    assert verification.downtime_ms is not None
    assert driver.snapshot(EVERYTHING).vm_by_id["id-web"].autostart is False
    assert driver.finish(WEB, written) == driver.finish(WEB, written) == ()
    arrived = driver.snapshot(EVERYTHING).vm_by_id["id-web"]
    assert (arrived.host, arrived.autostart, arrived.power_state) == ("kvm2", True, PowerState.RUNNING)
    assert arrived.note is not None
    assert arrived.note.phase is NotePhase.SETTLED
    assert arrived.home == Home("kvm1", since=5.0, away_on="kvm2")


def test_reading_writes_nothing_not_even_a_lock(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    before = files(tmp_path)
    for scope in (EVERYTHING, LIGHT, Scope(only_hosts=frozenset({"kvm1"}))):
        driver.snapshot(scope)
    driver.check(WEB, MoveOptions())
    driver.verify(WEB, note(WEB))
    assert driver.in_flight() == driver.claims("kvm1") == ()
    assert driver.stop_requested("kvm1") is None
    assert files(tmp_path) == before


def test_looking_at_a_move_writes_nothing_although_it_goes_on(tmp_path: Path) -> None:
    driver = opened(CRAWLING, tmp_path, FAST)
    job = started(driver, WEB, note(WEB))
    before = files(tmp_path)
    first = driver.poll([job])[0]
    time.sleep(0.02)
    second = driver.poll([job])[0]
    assert second.processed_bytes > first.processed_bytes
    assert second.at > first.at
    assert files(tmp_path) == before


def test_a_move_without_its_note_is_not_started(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    with pytest.raises(StateConflict, match="does not carry the note"):
        driver.start(WEB, note(WEB), MoveOptions())
    driver.write_note(WEB, note(WEB, "op-1"))
    with pytest.raises(StateConflict, match="does not carry the note"):
        driver.start(WEB, note(WEB, "op-2"), MoveOptions())


def test_during_a_move_neither_a_note_nor_a_second_move_is_possible(tmp_path: Path) -> None:
    driver = opened(CRAWLING, tmp_path)
    written = note(WEB)
    started(driver, WEB, written)
    with pytest.raises(StateConflict, match="is migrating"):
        driver.write_note(WEB, written)
    with pytest.raises(OperationInProgress):
        driver.start(WEB, written, MoveOptions())
    with pytest.raises(StateConflict):
        driver.finish(WEB, written)
    with pytest.raises(StateConflict):
        driver.rollback(WEB, written)
    assert driver.verify(WEB, written).verdict is Verdict.IN_FLIGHT


@pytest.mark.rule("CAS-18", sign="+")
def test_a_vm_on_its_way_is_seen_on_its_source_and_from_the_target_alone_as_incoming(tmp_path: Path) -> None:
    driver = opened(CRAWLING, tmp_path)
    started(driver, WEB, note(WEB))
    (seen,) = driver.snapshot(EVERYTHING).vms
    assert (seen.host, seen.operation, seen.operation_target, seen.power_state) == ("kvm1", OperationKind.MIGRATION_OUT, "kvm2", PowerState.RUNNING)
    (incoming,) = driver.snapshot(Scope(only_hosts=frozenset({"kvm2"}))).vms
    assert (incoming.host, incoming.operation, incoming.power_state, incoming.persistent) == ("kvm2", OperationKind.MIGRATION_IN, PowerState.PAUSED, False)


@pytest.mark.rule("CAS-08", sign="+")
@pytest.mark.rule("CAS-27", sign="+")
def test_an_aborted_move_leaves_the_vm_and_after_the_roll_back_nothing_else(tmp_path: Path) -> None:
    driver = opened(CRAWLING, tmp_path)
    pristine = driver.snapshot(EVERYTHING)
    written = note(WEB)
    job = started(driver, WEB, written)
    driver.cancel(job)
    (progress,) = driver.poll([job])
    assert (progress.ended, progress.phase) == (True, Phase.CANCELLED)
    assert driver.verify(WEB, written).verdict is Verdict.AT_SOURCE
    assert driver.rollback(WEB, written) == driver.rollback(WEB, written) == ()
    assert driver.snapshot(EVERYTHING).vms == pristine.vms
    driver.cancel(job)


@pytest.mark.rule("CAS-08", sign="-")
def test_an_arrived_move_cannot_be_aborted(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path, FAST)
    job = started(driver, WEB, note(WEB))
    ended(driver, job)
    with pytest.raises(StateConflict, match="has switched already") as caught:
        driver.cancel(job)
    assert caught.value.code == "state_conflict"


def test_a_failed_return_does_not_forget_the_home_of_an_earlier_drain(tmp_path: Path) -> None:
    faults = (Fault(FaultKind.HOST_REFUSES, host="kvm3", times=0),)
    driver = opened(world((host("kvm1"), host("kvm2"), host("kvm3")), faults=faults), tmp_path, FAST)
    first = note(WEB, home=Home("kvm1", since=5.0))
    ended(driver, started(driver, WEB, first))
    driver.finish(WEB, first)
    onwards = migration("web", "kvm2", "kvm3")
    second = note(onwards, "op-2", home=Home("kvm1", since=5.0, away_on="kvm2"))
    assert "Connection refused" in ended(driver, started(driver, onwards, second))
    driver.rollback(onwards, second)
    assert driver.snapshot(EVERYTHING).vm_by_id["id-web"].home == Home("kvm1", since=5.0, away_on="kvm2")


def test_a_return_home_leaves_no_note(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path, FAST)
    pristine = driver.snapshot(EVERYTHING).vms
    away = note(WEB, autostart=True, home=Home("kvm1", since=5.0))
    ended(driver, started(driver, WEB, away))
    driver.finish(WEB, away)
    back = migration("web", "kvm2", "kvm1")
    returning = note(back, "op-2", autostart=True, home=Home("kvm1", since=5.0, away_on="kvm2"))
    ended(driver, started(driver, back, returning))
    driver.finish(back, returning)
    assert driver.snapshot(EVERYTHING).vms == pristine


def test_a_definition_that_is_shut_off_does_not_hide_where_the_vm_lives(tmp_path: Path) -> None:
    driver = opened(world(vms=(vm("web", "kvm1", also_on=("kvm2",)), vm("off", "kvm1", also_on=("kvm2",), power_state=PowerState.OFF))), tmp_path)
    assert driver.verify(WEB, note(WEB)).verdict is Verdict.AT_SOURCE
    off = migration("off", "kvm1", "kvm2")
    assert driver.verify(off, note(off)).verdict is Verdict.ON_BOTH


def test_a_fault_strikes_as_often_as_it_says(tmp_path: Path) -> None:
    driver = opened(world(faults=(Fault(FaultKind.MOVE_FAILS, vm="web", at_percent=30, times=2, message="boom"),)), tmp_path, FAST)
    said = []
    for attempt in range(3):
        written = note(WEB, f"op-{attempt}")
        said.append(ended(driver, started(driver, WEB, written)))
        if said[-1]:
            driver.rollback(WEB, written)
    assert said == ["boom", "boom", ""]
    assert where(driver) == "kvm2"


def test_memory_is_never_over_committed_whatever_was_planned(tmp_path: Path) -> None:
    hosts = (host("kvm1", CRAWLING_MBPS), host("kvm2", CRAWLING_MBPS, memory_mib=3000))
    driver = opened(world(hosts, (vm("a", "kvm1", 2000), vm("b", "kvm1", 2000))), tmp_path, FAST)
    jobs = [started(driver, planned, note(planned)) for planned in (migration("a", "kvm1", "kvm2"), migration("b", "kvm1", "kvm2"))]
    assert "kvm2 has 1000 of 2000 MiB" in ended(driver, jobs[1])
    assert not driver.poll(jobs)[0].ended


@pytest.mark.parametrize(
    ("facts", "target_facts", "code"),
    [
        ({"host_devices": ("pci_0000_01_00_0",)}, {}, "host_device"),
        ({"operation": OperationKind.BLOCK_JOB}, {}, "block_job_active"),
        ({"power_state": PowerState.OFF}, {}, "power_state"),
        ({"memory_mib": 70000}, {}, "insufficient_memory"),
        ({}, {"pools": frozenset()}, "pool_not_on_host"),
        ({"required_cpu_features": frozenset({"avx2"})}, {"cpu_features": frozenset({"aes"})}, "cpu_incompatible"),
        ({"architecture": "x86_64"}, {"architecture": "aarch64"}, "arch_mismatch"),
        ({"also_on": ("kvm2",)}, {}, "also_defined_elsewhere"),
    ],
)
def test_what_is_physically_impossible_is_named_before_and_fails_if_tried(
    tmp_path: Path, facts: dict[str, object], target_facts: dict[str, object], code: str
) -> None:
    driver = opened(world((host("kvm1"), host("kvm2", **target_facts)), (vm("web", "kvm1", **facts),)), tmp_path, FAST)
    assert code in {reason.code for reason in driver.check(WEB, MoveOptions())}
    assert ended(driver, started(driver, WEB, note(WEB))).startswith("operation failed")
    assert where(driver) == "kvm1"


def test_a_second_run_finds_and_adopts_what_the_first_one_started(tmp_path: Path) -> None:
    first = opened(CRAWLING, tmp_path)
    written = note(WEB)
    started(first, WEB, written)
    second = SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(str(tmp_path / "world.json"))))
    (found,) = second.in_flight()
    assert (found.vm, found.source_host, found.target_host, found.is_ours, found.note) == ("id-web", "kvm1", "kvm2", True, written)
    job = second.adopt(found)
    assert second.poll([job])[0].processed_bytes == pytest.approx(first.poll([job])[0].processed_bytes, abs=1e5)


def test_a_migration_of_somebody_else_is_foreign_and_cannot_be_adopted(tmp_path: Path) -> None:
    driver = opened(CRAWLING, tmp_path)
    start_foreign_migration(options(CRAWLING, tmp_path), "web", "kvm2")
    (found,) = driver.in_flight()
    assert not found.is_ours
    with pytest.raises(StateConflict, match="not ours"):
        driver.adopt(found)
    with pytest.raises(OperationInProgress):
        start_foreign_migration(options(CRAWLING, tmp_path), "web", "kvm2")


def test_a_note_about_another_move_does_not_make_a_foreign_migration_ours(tmp_path: Path) -> None:
    hosts = tuple(host(name, CRAWLING_MBPS) for name in ("kvm1", "kvm2", "kvm3"))
    driver = opened(world(hosts), tmp_path)
    driver.write_note(WEB, note(WEB))
    start_foreign_migration(options(world(hosts), tmp_path), "web", "kvm3")
    assert driver.in_flight() == (InFlight("id-web", "web", "kvm1", "kvm3", 1024),)


def test_a_light_snapshot_holds_light_facts_only(tmp_path: Path) -> None:
    driver = opened(world(vms=(vm("web", "kvm1"), vm("db", "kvm2"))), tmp_path)
    light = driver.snapshot(Scope(vms=frozenset({"web"}), hosts=frozenset()))
    assert {seen.name: (seen.detailed, len(seen.volumes), seen.memory_mib) for seen in light.vms} == {"web": (True, 1, 1024), "db": (False, 0, 1024)}


def test_a_snapshot_of_some_hosts_holds_nothing_of_the_others(tmp_path: Path) -> None:
    driver = opened(world(vms=(vm("web", "kvm1"), vm("db", "kvm2"))), tmp_path)
    part = driver.snapshot(Scope(only_hosts=frozenset({"kvm2"})))
    assert [seen.name for seen in part.hosts] == ["kvm2"]
    assert [seen.name for seen in part.vms] == ["db"]


def test_unknown_facts_stay_unknown_and_the_overlay_is_laid_over_them(tmp_path: Path) -> None:
    hosts = (host("kvm1"), dataclasses.replace(host("kvm2"), management_link_mbps=None, memory_mib=None))
    given = dataclasses.replace(options(world(hosts), tmp_path), hosts={"kvm2": HostOptions(memory_mib=4096)})
    seen = SimulatorDriver(given).snapshot(EVERYTHING).host_by_name["kvm2"]
    assert (seen.management_link_mbps, seen.memory_mib) == (None, 4096)


def test_a_claim_of_memory_is_judged_on_the_load_with_the_overlay_and_what_is_coming(tmp_path: Path) -> None:
    made = world(
        (host("kvm1", CRAWLING_MBPS), host("kvm2", CRAWLING_MBPS)), (vm("web", "kvm1"), vm("db", "kvm2", 2048), vm("off", "kvm2", power_state=PowerState.OFF))
    )
    driver = SimulatorDriver(dataclasses.replace(options(made, tmp_path), hosts={"kvm2": HostOptions(memory_mib=4096, reserved_memory_mib=512)}))
    started(driver, WEB, note(WEB))
    seen: list[HostLoad] = []
    assert driver.claim(claim(ClaimKind.MEMORY, "kvm2", "id-new"), seen.append) is None
    assert (seen[0].memory_mib, seen[0].reserved_memory_mib, seen[0].is_open) == (4096, 512, True)
    assert {entry.vm: entry.memory_mib for entry in seen[0].vms} == {"id-web": 1024, "id-db": 2048}


def test_nothing_moves_where_the_names_are_wrong(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    for wrong in (migration("mail", "kvm1", "kvm2"), migration("web", "kvm1", "kvm9")):
        with pytest.raises(InputError):
            driver.check(wrong, MoveOptions())


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(InputError, match=r"site\.simulator\.speed"):
        opened(world(), tmp_path, speed)
