# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``host_evacuate`` with ``purpose: recover``: VMs of dead hosts are started elsewhere, and what check mode says of that."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import Driver
from ..execution.accounting import first_of_each
from ..execution.recovering import recover
from ..execution.survey import RecoveryOrder, Survey, survey
from ..model.errors import InputError, MigrationError
from ..model.host import MaintenanceState
from ..model.outcome import Remaining
from ..model.plan import Plan
from ..model.reason import Reason, blocking, hard
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from .approval import Approval
from .definitions import read_definitions
from .host_results import controller_name, done_result, predicted_result
from .opening import unique
from .prechecking import Precheck
from .prediction import Prediction
from .progress import ProgressFile
from .requests import check_targets, consents_of, move_options
from .selection import Selection
from .stopping import StopWatch

_STATES = ("evacuated", "maintenance")


class Lost:
    """Which VMs of dead hosts are recovered, and where to; see ``execution.survey.Request``."""

    def __init__(self, params: Mapping[str, Any], hosts: tuple[str, ...]) -> None:
        """Raises InputError for expressions, consents and names that cannot be right."""
        self._params = params
        self._targets = unique(params["target_hosts"], "target_hosts")
        self._consents = consents_of(params)
        self._selection = Selection(params["select"], params["order_by"])
        for index, name in enumerate(self._targets):
            if name in hosts:
                raise InputError(f"target_hosts[{index}]", f"{name!r} is one of the dead hosts.")

    def check(self, site: Site) -> None:
        """Raise an error for a named target host that cannot take VMs."""
        check_targets(site, self._targets, "target_hosts")

    def __call__(self, vms: tuple[Vm, ...]) -> PlanRequest:
        """The request for those of the VMs that are selected."""
        return PlanRequest(
            vms=tuple(vm.id for vm in self._selection.chosen(vms)),
            target_hosts=frozenset(self._targets),
            scope=self._params["scope"],
            consents=self._consents,
            keep_order=bool(self._params["order_by"]),
        )


def check_options(params: Mapping[str, Any]) -> None:
    """Raise InputError for options that do not go together, before anything is asked of a host."""
    if params["purpose"] != "recover":
        for name in ("definitions", "fenced_by"):
            if params[name]:
                raise InputError(name, "it has a meaning only with purpose: recover.", hint="Leave it out.")
        return
    if params["state"] not in _STATES:
        raise InputError("purpose", f"recover does not go with state: {params['state']}.", hint="Leave state out.")
    if not params["definitions"]:
        text = "no file with the definitions of the lost VMs is named."
        raise InputError("definitions", text, code="definition_unknown", hint="Name the file that site_info keeps with definitions_dest.")
    if not params["fenced"]:
        hint = "Cut the host's power, make sure of it, and say so with fenced: true and fenced_by."
        raise InputError("fenced", "nothing proves that the host is dead: silence may be a broken network.", code="not_fenced", hint=hint)
    if not (params["fenced_by"] or "").strip():
        hint = "Say who or what made sure of it, such as fenced_by: 'IPMI power off, ticket 4711'."
        raise InputError("fenced_by", "it is not said who cut the host's power.", code="not_fenced", hint=hint)


def recover_vms(module: AnsibleModule, driver: Driver, hosts: tuple[str, ...]) -> dict[str, Any]:
    """The module's result. Raises Failure with the result where a VM was not recovered, and the errors of every floor below."""
    params = module.params
    progress = ProgressFile(Path(module.tmpdir))
    lost = Lost(params, hosts)

    def show(plan: Plan, site: Site) -> None:
        lost.check(site)
        progress.plan(plan, driver.clock.now())

    approval = Approval(params["approved_plan"], params["on_plan_change"], show)
    order = RecoveryOrder(
        hosts=hosts,
        definitions=read_definitions(params["definitions"], driver.name),
        fenced=params["fenced"],
        fenced_by=params["fenced_by"],
        request=lost,
        options=move_options(params, driver.clock.now()),
        approve=approval,
        by=controller_name(),
        why=params["why"],
    )
    if module.check_mode:
        return predicted_result(module, _predict(driver, order), hosts, approval.warnings, f"Not every VM of {', '.join(hosts)} would be recovered")
    with StopWatch(Path(module.tmpdir)) as stop:
        report = recover(driver, order, progress, stop)
    return done_result(module, report, hosts, approval.warnings, f"Not every VM of {', '.join(hosts)} was recovered")


def _predict(driver: Driver, order: RecoveryOrder) -> Prediction:
    found = survey(driver, order)
    order.approve(found.plan, found.now, "")
    states = {name: found.now.host_by_name[name].maintenance.state for name in order.hosts}
    sources = {move.source_host for move in found.plan.migrations}
    return Prediction(
        site=found.now,
        plan=found.plan,
        checks=tuple(_precheck(driver, order, found, index) for index in range(len(found.plan.migrations))),
        unplaced=found.plan.unplaced,
        remaining=tuple(Remaining(entry.vm, entry.vm_name, entry.host, entry.reasons + first_of_each(entry.candidates)) for entry in found.plan.unplaced),
        states={name: MaintenanceState.MAINTENANCE if name in sources else state for name, state in states.items()},
        under_way=found.begun,
        warnings=found.warnings,
    )


def _precheck(driver: Driver, order: RecoveryOrder, found: Survey, index: int) -> Precheck:
    """What the targets say of one VM: the planned one, and those that a run would try next."""
    migration = found.plan.migrations[index]
    first: tuple[Reason, ...] = ()
    for target in (migration.target_host, *migration.next_targets[: order.options.retries]):
        try:
            reasons = driver.check_recovery(dataclasses.replace(migration, target_host=target), order.definitions.texts[migration.vm])
        except MigrationError as error:
            reasons = (hard(error.code, error.message, error.hint),)
        reasons = tuple(reason.consented() if reason.overridable in found.request.consents else reason for reason in reasons)
        if not blocking(reasons):
            return Precheck(migration, reasons)
        first = first or reasons
    return Precheck(migration, first, refused=True)
