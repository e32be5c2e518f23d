# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Detached volumes: listed where they are asked for, moved from pool to pool, deleted at their source in the end."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Job, Scope, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError, OperationInProgress, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.note import ClaimKind, Controller
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.unit.drivers.simulator.small_world import claim, ended, note, opened
from tests.unit.drivers.simulator.storage_world import (
    FREE_BYTES,
    GIB,
    LOCAL1,
    LOCAL2,
    OTHER,
    SHARED,
    begun,
    disk,
    free_bytes,
    loose,
    moving_volume,
    storage_world,
)

FAST = 1000.0
OLD = disk("old-data", SHARED, 4, device="")
TO_OTHER = moving_volume(OLD, OTHER)


def opened_with(tmp_path: Path, speed: float = FAST, **facts: object) -> SimulatorDriver:
    return opened(storage_world(volumes=(OLD, disk("spare", LOCAL2, device="")), **facts), tmp_path, speed)  # type: ignore[arg-type]


def begun_by(driver: SimulatorDriver, controller: Controller) -> Job:
    written = driver.write_note(TO_OTHER, dataclasses.replace(note(TO_OTHER), controller=controller))
    return driver.start(TO_OTHER, written, MoveOptions())


def test_they_are_listed_for_the_pools_that_are_asked_for_only(tmp_path: Path) -> None:
    driver = opened_with(tmp_path)
    assert driver.snapshot(EVERYTHING).volumes == ()
    assert driver.snapshot(Scope(volumes_of=frozenset({SHARED}))).volumes == (OLD,)
    assert loose(driver) == {"shared/old-data": SHARED, "kvm2/local/spare": LOCAL2}
    assert driver.snapshot(Scope(only_hosts=frozenset({"kvm1"}), volumes_of=frozenset({LOCAL2}))).volumes == ()


def test_one_moves_to_another_pool_and_is_at_its_source_no_more(tmp_path: Path) -> None:
    driver = opened_with(tmp_path)
    assert driver.check(TO_OTHER, MoveOptions()) == ()
    job = begun(driver, TO_OTHER)
    assert ended(driver, job) == ""
    assert loose(driver)["shared/old-data"] == SHARED, "until the move is finished it is where it was"
    assert driver.verify(TO_OTHER, job.note).verdict is Verdict.ARRIVED
    assert driver.finish(TO_OTHER, job.note) == driver.finish(TO_OTHER, job.note) == ()
    assert driver.verify(TO_OTHER, job.note).verdict is Verdict.ARRIVED
    assert loose(driver) == {"other/old-data": OTHER, "kvm2/local/spare": LOCAL2}
    (moved,) = driver.snapshot(Scope(volumes_of=frozenset({OTHER}))).volumes
    assert (moved.path, moved.name, moved.capacity_bytes) == ("/srv/other/old-data", OLD.name, OLD.capacity_bytes)
    assert free_bytes(driver) == {SHARED: FREE_BYTES + 4 * GIB, OTHER: FREE_BYTES - 4 * GIB, LOCAL1: FREE_BYTES, LOCAL2: FREE_BYTES}
    back = moving_volume(moved, SHARED)
    job = begun(driver, back, operation_id="op-2")
    ended(driver, job)
    driver.finish(back, job.note)
    assert loose(driver) == {"shared/old-data": SHARED, "kvm2/local/spare": LOCAL2}
    assert set(free_bytes(driver).values()) == {FREE_BYTES}


def test_from_the_pool_of_one_host_to_that_of_another_it_crosses_the_network(tmp_path: Path) -> None:
    driver = opened_with(tmp_path, 20.0, mbps=100)
    spare = disk("spare", LOCAL2, device="")
    job = begun(driver, moving_volume(spare, LOCAL1, "kvm2", "kvm1"))
    driver.clock.sleep(3.0)
    assert driver.poll([job])[0].rate_mib_s == pytest.approx(100e6 / 8 / 2**20)
    assert driver.in_flight() == (), "it is no VM's, and nobody adopts it"
    assert driver.verify(job.migration, job.note).verdict is Verdict.IN_FLIGHT


