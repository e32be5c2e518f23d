# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks that move from pool to pool, alone or along with their VM: where they are afterwards, what space they take meanwhile, what stops them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind

from tests.unit.drivers.simulator.small_world import CRAWLING_MBPS, ended, opened
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
    moving,
    noted,
    places,
    pool,
    storage_world,
    web,
)

FAST = 1000.0
BOTH = 3 * GIB


def codes(driver: SimulatorDriver, planned: object) -> set[str]:
    return {reason.code for reason in driver.check(planned, MoveOptions())}  # type: ignore[arg-type]


def test_a_vm_takes_its_disks_along_to_another_host_and_nothing_of_them_stays(tmp_path: Path) -> None:
    driver = opened(storage_world(), tmp_path, FAST)
    planned = moving(LOCAL2)
    assert driver.check(planned, MoveOptions()) == ()
    job = begun(driver, planned)
    assert free_bytes(driver) == {LOCAL1: FREE_BYTES, LOCAL2: FREE_BYTES - BOTH, SHARED: FREE_BYTES, OTHER: FREE_BYTES}
    assert ended(driver, job) == ""
    verification = driver.verify(planned, job.note)
    assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ())
    assert free_bytes(driver)[LOCAL1] == FREE_BYTES, "the source is deleted when the move is finished, not before"
    assert driver.finish(planned, job.note) == driver.finish(planned, job.note) == ()
    arrived = driver.snapshot(EVERYTHING).vm_by_id["id-web"]
    assert (arrived.host, arrived.autostart, arrived.note) == ("kvm2", True, None)
    assert [(volume.id, volume.path) for volume in arrived.volumes] == [
        ("kvm2/local/web-root", "/srv/local/web-root"),
        ("kvm2/local/web-data", "/srv/local/web-data"),
    ]
    assert free_bytes(driver) == {LOCAL1: FREE_BYTES + BOTH, LOCAL2: FREE_BYTES - BOTH, SHARED: FREE_BYTES, OTHER: FREE_BYTES}


def test_the_disks_alone_move_and_the_vm_stays_as_it_is(tmp_path: Path) -> None:
    driver = opened(storage_world(pool_mib_s=100.0), tmp_path, 20.0)
    planned = moving(SHARED, "kvm1")
    job = begun(driver, planned)
    assert driver.verify(planned, job.note).verdict is Verdict.IN_FLIGHT
    assert driver.snapshot(EVERYTHING).vm_by_id["id-web"].operation is OperationKind.BLOCK_JOB
    ended(driver, job)
    assert driver.verify(planned, job.note).verdict is Verdict.ARRIVED
    driver.finish(planned, job.note)
    after = driver.snapshot(EVERYTHING).vm_by_id["id-web"]
    assert (after.host, after.autostart, places(driver)) == ("kvm1", True, {"vda": SHARED, "vdb": SHARED})
    assert [volume.path for volume in after.volumes] == ["/srv/shared/web-root", "/srv/shared/web-data"]


def test_one_of_the_disks_may_go_while_the_other_one_stays(tmp_path: Path) -> None:
    driver = opened(storage_world(), tmp_path, FAST)
    planned = moving(SHARED, "kvm1")
    planned = dataclasses.replace(planned, volumes=(planned.volumes[0], VolumeMove(f"{LOCAL1}/web-data", LOCAL1, LOCAL1, device="vdb")))
    job = begun(driver, planned)
    ended(driver, job)
    driver.finish(planned, job.note)
    assert places(driver) == {"vda": SHARED, "vdb": LOCAL1}


@pytest.mark.parametrize(("copy", "backing"), [(DiskCopy.INCREMENTAL, ("/srv/shared/base.qcow2",)), (DiskCopy.FULL, ())])
def test_a_linked_clone_finds_its_base_in_the_new_pool_or_is_flat(tmp_path: Path, copy: DiskCopy, backing: tuple[str, ...]) -> None:
    clone = web(volumes=(disk("web-root", backing=("/srv/local/base.qcow2",)),))
    driver = opened(storage_world(clone), tmp_path, FAST)
    planned = moving(SHARED, "kvm1", of=clone, disk_copy=copy)
    planned = dataclasses.replace(planned, volumes=(dataclasses.replace(planned.volumes[0], format="raw" if copy is DiskCopy.FULL else ""),))
    ended(driver, begun(driver, planned))
    (moved,) = driver.snapshot(EVERYTHING).vm_by_id["id-web"].volumes
    assert (moved.backing, moved.format) == (backing, "raw" if copy is DiskCopy.FULL else "qcow2")


def test_a_disk_whose_name_is_taken_in_the_new_pool_gets_another_one(tmp_path: Path) -> None:
    driver = opened(storage_world(volumes=(disk("web-root", SHARED),)), tmp_path, FAST)
    planned = moving(SHARED, "kvm1")
    ended(driver, begun(driver, planned))
    assert [volume.id for volume in driver.snapshot(EVERYTHING).vm_by_id["id-web"].volumes] == ["shared/web-root-2", "shared/web-data"]


