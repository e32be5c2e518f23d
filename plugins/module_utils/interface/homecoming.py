# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``host_evacuate`` with ``state: returned``: VMs go home to the named hosts, and what check mode says of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import EVERYTHING, Driver
from ..execution.accounting import first_of_each
from ..execution.evacuation import check_hosts
from ..execution.returning import ReturnOrder, homes, plan_return, return_home
from ..execution.stale import check_stale, find_stale
from ..model.capabilities import Capabilities
from ..model.errors import InputError
from ..model.host import MaintenanceState
from ..model.intent import Purpose
from ..model.migration import MigrationType
from ..model.outcome import Remaining
from ..model.plan import Plan
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from .approval import Approval
from .earlier import measured_moves
from .host_results import done_result, predicted_result
from .intents import intent_of
from .prechecking import prechecks
from .prediction import Prediction, under_way_warning
from .progress import ProgressFile
from .requests import consents_of, move_options
from .selection import Selection
from .stopping import StopWatch


class Homeward:
    """Which VMs go home, and under which conditions; see ``execution.returning.Request``.

    With type ``host_storage`` the volumes that the home does not reach go back into the pools where they were.
    """

    def __init__(self, params: Mapping[str, Any], hosts: tuple[str, ...], capabilities: Capabilities | None = None) -> None:
        """Raises InputError for expressions and consents that cannot be right, and for targets: each VM's note names its own."""
        if params["target_hosts"]:
            raise InputError("target_hosts", "it has no meaning with state: returned, where every VM goes to its own home.", hint="Leave it out.")
        self._params = params
        self._hosts = frozenset(hosts)
        self._capabilities = capabilities
        intent = intent_of(params, Purpose.DRAIN)
        self._intent = None if intent.is_plain else intent
        self._measured = measured_moves(params["earlier_results"])
        self._consents = consents_of(params)
        self._selection = Selection(params["select"], params["order_by"])

    def __call__(self, vms: tuple[Vm, ...]) -> PlanRequest:
        """The request for those of the VMs that are selected."""
        chosen = self._selection.chosen(vms)
        moves_storage = self._intent is not None and self._intent.type is MigrationType.HOST_STORAGE
        return PlanRequest(
            vms=tuple(vm.id for vm in chosen),
            target_hosts=self._hosts,
            scope=self._params["scope"],
            consents=self._consents,
            parallel=self._params["parallel"] or 0,
            bandwidth_mib_s=self._params["bandwidth_mib_s"] or 0,
            keep_order=bool(self._params["order_by"]),
            intent=self._intent,
            measured=self._measured,
            capabilities=self._capabilities,
            pools={vm.id: frozenset(vm.home.pools) for vm in chosen if vm.home is not None and vm.home.pools} if moves_storage else {},
        )


def return_vms(module: AnsibleModule, driver: Driver, hosts: tuple[str, ...]) -> dict[str, Any]:
    """The module's result. Raises Failure with the result where a VM is not home, and the errors of every floor below."""
    params = module.params
    progress = ProgressFile(Path(module.tmpdir))

    def show(plan: Plan, _site: Site) -> None:
        progress.plan(plan, driver.clock.now())

    approval = Approval(params["approved_plan"], params["on_plan_change"], show)
    order = ReturnOrder(hosts, Homeward(params, hosts, driver.capabilities), move_options(params, driver.clock.now()), approval)
    if module.check_mode:
        return predicted_result(module, _predict(driver, order), hosts, approval.warnings, f"Not every VM of {', '.join(hosts)} would be home")
    with StopWatch(Path(module.tmpdir)) as stop:
        report = return_home(driver, order, progress, stop)
    return done_result(module, report, hosts, approval.warnings, f"Not every VM of {', '.join(hosts)} is home")


def _predict(driver: Driver, order: ReturnOrder) -> Prediction:
    site = driver.snapshot(EVERYTHING)
    check_hosts(site, order.hosts, "hosts")
    found = homes(site, order.hosts)
    plan, _request = plan_return(site, order, found)
    order.approve(plan, site, "")
    stale = tuple(find_stale(driver, name) for name in order.hosts)
    for left in stale:
        check_stale(left)
    checks = prechecks(driver, plan, order.options)
    return Prediction(
        site=site,
        plan=plan,
        checks=checks,
        unplaced=plan.unplaced,
        remaining=tuple(Remaining(entry.vm, entry.vm_name, entry.host, entry.reasons + first_of_each(entry.candidates)) for entry in plan.unplaced),
        states=dict.fromkeys(order.hosts, MaintenanceState.AVAILABLE),
        under_way=found.busy + found.settled,
        warnings=found.warnings(plan) + under_way_warning(found.busy) + tuple(reason for left in stale for reason in left.warnings),
    )
