# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several processes in one world, and processes that are killed: nothing is lost, nothing is given twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.note import ClaimKind
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

from tests.unit.drivers.simulator.small_world import claim, host, world, write
from tests.unit.drivers.simulator.storage_world import FREE_BYTES, GIB, LOCAL1, LOCAL2, free_bytes, moving, places, storage_world

RIVAL = Path(__file__).with_name("rival.py")


@contextmanager
def rival(act: str, path: Path, argument: str, speed: float = 1.0) -> Iterator[subprocess.Popen[str]]:
    """A process that has opened the world and waits for the word to act; killed in the end."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, str(RIVAL), act, str(path), argument, str(speed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert line(process) == "ready"
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def driver_of(path: Path, speed: float = 1.0) -> SimulatorDriver:
    return SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(str(path), speed=speed)))


def test_of_three_processes_that_claim_one_vm_exactly_one_gets_it(tmp_path: Path) -> None:
    path = write(world(), tmp_path)
    with rival("claim_vm", path, "op-1") as one, rival("claim_vm", path, "op-2") as two, rival("claim_vm", path, "op-3") as three:
        for process in (one, two, three):
            go(process)
        assert sorted(line(process) for process in (one, two, three)) == ["False", "False", "True"]


def test_two_processes_that_claim_the_memory_of_one_host_get_together_what_it_has(tmp_path: Path) -> None:
    path = write(world((host("kvm1"), host("kvm2", memory_mib=30 * 1024))), tmp_path)
    with rival("claim_memory", path, "op-1") as one, rival("claim_memory", path, "op-2") as two:
        go(one)
        go(two)
        assert int(line(one)) + int(line(two)) == 30
        assert len(driver_of(path).claims("kvm2")) == 30


def test_a_process_that_is_killed_while_it_writes_leaves_a_valid_state_and_no_lock(tmp_path: Path) -> None:
    path = write(world(), tmp_path)
    driver = driver_of(path)
    for attempt in range(8):
        with rival("write_for_ever", path, f"op-{attempt}") as process:
            go(process)
            line(process)
            time.sleep(0.003 * attempt)
        assert (driver.stop_requested("kvm1") or "").startswith(f"op-{attempt} ")
        driver.set_maintenance("kvm2", Maintenance(MaintenanceState.PREPARING, f"run {attempt}"))
        assert driver.snapshot(EVERYTHING).host_by_name["kvm2"].maintenance.by == f"run {attempt}"


def test_a_move_goes_on_after_its_controller_was_killed_and_a_second_run_finishes_it(tmp_path: Path) -> None:
    path = write(world((host("kvm1", 100), host("kvm2", 100))), tmp_path)
    with rival("start_a_move", path, "op-1", 20.0) as process:
        go(process)
        assert line(process) == "started"
    second = driver_of(path, 20.0)
    (found,) = second.in_flight()
    job = second.adopt(found)
    assert found.note is not None
    while not second.poll([job])[0].ended:
        second.clock.sleep(second.poll_seconds)
    assert second.verify(job.migration, found.note).verdict is Verdict.ARRIVED
    second.finish(job.migration, found.note)
    assert second.snapshot(EVERYTHING).vm_by_id["id-web"].host == "kvm2"


def test_a_cold_move_goes_on_after_its_controller_was_killed_and_a_second_run_finishes_it(tmp_path: Path) -> None:
    path = write(storage_world(pool_mib_s=200.0), tmp_path)
    with rival("start_a_cold_move", path, "op-1", 20.0) as process:
        go(process)
        assert line(process) == "started"
    second = driver_of(path, 20.0)
    (found,) = second.in_flight()
    job = second.adopt(found)
    assert found.note is not None
    while not second.poll([job])[0].ended:
        second.clock.sleep(second.poll_seconds)
    assert second.verify(job.migration, found.note).verdict is Verdict.ARRIVED
    second.finish(job.migration, found.note)
    arrived = second.snapshot(EVERYTHING).vm_by_id["id-web"]
    assert (arrived.host, arrived.autostart, arrived.power_state, arrived.note) == ("kvm2", True, PowerState.RUNNING, None)
    assert places(second) == {"vda": LOCAL2, "vdb": LOCAL2}
    assert free_bytes(second)[LOCAL1] == FREE_BYTES + 3 * GIB


def test_a_controller_that_was_killed_between_note_and_start_leaves_what_a_second_run_undoes(tmp_path: Path) -> None:
    path = write(storage_world(), tmp_path)
    pristine = driver_of(path).snapshot(EVERYTHING)
    with rival("write_a_note", path, "op-1") as process:
        go(process)
        assert line(process) == "noted"
    second = driver_of(path)
    left = second.snapshot(EVERYTHING).vm_by_id["id-web"].note
    assert left is not None
    planned = moving(LOCAL2)
    assert second.verify(planned, left).verdict is Verdict.AT_SOURCE
    second.rollback(planned, left)
    after = second.snapshot(EVERYTHING)
    assert (after.vms, after.pools) == (pristine.vms, pristine.pools)


def test_the_claims_of_a_killed_process_are_free_at_once(tmp_path: Path) -> None:
    path = write(world(), tmp_path)
    driver = driver_of(path)
    mine = claim(ClaimKind.VM, "kvm1", "id-web", "op-2", time.time())
    with rival("claim_vm", path, "op-1") as process:
        go(process)
        assert line(process) == "True"
        assert driver.claim(mine) is not None
    assert driver.claim(mine) is None
