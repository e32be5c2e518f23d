# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``volume_migrate`` does: one volume of a VM, or a detached one, goes to another pool; or what would come of it, in check mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import LIGHT, Driver, Scope
from ..execution.relocation import relocate
from ..execution.volume_move import move_volume
from ..model.capabilities import Capabilities
from ..model.errors import InputError, StateConflict
from ..model.intent import Intent
from ..model.migration import MigrationType, Mode
from ..model.plan import Plan
from ..model.pool import Volume
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.given_pools import find_volume
from ..planning.volume_plan import plan_volume
from ..rules.volume_place import class_of
from .finding import find_loose_volume, pool_in_name
from .intents import check_intent
from .moving import done, predicted
from .opening import open_site
from .prechecking import prechecks
from .prediction import Prediction, predict_relocation
from .progress import ProgressFile
from .requests import consents_of, move_options
from .results import full
from .stopping import StopWatch
from .volume_results import volume_done, volume_predicted


def volume_migrate(module: AnsibleModule) -> dict[str, Any]:
    """The module's result. Raises Failure with the result where the volume is not where it should be, and the errors of every floor below."""
    params = module.params
    intent = dataclasses.replace(check_intent({**params, "type": "storage"}), mode=Mode.OFFLINE)
    wanted = (params["target_pool"], params["source_pool"], params["storage_class"])
    if not any(wanted):
        hint = "Give target_pool (where to), source_pool (leave that one), or storage_class."
        raise InputError("target_pool", f"nothing says where volume {params['volume']!r} shall go.", code="no_target", hint=hint)
    if params["target_pool"] and params["target_pool"] == params["source_pool"]:
        raise InputError("target_pool", f"{params['target_pool']!r} is also the pool to leave.")
    consents_of(params)
    with open_site(params) as driver:
        return _attached(module, driver, intent) if params["vm"] else _detached(module, driver, intent)


def _attached(module: AnsibleModule, driver: Driver, intent: Intent) -> dict[str, Any]:
    params = module.params
    wanted = _Wanted(params, intent, driver.capabilities)
    options = move_options(params, driver.clock.now())
    if module.check_mode:
        vm, found = predict_relocation(driver, params["vm"], wanted, options)
        result = predicted(module, vm, found)
    else:
        with StopWatch(Path(module.tmpdir)) as stop:
            report = relocate(driver, params["vm"], wanted, options, ProgressFile(Path(module.tmpdir)), stop)
        result, vm = done(module, report), report.vm
    site = driver.snapshot(Scope(vms=frozenset({vm.id}), hosts=frozenset()))
    return {**result, "volume": full(find_volume(site.find_vm(vm.id, "vm"), params["volume"]))}


class _Wanted:
    """What to plan for the volume of a VM where it is now; None where it may stay."""

    def __init__(self, params: Mapping[str, Any], intent: Intent, capabilities: Capabilities) -> None:
        self._params, self._intent, self._capabilities = params, intent, capabilities
        self._consents = consents_of(params)

    def __call__(self, site: Site, vm: Vm) -> PlanRequest | None:
        volume = find_volume(vm, self._params["volume"])
        _check_pools(site, self._params)
        if _is_there(site, volume, self._params):
            return None
        if vm.is_active and not self._params["live"]:
            text = f"VM {vm.name} is {vm.power_state.value}, and its volume moves while it runs only if that is asked for."
            raise StateConflict(text, code="live_not_asked", hint="Give live: true; the VM goes on running. Or shut it down first.")
        leaves = frozenset({self._params["source_pool"]} if self._params["source_pool"] else ())
        mode = Mode.LIVE if vm.is_active else Mode.OFFLINE
        intent = dataclasses.replace(self._intent, mode=mode, volume=volume.id, leave_pools=leaves)
        cap = self._params["bandwidth_mib_s"] or 0
        return PlanRequest((vm.id,), consents=self._consents, bandwidth_mib_s=cap, intent=intent, capabilities=self._capabilities)


def _check_pools(site: Site, params: Mapping[str, Any]) -> None:
    for option in ("target_pool", "source_pool"):
        if params[option] and params[option] not in site.pool_by_id:
            known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
            raise InputError(option, f"pool {params[option]!r} is not in the site.", code="pool_unknown", hint=f"Known pools: {known}.")


def _is_there(site: Site, volume: Volume, params: Mapping[str, Any]) -> bool:
    if params["target_pool"]:
        return bool(volume.pool == params["target_pool"])
    pool = site.pool_by_id.get(volume.pool or "")
    leaves = params["source_pool"] is not None and volume.pool == params["source_pool"]
    other_class = params["storage_class"] is not None and pool is not None and class_of(pool).value != params["storage_class"]
    return not leaves and not other_class


def _detached(module: AnsibleModule, driver: Driver, intent: Intent) -> dict[str, Any]:
    params = module.params
    there = _already_there(driver, params)
    if there is not None:
        return volume_done(module, there, Plan(""), None)
    site, volume = find_loose_volume(driver, params["volume"], "volume")
    _check_pools(site, params)
    if _is_there(site, volume, params):
        return volume_done(module, volume, Plan(""), None)
    request = PlanRequest((), consents=consents_of(params), intent=dataclasses.replace(intent, type=MigrationType.STORAGE), capabilities=driver.capabilities)
    plan = plan_volume(site, volume, request, params["target_pool"] or "")
    options = move_options(params, driver.clock.now())
    if module.check_mode:
        checks = prechecks(driver, plan, options)
        return volume_predicted(module, volume, Prediction(site, plan, checks, plan.unplaced))
    with StopWatch(Path(module.tmpdir)) as stop:
        ran = move_volume(driver, site, plan, options, ProgressFile(Path(module.tmpdir)), stop)
    return volume_done(module, _where(driver, volume, plan) if ran.ok and plan.migrations else volume, plan, ran)


def _already_there(driver: Driver, params: Mapping[str, Any]) -> Volume | None:
    """The volume, where an earlier run has brought it to its target: it is there by its name, and not in the pool that it is named with any more."""
    if not params["target_pool"]:
        return None
    try:
        find_loose_volume(driver, params["volume"], "volume")
    except InputError as error:
        if error.code != "volume_unknown":
            raise
        pool = pool_in_name(driver.snapshot(LIGHT), params["volume"], "volume")
        name = params["volume"].removeprefix(f"{pool}/")
        _site, found = find_loose_volume(driver, f"{params['target_pool']}/{name}", "volume")
        return found
    return None


def _where(driver: Driver, volume: Volume, plan: Plan) -> Volume:
    """The volume as it is after its move: its path is told (CSH-15, CSH-30)."""
    pool = plan.migrations[0].volumes[0].target_pool or ""
    site = driver.snapshot(Scope(vms=frozenset(), hosts=frozenset(), volumes_of=frozenset({pool})))
    names = {Path(volume.path).name, volume.name} - {""}
    return next((found for found in site.volumes if found.pool == pool and names & {found.name, Path(found.path).name}), volume)