def test_a_copy_that_fails_or_is_aborted_leaves_the_volume_alone(tmp_path: Path) -> None:
    fault = Fault(FaultKind.MOVE_FAILS, volume=OLD.id, message="boom")
    driver = opened_with(tmp_path, 100.0, faults=(fault,), pool_mib_s=200.0)
    first = begun(driver, TO_OTHER)
    assert ended(driver, first) == "boom"
    assert driver.verify(TO_OTHER, first.note).verdict is Verdict.AT_SOURCE
    with pytest.raises(StateConflict):
        driver.finish(TO_OTHER, first.note)
    driver.rollback(TO_OTHER, first.note)
    second = begun(driver, TO_OTHER, operation_id="op-2")
    with pytest.raises(StateConflict):
        driver.rollback(TO_OTHER, second.note)
    driver.cancel(second)
    assert driver.poll([second])[0].phase is Phase.CANCELLED
    driver.rollback(TO_OTHER, second.note)
    assert loose(driver)["shared/old-data"] == SHARED
    assert set(free_bytes(driver).values()) == {FREE_BYTES}


def test_nothing_starts_without_its_note_and_nothing_where_the_volume_is_unknown(tmp_path: Path) -> None:
    driver = opened_with(tmp_path)
    with pytest.raises(StateConflict, match="does not carry the note"):
        driver.start(TO_OTHER, note(TO_OTHER), MoveOptions())
    unknown = moving_volume(disk("nothing", SHARED), OTHER)
    for act in (lambda: driver.check(unknown, MoveOptions()), lambda: driver.write_note(unknown, note(unknown))):
        with pytest.raises(InputError) as caught:
            act()
        assert caught.value.code == "volume_unknown"


def test_what_cannot_be_copied_is_named(tmp_path: Path) -> None:
    driver = opened_with(tmp_path)
    spare = disk("spare", LOCAL2, device="")

    def codes(*way: str) -> set[str]:
        return {reason.code for reason in driver.check(moving_volume(spare, *way), MoveOptions())}

    assert codes(SHARED, "kvm1", "kvm1") == {"pool_not_on_host"}
    assert codes(LOCAL2, "kvm2", "kvm2") == {"same_pool"}
    assert codes(LOCAL1, "kvm2", "kvm1") == set()
    job = begun(driver, moving_volume(spare, SHARED, "kvm1", "kvm1"))
    assert "is not on kvm1" in ended(driver, job)
    assert driver.verify(job.migration, job.note).verdict is Verdict.AT_SOURCE
    driver.rollback(job.migration, job.note)
    assert loose(driver)["kvm2/local/spare"] == LOCAL2


def test_a_copy_of_a_dead_controller_is_made_anew_and_one_of_a_living_one_left_alone(tmp_path: Path) -> None:
    driver = opened_with(tmp_path, 20.0, pool_mib_s=50.0)
    begun(driver, TO_OTHER)
    with pytest.raises(OperationInProgress):
        driver.write_note(TO_OTHER, note(TO_OTHER, "op-2"))
    dead = dataclasses.replace(note(TO_OTHER).controller, started_ticks=1)
    (tmp_path / "dead").mkdir()
    driver = opened_with(tmp_path / "dead", 20.0, pool_mib_s=50.0)
    left = begun_by(driver, dead)
    job = begun(driver, TO_OTHER, operation_id="op-2")
    assert free_bytes(driver)[OTHER] == FREE_BYTES - 4 * GIB, "of the first copy nothing is left"
    assert driver.poll([left])[0].ended
    ended(driver, job)
    driver.finish(TO_OTHER, job.note)
    assert loose(driver)["other/old-data"] == OTHER


def test_a_claim_on_a_volume_keeps_other_operations_away(tmp_path: Path) -> None:
    driver = opened_with(tmp_path)
    mine = claim(ClaimKind.VOLUME, "kvm1", OLD.id, "op-1", time.time())
    assert driver.claim(mine) is None
    refused = driver.claim(dataclasses.replace(mine, operation_id="op-2"))
    assert refused is not None
    assert (refused.code, f"has volume {OLD.id}" in refused.message) == ("operation_in_progress", True)
    driver.release([mine])
    assert driver.claims("kvm1") == ()
