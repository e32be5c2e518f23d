# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a drain: a host that cannot be put into its final state is no success, and what was moved is told all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING
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


def world_with(tmp_path: Path, *vms: dict[str, Any]) -> SiteOptions:
    """Hosts a and b with these VMs."""
    pool = {"id": "nfs", "name": "nfs", "scope": "cluster", "identity": "filer:/nfs"}
    (tmp_path / "world.json").write_text(json.dumps({"hosts": [a_host("a", 4096), a_host("b", 4096)], "pools": [pool], "vms": vms}))
    return SiteOptions("simulator", simulator=SimulatorOptions(str(tmp_path / "world.json"), str(tmp_path / "state.json"), SPEED))


ORDER = EvacuationOrder(("a",), MaintenanceState.MAINTENANCE, drain_a, MoveOptions())


def test_a_final_state_that_could_not_be_written_is_no_success(tmp_path: Path) -> None:
    options = world_with(tmp_path, a_vm(1, "a", 256, "running", autostart=False))
    report = evacuate(SilentAtTheEnd(options), ORDER, lambda _event: None, lambda: "")
    assert [outcome.host for outcome in report.run.outcomes] == ["b"]
    assert report.changed
    assert not report.ok
    assert [reason.code for reason in report.unsettled] == ["host_unreachable"]
    assert report.states["a"] is MaintenanceState.PREPARING


def test_a_vm_that_leaves_by_itself_is_left_to_its_manager(tmp_path: Path) -> None:
    agent = {**a_vm(2, "a", 128, "running", autostart=False), "managed_by": "com.vmware.vim.eam", "leaves_by_itself": True}
    options = world_with(tmp_path, a_vm(1, "a", 256, "running", autostart=False), agent)
    with SimulatorDriver(options) as driver:
        report = evacuate(driver, ORDER, lambda _event: None, lambda: "")
        again = evacuate(driver, ORDER, lambda _event: None, lambda: "")
        hosts = {vm.name: vm.host for vm in driver.snapshot(EVERYTHING).vms}
    assert report.ok
    assert report.states["a"] is MaintenanceState.MAINTENANCE
    assert hosts == {"vm1": "b", "vm2": "a"}
    assert not again.changed
