# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A move that arrived and could not be finished: where the VM is, is asked again, and only what is so is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Presence, Verdict, Verification
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.execution.evacuation import EvacuationOrder, evacuate
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MoveFailed
from ansible_collections.vmops.migration.plugins.module_utils.model.host import MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, hard
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

from tests.unit.execution.test_drain_properties import SPEED, a_host, a_vm, drain_a

AS_IT_SHOULD_BE = Verification(Verdict.ARRIVED, (Presence("b", PowerState.RUNNING, persistent=True),))
OFF_THERE = Verification(Verdict.ARRIVED, (Presence("a", PowerState.OFF, persistent=True), Presence("b", PowerState.OFF, persistent=True)))
WITHOUT_ITS_DISK = Verification(Verdict.ARRIVED, reasons=(hard("copy_missing", "The disk has gone."),))
BACK_AGAIN = Verification(Verdict.AT_SOURCE)
SILENT = Verification(Verdict.UNREACHABLE)


def a_world(folder: Path) -> SiteOptions:
    """Two hosts with one running VM on the first."""
    world = {
        "hosts": [a_host("a", 4096), a_host("b", 4096)],
        "pools": [{"id": "nfs", "name": "nfs", "scope": "cluster", "identity": "filer:/nfs"}],
        "vms": [a_vm(1, "a", 256, "running", autostart=False)],
    }
    (folder / "world.json").write_text(json.dumps(world))
    return SiteOptions("simulator", simulator=SimulatorOptions(str(folder / "world.json"), str(folder / "state.json"), SPEED))


class Unfinished(SimulatorDriver):
    """Moves as the simulator does, refuses to finish, and then says of the VM what it was told to."""

    afterwards: Verification
    refused = False

    def finish(self, _migration: Migration, _note: VmNote) -> tuple[Reason, ...]:
        self.refused = True
        raise MoveFailed("It could not be started there.")

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        return self.afterwards if self.refused else super().verify(migration, note)


@pytest.mark.parametrize(
    ("afterwards", "phase", "host", "code", "is_well"),
    [
        (AS_IT_SHOULD_BE, Phase.DONE, "b", "finish_incomplete", True),
        (OFF_THERE, Phase.FAILED, "b", "not_started_again", False),
        (WITHOUT_ITS_DISK, Phase.FAILED, "b", "copy_missing", False),
        (BACK_AGAIN, Phase.FAILED, "a", "move_failed", True),  # as the others see it, its user has moved it since
        (SILENT, Phase.UNKNOWN, "", "finish_incomplete", False),
    ],
)
def test_what_is_told_is_where_the_vm_is_afterwards(tmp_path: Path, afterwards: Verification, phase: Phase, host: str, code: str, is_well: bool) -> None:
    driver = Unfinished(a_world(tmp_path))
    driver.afterwards = afterwards
    report = evacuate(driver, EvacuationOrder(("a",), MaintenanceState.MAINTENANCE, drain_a, MoveOptions()), lambda _event: None, lambda: "")
    (outcome,) = report.run.outcomes
    assert (outcome.phase, outcome.host) == (phase, host)
    assert code in [reason.code for reason in outcome.reasons]
    assert report.ok is is_well
