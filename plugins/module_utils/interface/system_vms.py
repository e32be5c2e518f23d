# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``systemvm_migrate`` does: a system VM goes to a host while it runs, to a pool while it is off, and never leaves its pod."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import Scope
from ..execution.relocation import relocate
from ..model.capabilities import Capabilities
from ..model.errors import InputError, StateConflict
from ..model.intent import Intent
from ..model.migration import MigrationType, Mode
from ..model.reason import blocking
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.mapping import map_volumes
from ..rules.system_vm import judge_kind
from .moving import done, predicted
from .opening import open_site
from .prediction import predict_relocation
from .progress import ProgressFile
from .ranges import check_numbers
from .requests import check_targets, consents_of, move_options
from .results import full
from .stopping import StopWatch


def systemvm_migrate(module: AnsibleModule) -> dict[str, Any]:
    """The module's result. Raises Failure with the result where the VM is not where it should be, and the errors of every floor below."""
    params = module.params
    check_numbers(params)
    _check(params)
    with open_site(params) as driver:
        wanted = _Wanted(params, driver.capabilities)
        options = move_options(params, driver.clock.now())
        if module.check_mode:
            vm, found = predict_relocation(driver, params["vm"], wanted, options)
            result = predicted(module, vm, found)
        else:
            with StopWatch(Path(module.tmpdir)) as stop:
                report = relocate(driver, params["vm"], wanted, options, ProgressFile(Path(module.tmpdir)), stop)
            result, vm = done(module, report), report.vm
        now = driver.snapshot(Scope(vms=frozenset({vm.id}), hosts=frozenset())).find_vm(vm.id, "vm")
    return {**result, "kind": now.kind.value, "volumes": full(now.volumes)}


def _check(params: Mapping[str, Any]) -> None:
    """Exactly one of a host, a pool, or the choice of one (CSV-20)."""
    host, pool, auto = params["target_host"], params["target_pool"], params["auto_select"]
    if host and pool:
        text = "a system VM goes to a host (while it runs) or to a pool (while it is off), and both are given."
        raise InputError("target_pool", text, code="mutually_exclusive", hint="Give target_host, or target_pool.")
    if auto and (host or pool):
        raise InputError("auto_select", "a target is named already.", code="mutually_exclusive", hint="Leave auto_select out.")
    if not host and not pool and auto is False:
        hint = "Give target_host, target_pool, or auto_select: true."
        raise InputError("auto_select", f"nothing says where system VM {params['vm']!r} shall go.", code="no_target", hint=hint)
    if not host and not pool and not params["source_host"] and not params["source_pool"]:
        hint = "Give source_host or source_pool, so that a second run knows that it has nothing to do."
        raise InputError("source_host", "nothing says what the system VM shall leave.", code="no_target", hint=hint)
    consents_of(params)


class _Wanted:
    """What to plan for the system VM where it is now; None where it may stay."""

    def __init__(self, params: Mapping[str, Any], capabilities: Capabilities) -> None:
        self._params, self._capabilities = params, capabilities
        self._consents = consents_of(params)

    def __call__(self, site: Site, vm: Vm) -> PlanRequest | None:
        refused = blocking(judge_kind(vm, Intent(), system_wanted=True))
        if refused:
            raise StateConflict(refused[0].message, code=refused[0].code, hint=refused[0].hint)
        for option in ("target_host", "source_host"):
            if self._params[option]:
                site.find_host(self._params[option], option)
        for option in ("target_pool", "source_pool"):
            if self._params[option] and self._params[option] not in site.pool_by_id:
                known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
                raise InputError(option, f"pool {self._params[option]!r} is not in the site.", code="pool_unknown", hint=f"Known pools: {known}.")
        return self._running(site, vm) if vm.is_active else self._stopped(site, vm)

    def _running(self, site: Site, vm: Vm) -> PlanRequest | None:
        target, source = self._params["target_host"], self._params["source_host"]
        if self._params["target_pool"] or self._params["source_pool"]:
            text = f"System VM {vm.name} is {vm.power_state.value}, and a pool is given: while it runs it goes to a host, and its pool is worked out."
            raise StateConflict(text, code="state_mismatch", hint="Give target_host, or shut it down first.")
        if target:
            if vm.host == target:
                return None
            check_targets(site, (target,), "target_host")
            # Its disks go along where the host does not reach them, into pools of their own class (CSV-19).
            return self._request(vm, Intent(type=MigrationType.HOST_STORAGE), targets=frozenset({target}))
        return self._request(vm, None, avoid=frozenset({source})) if vm.host == source else None

    def _stopped(self, site: Site, vm: Vm) -> PlanRequest | None:
        pool, source = self._params["target_pool"], self._params["source_pool"]
        if self._params["target_host"] or self._params["source_host"]:
            text = f"System VM {vm.name} is {vm.power_state.value}, and a host is given: while it is off it goes to a pool."
            raise StateConflict(text, code="state_mismatch", hint="Give target_pool, or start it first.")
        leaves = frozenset({source} if source else ())
        intent = Intent(type=MigrationType.STORAGE, mode=Mode.OFFLINE, root_pool=pool or "", leave_pools=leaves)
        host = site.host_by_name.get(vm.host)
        part = map_volumes(site, vm, host, intent) if host is not None else None
        if part is not None and not part.moves_storage and not blocking(part.reasons):
            return None
        return self._request(vm, intent)

    def _request(self, vm: Vm, intent: Intent | None, *, targets: frozenset[str] = frozenset(), avoid: frozenset[str] = frozenset()) -> PlanRequest:
        return PlanRequest(
            vms=(vm.id,),
            target_hosts=targets,
            avoid_hosts=avoid,
            scope="pod",
            consents=self._consents,
            bandwidth_mib_s=self._params["bandwidth_mib_s"] or 0,
            intent=intent,
            capabilities=self._capabilities if intent is not None else None,
        )
