# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that waits for another is told to end; a result's file that cannot be written does not hide what was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.modules import RunningModule, begin_evacuate, evacuate
from tests.integration.worlds import WITHIN_SECONDS, World, everyone_lives, running_on, wait_until

ON_VSPHERE = True

pytestmark = pytest.mark.any_core


def is_waiting(run: RunningModule) -> bool:
    return any('"waiting"' in path.read_text() for path in Path(run._folder.name).rglob("vmops-progress.jsonl"))


def test_a_drain_that_waits_for_another_ends_when_it_is_told_to(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(3)]
    world.slow_links()
    earlier = begin_evacuate(world, first, state="maintenance", parallel=1)
    wait_until(lambda: len(world.in_flight()) > 0, "the first move")
    later = begin_evacuate(world, first, state="maintenance", claim_wait_seconds=600)
    wait_until(lambda: is_waiting(later), "the second drain waiting for the first")
    later.terminate()
    answer = later.answer(WITHIN_SECONDS)
    assert answer.failed
    assert not answer.changed
    assert answer.code == "operation_in_progress"
    assert not earlier.answer().failed
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)


def test_a_result_file_that_cannot_be_written_does_not_hide_what_was_done(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    answer = evacuate(world, first, state="maintenance", target_hosts=[second], result_file="/nowhere/result.json")
    assert answer.failed
    assert "result_file" in answer.message
    assert answer.changed
    assert answer.moved() == {"web1": second}
    assert world.where(web) == running_on(second)
