# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a claim's controller lives: judged from real processes and from a clock that the test turns."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers import liveness
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, Controller

ASK_WHO = (
    "import sys; from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller as who; "
    "c = who(); print(c.pid, c.started_ticks, flush=True); sys.stdin.read()"
)


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[str], Controller]]:
    """Another controller that lives, and what it says of itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASK_WHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert process.stdout and process.stdin
    pid, ticks = map(int, process.stdout.readline().split())
    yield process, dataclasses.replace(liveness.this_controller(), pid=pid, started_ticks=ticks)
    process.stdin.close()
    process.stdout.close()
    process.kill()
    process.wait()


class TurnedClock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def claim_of(controller: Controller, renewed_at: float = 1_000_000.0, lifetime: float = 30.0) -> Claim:
    return Claim(ClaimKind.VM, "kvm1", "some-vm", "operation", controller, 1_000_000.0, renewed_at, lifetime_seconds=lifetime)


ELSEWHERE = Controller("other", "other-boot", "pid:[1]", 4711, 12, "ann")


def test_this_process_is_alive() -> None:
    assert liveness.is_alive(liveness.this_controller()) is True


def test_a_killed_process_is_dead_at_once_even_before_its_parent_collects_it(child: tuple[subprocess.Popen[str], Controller]) -> None:
    process, controller = child
    assert liveness.is_alive(controller) is True
    process.kill()
    assert process.stdout
    process.stdout.read()  # ends when the process is gone; nobody has collected it yet
    watch = liveness.ClaimWatch(TurnedClock())
    while liveness.is_alive(controller):
        pass
    assert watch.is_stale(claim_of(controller))
    process.wait()
    assert liveness.is_alive(controller) is False


def test_a_number_that_another_process_got_since_is_dead() -> None:
    mine = liveness.this_controller()
    assert liveness.is_alive(dataclasses.replace(mine, started_ticks=mine.started_ticks - 1)) is False


@pytest.mark.parametrize("field", ["boot_id", "pid_namespace"])
def test_a_process_of_another_machine_or_container_cannot_be_looked_up(field: str) -> None:
    mine = liveness.this_controller()
    assert liveness.is_alive(dataclasses.replace(mine, **{field: "another"})) is None
    assert liveness.is_alive(dataclasses.replace(mine, **{field: ""})) is None


def test_a_claim_from_elsewhere_is_stale_when_it_is_not_renewed_for_its_lifetime() -> None:
    clock = TurnedClock()
    watch = liveness.ClaimWatch(clock)
    assert not watch.is_stale(claim_of(ELSEWHERE))
    clock.seconds += 29
    assert not watch.is_stale(claim_of(ELSEWHERE))
    clock.seconds += 2
    assert watch.is_stale(claim_of(ELSEWHERE))


def test_a_renewed_claim_lives_on() -> None:
    clock = TurnedClock()
    watch = liveness.ClaimWatch(clock)
    for _turn in range(5):
        assert not watch.is_stale(claim_of(ELSEWHERE, renewed_at=clock.seconds))
        clock.seconds += 29


def test_a_controller_whose_clock_is_behind_by_less_than_a_minute_keeps_its_claim() -> None:
    clock = TurnedClock()
    watch = liveness.ClaimWatch(clock)
    assert not watch.is_stale(claim_of(ELSEWHERE, renewed_at=clock.seconds - 85))
    assert watch.is_stale(claim_of(ELSEWHERE, renewed_at=clock.seconds - 95))


def test_setting_the_wall_clock_forward_for_less_than_a_minute_kills_no_claim() -> None:
    wall, steady = TurnedClock(), TurnedClock()
    watch = liveness.ClaimWatch(wall, steady)
    assert not watch.is_stale(claim_of(ELSEWHERE))
    wall.seconds += 50
    assert not watch.is_stale(claim_of(ELSEWHERE))
