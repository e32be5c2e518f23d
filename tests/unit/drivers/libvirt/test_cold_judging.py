# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a VM is after a move by copying: every combination of what two hosts may say."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.cold_move import ColdJob, Stage
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.cold_verify import Seen, judge, judge_same_host
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domains import DomainState
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.stream_copy import CopyCancelledError, CopyControl
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, NotedVolume, NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

NOTE = VmNote("op-1", Controller(), 1.0, NotePhase.MOVING, "kvm1", "kvm2", volumes=(NotedVolume("vda", "/a/web1", "/b/web1"),))


def seen(stage: Stage | None, *, runs: bool = False, path: str = "/a/web1") -> Seen:
    """A VM on a host; without a stage it does not carry the operation's note."""
    state = DomainState(PowerState.RUNNING if runs else PowerState.OFF, runs, is_persistent=True)
    return Seen(state, dataclasses.replace(NOTE, stage=stage.value) if stage else None, (("vda", path),))


@pytest.mark.parametrize(
    ("source", "target", "verdict"),
    [
        (seen(Stage.NOTED, runs=True), None, Verdict.AT_SOURCE),
        (seen(Stage.STOPPING), None, Verdict.AT_SOURCE),
        (seen(Stage.COPIED), None, Verdict.AT_SOURCE),
        (seen(Stage.COPIED), seen(Stage.SWITCHED), Verdict.ARRIVED),
        (seen(Stage.COPIED), seen(Stage.SWITCHED, runs=True), Verdict.ARRIVED),
        (seen(Stage.COPIED), seen(Stage.STARTING), Verdict.ARRIVED),
        (seen(Stage.COPIED), seen(Stage.STARTED), Verdict.ARRIVED),
        (None, seen(Stage.STARTED, runs=True), Verdict.ARRIVED),
        (None, seen(None), Verdict.ARRIVED),
        (None, None, Verdict.NOWHERE),
        # A definition at the target that is not of this move says nothing.
        (seen(Stage.STOPPING), seen(None), Verdict.AT_SOURCE),
        (seen(Stage.STOPPING, runs=True), seen(None, runs=True), Verdict.ON_BOTH),
        # Somebody started it at its source after the switch.
        (seen(Stage.COPIED, runs=True), seen(Stage.SWITCHED), Verdict.AT_SOURCE),
        (seen(Stage.COPIED, runs=True), seen(Stage.SWITCHED, runs=True), Verdict.ON_BOTH),
        (seen(Stage.COPIED, runs=True), seen(Stage.STARTING), Verdict.ON_BOTH),
        (seen(Stage.COPIED, runs=True), seen(Stage.STARTED), Verdict.ON_BOTH),
    ],
)
def test_two_hosts(source: Seen | None, target: Seen | None, verdict: Verdict) -> None:
    assert judge(source, target) is verdict


@pytest.mark.parametrize(
    ("vm", "verdict"),
    [
        (seen(Stage.COPIED), Verdict.AT_SOURCE),
        (seen(Stage.SWITCHED, path="/b/web1"), Verdict.ARRIVED),
        (seen(None, path="/b/web1"), Verdict.ARRIVED),
        (seen(None), Verdict.AT_SOURCE),
        (None, Verdict.NOWHERE),
    ],
)
def test_one_host(vm: Seen | None, verdict: Verdict) -> None:
    assert judge_same_host(vm, NOTE) is verdict


def test_a_cancel_and_the_point_of_no_return_exclude_each_other() -> None:
    job = ColdJob(CopyControl())
    job.control.cancel()
    with pytest.raises(CopyCancelledError):
        job.commit()
    assert not job.is_committed


def test_progress_counts_both_readings_and_ends_at_nothing_left() -> None:
    job = ColdJob(CopyControl(), length_bytes=1000, legs=2)
    job.control.passed(600)
    sample = job.sample("move-1")
    assert (sample.processed_bytes, sample.remaining_bytes, sample.total_bytes, sample.percent) == (300, 1400, 2000, 30.0)
    job.control.passed(1400)
    job.over.set()
    assert (job.sample("move-1").remaining_bytes, job.sample("move-1").ended) == (0, True)
