# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run ends when its time is over, when somebody asks it to, or when it is told to by a signal: with a result, and with every VM in a known place."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from tests.integration.modules import Answer, RunningModule, begin_evacuate, evacuate
from tests.integration.worlds import RESTLESS_MIB_S, WITHIN_SECONDS, World, WorldVm, everyone_lives, running_on, wait_until

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


def written(epoch_seconds: float) -> str:
    return dt.datetime.fromtimestamp(epoch_seconds, dt.UTC).isoformat()


def begin_slow_drain(world: World, **options: object) -> tuple[RunningModule, list[WorldVm]]:
    """Three VMs leave the first host one after the other, each in some seconds; the first is on its way."""
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(3)]
    world.slow_links()
    run = begin_evacuate(world, first, state="maintenance", parallel=1, **options)
    wait_until(lambda: len(world.in_flight()) > 0, "the first move")
    return run, guests


def phases(answer: Answer) -> list[str]:
    return sorted(entry["phase"] for entry in answer["migrations"])


def test_at_the_deadline_what_runs_is_finished_and_nothing_new_begins(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(4)]
    world.slow_links()
    deadline = world.now() + 6
    answer = evacuate(world, first, state="maintenance", parallel=1, deadline=written(deadline))
    assert answer.failed
    assert answer.code == "stopped_by_deadline"
    assert set(phases(answer)) == {"done", "planned"}
    assert all(entry["started_at"] < deadline for entry in answer["migrations"] if entry["phase"] == "done")
    stayed = {guest.name for guest in guests if world.where(guest) == running_on(first)}
    assert {remaining["vm_name"] for remaining in answer["remaining"]} == stayed == {guest.name for guest in guests} - set(answer.moved())
    assert world.maintenance(first) == "available"
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []
    world.fast_links()
    again = evacuate(world, first, state="maintenance")
    assert not again.failed, str(again)


def test_at_the_deadline_what_runs_may_be_cancelled(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first, dirty_mib_s=RESTLESS_MIB_S) for number in range(3)]
    world.slow_links()
    options = {"deadline": written(world.now() + 5), "on_deadline": "cancel_running", "on_failure": "keep_closed"}
    answer = evacuate(world, first, state="maintenance", parallel=1, **options)
    assert answer.failed
    assert answer.code == "stopped_by_deadline"
    assert phases(answer) == ["cancelled", "planned", "planned"]
    assert [world.where(guest) for guest in guests] == [running_on(first)] * 3
    assert world.maintenance(first) == "preparing"
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_a_deadline_that_has_passed_is_refused_before_anything_is_done(world: World) -> None:
    first, _second, _third = world.hosts
    world.add_vm("web1", first)
    before = world.digest()
    answer = evacuate(world, first, deadline=written(world.now() - 60))
    assert answer.failed
    assert answer.code == "deadline_passed"
    assert world.digest() == before


def test_a_running_drain_sees_a_stop_request_within_seconds(world: World) -> None:
    first, _second, _third = world.hosts
    run, guests = begin_slow_drain(world)
    asked = evacuate(world, first, state="cancelled")
    assert asked.changed, str(asked)
    assert first in asked.message
    answer = run.answer(WITHIN_SECONDS)
    assert answer.failed
    assert answer.code == "stopped_by_stop_request"
    assert any("not_started" in answer.reasons_of(guest) for guest in guests)
    assert sum(world.where(guest) == running_on(first) for guest in guests) >= 1
    assert not world.in_flight()
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_nobody_is_asked_to_stop_where_nobody_drains(world: World) -> None:
    first, _second, _third = world.hosts
    before = world.digest()
    answer = evacuate(world, first, state="cancelled")
    assert not answer.failed
    assert not answer.changed
    assert world.digest() == before


def test_an_old_stop_request_does_not_stop_a_new_drain(world: World) -> None:
    first, _second, _third = world.hosts
    run, guests = begin_slow_drain(world)
    evacuate(world, first, state="cancelled")
    run.kill()
    world.fast_links()
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)


@pytest.mark.parametrize("transport", ["p2p", "managed"])
def test_a_signal_ends_the_run_with_a_result(world: World, transport: str) -> None:
    first, _second, _third = world.hosts
    run, guests = begin_slow_drain(world, transport=transport)
    began = time.monotonic()
    run.terminate()
    answer = run.answer(WITHIN_SECONDS)
    assert time.monotonic() - began < WITHIN_SECONDS
    assert answer.failed
    assert answer.code == "stopped_by_signal"
    assert phases(answer).count("planned") == 2
    assert world.maintenance(first) == "preparing"
    wait_until(lambda: not world.in_flight(), "the move that goes on alone, or its abort")
    assert everyone_lives(world, *guests)
    world.fast_links()
    again = evacuate(world, first, state="maintenance")
    assert not again.failed, str(again)
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []
