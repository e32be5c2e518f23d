# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress file: what is told of a run, how seldom, and that a run never fails for its sake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.progress import PROGRESS_FILE, ProgressFile
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.event import Event, EventKind
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase

PLAN = Plan("p1", (Migration("m1", "1", "web", "kvm1", "kvm2", memory_mib=1024),))


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(tmp_path: Path, clock: Clock) -> ProgressFile:
    return ProgressFile(tmp_path, clock)


def told(folder: Path) -> list[dict[str, Any]]:
    path = folder / PROGRESS_FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def sample(percent: float, vm: str = "1", phase: Phase = Phase.COPYING, target: str = "kvm2") -> Event:
    return Event(EventKind.PROGRESS, 1.0, vm=vm, target=target, phase=phase, percent=percent)


def test_every_event_but_samples_is_told_and_reads_back_without_loss(progress: ProgressFile, tmp_path: Path) -> None:
    events = [Event(kind, 5.0, vm="1", vm_name="web\n\u202e", message="é") for kind in EventKind if kind is not EventKind.PROGRESS]
    for event in events:
        progress(event)
    assert [decode(Event, data) for data in told(tmp_path)] == events


def test_samples_are_told_first_and_then_every_five_percent(progress: ProgressFile, tmp_path: Path) -> None:
    for percent in (0, 1, 4.9, 5, 9.9, 10, 12, 99, 100):
        progress(sample(percent))
    assert [data.get("percent", 0) for data in told(tmp_path)] == [0, 5, 10, 99, 100]


def test_samples_are_told_every_ten_seconds_however_little_happens(progress: ProgressFile, tmp_path: Path, clock: Clock) -> None:
    for clock.seconds in (0.0, 3.0, 9.9, 10.0, 15.0, 20.0):
        progress(sample(1.0))
    assert len(told(tmp_path)) == 3


def test_each_vm_and_each_new_target_has_a_first_sample(progress: ProgressFile, tmp_path: Path) -> None:
    for event in (sample(1), sample(1, vm="2"), sample(1), sample(1, target="kvm3")):
        progress(event)
    assert [(data["vm"], data["target"]) for data in told(tmp_path)] == [("1", "kvm2"), ("2", "kvm2"), ("1", "kvm3")]


@pytest.mark.parametrize("phase", [Phase.CHECKING, Phase.PREPARING, Phase.VERIFYING, Phase.CLEANING])
def test_samples_of_phases_that_copy_nothing_are_left_out(progress: ProgressFile, tmp_path: Path, phase: Phase) -> None:
    progress(sample(50, phase=phase))
    assert told(tmp_path) == []


def test_the_plan_is_told_as_a_table_and_its_start_not_a_second_time(progress: ProgressFile, tmp_path: Path) -> None:
    progress.plan(PLAN, 1.0)
    progress(Event(EventKind.PLAN, 2.0, message="1 move"))
    progress(Event(EventKind.PLAN, 3.0, message="1 move again, replanned"))
    first, second = told(tmp_path)
    assert "web" in "".join(first["lines"])
    assert second["message"] == "1 move again, replanned"


def test_a_plan_without_moves_hides_no_later_one(progress: ProgressFile, tmp_path: Path) -> None:
    progress.plan(Plan("p0"), 1.0)
    progress(Event(EventKind.PLAN, 2.0, message="replanned"))
    assert len(told(tmp_path)) == 2


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    progress = ProgressFile(tmp_path / "gone")
    progress.plan(PLAN, 1.0)
    progress(sample(1.0))
    assert told(tmp_path / "gone") == []
