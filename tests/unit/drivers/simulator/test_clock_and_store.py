# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One time for all who share a state, and a state file that is whole or refused."""

from __future__ import annotations

import fcntl
import json
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator import store
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.clock import SimulatedClock
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.state import PRISTINE, Anchor
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError, OperationInProgress
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions

from tests.unit.drivers.simulator.small_world import migration, note, opened, vm, world, write

CLOSED = Maintenance(MaintenanceState.PREPARING, "ann")


def opened_again(folder: Path, speed: float) -> SimulatorDriver:
    return SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(str(folder / "world.json"), speed=speed)))


def state_of(folder: Path) -> Path:
    return folder / "world.json.state.json"


def test_time_runs_as_fast_as_was_asked(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path, 500.0)
    before, began = driver.clock.now(), time.monotonic()
    driver.clock.sleep(50.0)
    passed, real = driver.clock.now() - before, time.monotonic() - began
    assert passed >= 50.0
    assert passed == pytest.approx(500.0 * real, rel=0.3)


def test_all_processes_share_one_time(tmp_path: Path) -> None:
    first = opened(world(), tmp_path, 1000.0)
    first.clock.sleep(100.0)
    first.set_maintenance("kvm1", CLOSED)
    second = opened_again(tmp_path, 1000.0)
    earlier = first.clock.now()
    middle = second.clock.now()
    assert earlier <= middle <= first.clock.now()


def test_another_speed_never_turns_time_back(tmp_path: Path) -> None:
    seen = []
    for number, speed in enumerate((1000.0, 1.0, 50.0, 0.5)):
        driver = opened(world(), tmp_path, speed) if number == 0 else opened_again(tmp_path, speed)
        seen.append(driver.clock.now())
        driver.set_maintenance("kvm1", Maintenance(MaintenanceState.PREPARING, f"run {number}"))
        seen += [driver.clock.now(), driver.snapshot(EVERYTHING).taken_at]
        time.sleep(0.02)
    assert seen == sorted(seen)


def test_a_state_that_was_removed_or_set_back_does_not_turn_time_back_within_a_process() -> None:
    anchors = [Anchor(time.time(), 5_000_000_000.0, 1.0), None, Anchor(time.time(), 1000.0, 1.0)]
    clock = SimulatedClock(1.0, lambda: anchors[0])
    first = clock.now()
    for _later in range(2):
        anchors.pop(0)
        assert clock.now() >= first >= 5_000_000_000.0


def test_the_first_change_of_a_run_sets_its_pace(tmp_path: Path) -> None:
    opened(world(), tmp_path, 10_000.0).set_maintenance("kvm1", CLOSED)
    slow = opened_again(tmp_path, 1.0)
    slow.set_maintenance("kvm2", CLOSED)
    before = slow.clock.now()
    time.sleep(0.05)
    assert slow.clock.now() - before < 10.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no JSON"),
        (b'{"form": 1', "no JSON"),
        (b'{"form": 99}', "has the form 99"),
        (b'{"form": 1, "moons": 2}', "moons: unknown field"),
        (b'{"form": 1, "vms": {"id-mail": {"host": "kvm1"}}}', "speaks of 'id-mail', which the world does not have"),
    ],
)
def test_a_state_that_is_none_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    path = write(world(), tmp_path)
    state_of(tmp_path).write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(str(path)))).snapshot(EVERYTHING)
    assert str(state_of(tmp_path)) in caught.value.message
    assert state_of(tmp_path).read_bytes() == content


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    path = write(world(), tmp_path)
    driver = SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(str(path), str(tmp_path / "nowhere" / "state.json"))))
    assert driver.snapshot(EVERYTHING).vms
    with pytest.raises(InputError, match=r"site\.simulator\.state_file: .*nowhere/state\.json cannot be written"):
        driver.set_maintenance("kvm1", CLOSED)


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    driver.set_maintenance("kvm1", CLOSED)
    before = state_of(tmp_path).read_bytes()
    with pytest.raises(InputError):
        driver.set_maintenance("kvm9", CLOSED)
    assert state_of(tmp_path).read_bytes() == before


def test_who_hangs_with_the_lock_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK_WAIT_SECONDS", 0.05)
    driver = opened(world(), tmp_path)
    with (tmp_path / "world.json.state.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OperationInProgress, match=r"world\.json\.state\.json\.lock"):
            driver.set_maintenance("kvm1", CLOSED)
        assert driver.snapshot(EVERYTHING).vms
    driver.set_maintenance("kvm1", CLOSED)


def test_many_threads_of_one_driver_lose_no_change(tmp_path: Path) -> None:
    vms = tuple(vm(f"vm{number}", "kvm1") for number in range(8))
    driver = opened(world(vms=vms), tmp_path)

    def work(number: int) -> None:
        planned = migration(f"vm{number}", "kvm1", "kvm2")
        driver.write_note(planned, note(planned, f"op-{number}"))
        driver.snapshot(EVERYTHING)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes = {seen.note.operation_id for seen in driver.snapshot(EVERYTHING).vms if seen.note}
    assert notes == {f"op-{number}" for number in range(8)}


def test_the_state_file_holds_only_what_has_changed(tmp_path: Path) -> None:
    vms = tuple(vm(f"vm{number}", "kvm1") for number in range(200))
    driver = opened(world(vms=vms), tmp_path)
    driver.set_maintenance("kvm1", CLOSED)
    data = json.loads(state_of(tmp_path).read_text())
    assert "vm199" not in state_of(tmp_path).read_text()
    assert data["maintenance"] == {"kvm1": {"state": "preparing", "by": "ann"}}
    assert PRISTINE.vms == {}
