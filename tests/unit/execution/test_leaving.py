# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a drain: a host that cannot be put into its final state is no success, and what was moved is told all the same."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.execution.evacuation import EvacuationOrder, evacuate
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.unit.execution.test_drain_properties import SPEED, a_host, a_vm, drain_a


class SilentAtTheEnd(SimulatorDriver):
    """Answers until the note of the final state is to be written."""

    def set_maintenance(self, host: str, maintenance: Maintenance) -> None:
        if maintenance.state is MaintenanceState.MAINTENANCE:
            raise HostUnreachable(host, f"{host} did not answer.")
        super().set_maintenance(host, maintenance)


def test_a_final_state_that_could_not_be_written_is_no_success(tmp_path: Path) -> None:
    world = {
        "hosts": [a_host("a", 4096), a_host("b", 4096)],
        "pools": [{"id": "nfs", "name": "nfs", "scope": "cluster", "identity": "filer:/nfs"}],
        "vms": [a_vm(1, "a", 256, "running", autostart=False)],
    }
    (tmp_path / "world.json").write_text(json.dumps(world))
    options = SiteOptions("simulator", simulator=SimulatorOptions(str(tmp_path / "world.json"), str(tmp_path / "state.json"), SPEED))
    order = EvacuationOrder(("a",), MaintenanceState.MAINTENANCE, drain_a, MoveOptions())
    report = evacuate(SilentAtTheEnd(options), order, lambda _event: None, lambda: "")
    assert [outcome.host for outcome in report.run.outcomes] == ["b"]
    assert report.changed
    assert not report.ok
    assert [reason.code for reason in report.unsettled] == ["host_unreachable"]
    assert report.states["a"] is MaintenanceState.PREPARING