def test_the_disks_are_copied_before_the_memory_and_the_progress_tells(tmp_path: Path) -> None:
    driver = opened(storage_world(mbps=1000), tmp_path, 20.0)
    job = begun(driver, moving(LOCAL2))
    seen = []
    while not seen or not seen[-1].ended:
        seen.append(driver.poll([job])[0])
        driver.clock.sleep(driver.poll_seconds)
    copying = [progress for progress in seen if progress.phase is Phase.COPYING]
    assert {progress.total_bytes for progress in copying} == {BOTH + GIB}
    assert [progress.percent for progress in copying] == sorted(progress.percent for progress in copying)
    assert copying[0].remaining_bytes > GIB > copying[-1].remaining_bytes
    assert seen[-1].percent == 100.0


def test_a_copy_on_one_host_is_as_fast_as_its_pools_and_one_between_hosts_as_fast_as_its_links(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    within = opened(storage_world(mbps=CRAWLING_MBPS, pool_mib_s=100.0), tmp_path / "one", 20.0)
    job = begun(within, moving(SHARED, "kvm1"))
    within.clock.sleep(3.0)
    assert within.poll([job])[0].rate_mib_s == pytest.approx(100.0)
    between = opened(storage_world(mbps=CRAWLING_MBPS), tmp_path / "two", 20.0)
    job = begun(between, moving(LOCAL2))
    between.clock.sleep(3.0)
    assert between.poll([job])[0].rate_mib_s == pytest.approx(1e6 / 8 / 2**20)


@pytest.mark.parametrize("percent", [1.0, 50.0, 74.0, 99.0])
def test_a_move_that_fails_on_its_way_leaves_the_vm_and_after_the_roll_back_nothing_else(tmp_path: Path, percent: float) -> None:
    fault = Fault(FaultKind.MOVE_FAILS, vm="web", at_percent=percent, message="boom")
    driver = opened(storage_world(faults=(fault,)), tmp_path, FAST)
    pristine = driver.snapshot(EVERYTHING)
    planned = moving(LOCAL2)
    job = begun(driver, planned)
    assert ended(driver, job) == "boom"
    assert driver.verify(planned, job.note).verdict is Verdict.AT_SOURCE
    assert free_bytes(driver)[LOCAL2] == FREE_BYTES - BOTH, "what was copied lies there until it is removed"
    with pytest.raises(StateConflict):
        driver.finish(planned, job.note)
    assert driver.rollback(planned, job.note) == driver.rollback(planned, job.note) == ()
    after = driver.snapshot(EVERYTHING)
    assert (after.vms, after.pools) == (pristine.vms, pristine.pools)


def test_a_move_that_is_aborted_among_its_disks_leaves_nothing(tmp_path: Path) -> None:
    driver = opened(storage_world(pool_mib_s=1.0), tmp_path, 20.0)
    planned = moving(SHARED, "kvm1")
    job = begun(driver, planned)
    driver.clock.sleep(5.0)
    assert 0 < driver.poll([job])[0].percent < 100
    driver.cancel(job)
    assert driver.poll([job])[0].phase is Phase.CANCELLED
    driver.rollback(planned, job.note)
    assert places(driver) == {"vda": LOCAL1, "vdb": LOCAL1}
    assert set(free_bytes(driver).values()) == {FREE_BYTES}


@pytest.mark.parametrize("dying", [LOCAL1, SHARED])
def test_when_either_pool_dies_the_copy_ends_and_the_disk_is_where_it_was(tmp_path: Path, dying: str) -> None:
    fault = Fault(FaultKind.POOL_DIES, pool=dying, at_seconds=20.0)
    driver = opened(storage_world(faults=(fault,), pool_mib_s=1.0), tmp_path, 100.0)
    planned = moving(SHARED, "kvm1")
    job = begun(driver, planned)
    assert f"in pool {dying}" in ended(driver, job)
    assert driver.verify(planned, job.note).verdict is Verdict.AT_SOURCE
    assert places(driver) == {"vda": LOCAL1, "vdb": LOCAL1}


def test_a_move_that_arrived_is_not_rolled_back_and_one_that_did_not_is_not_finished(tmp_path: Path) -> None:
    driver = opened(storage_world(), tmp_path, FAST)
    planned = moving(SHARED, "kvm1")
    written = noted(driver, planned)
    assert driver.verify(planned, written).verdict is Verdict.AT_SOURCE
    with pytest.raises(StateConflict):
        driver.finish(planned, written)
    ended(driver, driver.start(planned, written, MoveOptions()))
    with pytest.raises(StateConflict):
        driver.rollback(planned, written)
    assert places(driver) == {"vda": SHARED, "vdb": SHARED}


def test_what_storage_makes_impossible_is_named_before_and_fails_if_tried(tmp_path: Path) -> None:
    small = (pool(LOCAL1), pool(LOCAL2), pool(SHARED, free_bytes=BOTH - 1), pool(OTHER))
    driver = opened(storage_world(pools=small), tmp_path, FAST)
    here = moving(SHARED, "kvm1")
    assert codes(driver, here) == {"insufficient_storage"}
    assert "No space left on device" in ended(driver, begun(driver, here))
    driver.rollback(here, noted(driver, here))
    assert codes(driver, moving(LOCAL2, "kvm1")) == {"pool_not_on_host"}
    assert codes(driver, moving(LOCAL1, "kvm1")) == {"same_pool"}
    assert codes(driver, moving("nowhere", "kvm1")) == {"pool_unknown"}
    unknown = dataclasses.replace(here, volumes=(VolumeMove("vdz", LOCAL1, OTHER, device="vdz"),))
    assert codes(driver, unknown) == {"volume_unknown"}
    assert set(free_bytes(driver).values()) == {FREE_BYTES, BOTH - 1}


def test_a_pool_that_is_dead_or_in_maintenance_takes_nothing(tmp_path: Path) -> None:
    driver = opened(storage_world(faults=(Fault(FaultKind.POOL_DIES, pool=OTHER),)), tmp_path, FAST)
    assert codes(driver, moving(OTHER, "kvm1")) == {"pool_inactive"}
    closed = Maintenance(MaintenanceState.PREPARING, "ann", "to be retired", 5.0)
    driver.set_pool_maintenance(SHARED, closed)
    assert driver.snapshot(EVERYTHING).pool_by_id[SHARED].maintenance == closed
    assert codes(driver, moving(SHARED, "kvm1")) == {"pool_in_maintenance"}
    driver.set_pool_maintenance(SHARED, Maintenance())
    assert codes(driver, moving(SHARED, "kvm1")) == set()
    with pytest.raises(InputError, match="nowhere"):
        driver.set_pool_maintenance("nowhere", closed)


def test_space_that_is_promised_to_one_move_is_not_there_for_the_next(tmp_path: Path) -> None:
    second = dataclasses.replace(web(), id="id-db", name="db", volumes=(disk("db-root", gib=3),))
    small = (pool(LOCAL1), pool(LOCAL2), pool(SHARED, free_bytes=5 * GIB), pool(OTHER))
    driver = opened(storage_world(web(), second, pools=small, pool_mib_s=1.0), tmp_path, FAST)
    begun(driver, moving(SHARED, "kvm1"))
    late = moving(SHARED, "kvm1", of=second)
    assert codes(driver, late) == {"insufficient_storage"}
    assert "No space left" in ended(driver, begun(driver, late))
    assert free_bytes(driver)[SHARED] == 2 * GIB


def test_snapshots_travel_with_their_vm(tmp_path: Path) -> None:
    driver = opened(storage_world(web(snapshots=2)), tmp_path, FAST)
    planned = moving(LOCAL2)
    assert codes(driver, planned) == set()
    ended(driver, begun(driver, planned))
    assert driver.snapshot(EVERYTHING).vm_by_id["id-web"].snapshots == 2


def test_a_second_run_adopts_a_move_of_disks_with_all_that_its_note_holds(tmp_path: Path) -> None:
    first = opened(storage_world(pool_mib_s=20.0), tmp_path, 100.0)
    begun(first, moving(SHARED, "kvm1"))
    second = SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(str(tmp_path / "world.json"), speed=100.0)))
    (found,) = second.in_flight()
    assert found.note is not None
    job = second.adopt(found)
    assert [(move.volume, move.target_pool) for move in job.migration.volumes] == [(f"{LOCAL1}/web-root", SHARED), (f"{LOCAL1}/web-data", SHARED)]
    assert ended(second, job) == ""
    assert second.verify(job.migration, found.note).verdict is Verdict.ARRIVED
    second.finish(job.migration, found.note)
    assert free_bytes(first) == {LOCAL1: FREE_BYTES + BOTH, SHARED: FREE_BYTES - BOTH, LOCAL2: FREE_BYTES, OTHER: FREE_BYTES}


