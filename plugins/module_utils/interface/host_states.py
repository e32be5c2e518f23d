# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``host_evacuate`` with ``state: available`` and ``state: cancelled``: hosts are opened, or a running drain is asked to stop."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import LIGHT, Driver
from ..execution.reopening import closed_hosts, drained_hosts, reopen, request_stops
from ..execution.stale import check_stale, find_stale
from ..model.errors import OperationInProgress
from .host_results import controller_name, states_result
from .result_form import HostResult


def open_hosts(module: AnsibleModule, driver: Driver, hosts: tuple[str, ...]) -> dict[str, Any]:
    """Open hosts to new VMs. Raises OperationInProgress while another run drains one."""
    before = {host.name: host.maintenance.state.value for host in driver.snapshot(LIGHT).hosts}
    closed = closed_hosts(driver, hosts)
    drained = drained_hosts(driver, closed).asked if closed else ()
    if drained:
        raise OperationInProgress(
            f"hosts: {', '.join(drained)} is being drained by another run.", hint="Ask it to stop with state: cancelled, or wait for its end."
        )
    stale = tuple(find_stale(driver, name) for name in closed) if module.check_mode else reopen(driver, closed)
    for found in stale:
        check_stale(found)
    warnings = tuple(reason for found in stale for reason in found.warnings)
    return states_result(module, tuple(HostResult(name, "available", before[name]) for name in hosts), changed=bool(closed), warnings=warnings)


def cancel_drains(module: AnsibleModule, driver: Driver, hosts: tuple[str, ...]) -> dict[str, Any]:
    """Ask the runs that drain the hosts to stop."""
    answer = drained_hosts(driver, hosts)
    unasked = tuple(name for name in answer.asked if driver.stop_requested(name) is None)
    if unasked and not module.check_mode:
        request_stops(driver, unasked, controller_name())
    states = {host.name: host.maintenance.state.value for host in driver.snapshot(LIGHT).hosts}
    result = states_result(module, tuple(HostResult(name, states[name], states[name]) for name in hosts), changed=bool(unasked))
    idle = ", ".join(f"{name} ({state.value})" for name, state in answer.idle.items())
    asked = ", ".join(answer.asked)
    result["msg"] = " ".join(filter(None, [f"Asked to stop: {asked}." if asked else "", f"Not being drained: {idle}." if idle else ""]))
    return result