def test_a_state_file_of_the_version_before_still_counts(tmp_path: Path) -> None:
    driver = opened(storage_world(), tmp_path, FAST)
    old = {"at": 5.0, "vms": {"id-web": {"host": "kvm2", "autostart": True}}, "maintenance": {"kvm1": {"state": "preparing"}}}
    (tmp_path / "world.json.state.json").write_text(json.dumps(old))
    seen = driver.snapshot(EVERYTHING)
    assert (seen.vm_by_id["id-web"].host, places(driver)) == ("kvm2", {"vda": LOCAL1, "vdb": LOCAL1})
    assert not seen.host_by_name["kvm1"].is_open


@pytest.mark.parametrize(
    "state",
    [
        {"vms": {"id-web": {"host": "kvm1", "volumes": [{"id": "x", "pool": "elsewhere"}]}}},
        {"pool_maintenance": {"elsewhere": {"state": "maintenance"}}},
        {"volumes": {"elsewhere/disk": {"id": "shared/disk", "pool": "shared"}}},
    ],
)
def test_a_state_that_speaks_of_storage_of_another_world_is_refused(tmp_path: Path, state: dict[str, object]) -> None:
    driver = opened(storage_world(), tmp_path)
    (tmp_path / "world.json.state.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="elsewhere") as caught:
        driver.snapshot(EVERYTHING)
    assert caught.value.code == "state_of_another_world"
