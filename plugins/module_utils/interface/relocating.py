# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of ``vm_migrate`` to what is to be planned for one VM where it is now, or to nothing where it may stay."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..model.capabilities import Capabilities
from ..model.errors import InputError, StateConflict
from ..model.intent import Intent
from ..model.migration import MigrationType
from ..model.reason import blocking
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.mapping import map_volumes
from ..rules.system_vm import judge_kind
from .earlier import measured_moves
from .intents import intent_of
from .opening import unique
from .requests import check_targets, consents_of

Wanted = Callable[[Site, Vm], "PlanRequest | None"]


def relocation_request(params: Mapping[str, Any], capabilities: Capabilities | None = None) -> Wanted:
    """What to plan for one VM where it is now: a function for ``execution.relocation``. Raises InputError for names that cannot be right.

    Without a target, ``source_host``, ``source_pool`` or ``avoid`` says what to leave; a VM that is not there may stay.
    """
    return _Relocation(params, capabilities)


class _Relocation:
    """One VM's way from where it is to where the options want it."""

    def __init__(self, params: Mapping[str, Any], capabilities: Capabilities | None) -> None:
        self._params = params
        self._target, self._source, self._source_pool = params["target_host"], params["source_host"], params["source_pool"]
        self._avoid = unique(params["avoid"], "avoid")
        self._consents = consents_of(params)
        self._capabilities = capabilities
        self._measured = measured_moves(params["earlier_results"])
        self._intent = intent_of(params)
        self._check()

    def _check(self) -> None:
        said: list[object] = [] if self._intent.type is MigrationType.STORAGE else [self._target, self._source, self._avoid]
        if self._intent.type is not MigrationType.HOST:
            said += [self._source_pool, self._intent.root_pool, self._intent.volume_pools, self._intent.new_storage_class]
        elif self._source_pool:
            text = "a move by host leaves every volume where it is."
            raise InputError("source_pool", text, hint="Give type storage, or host_storage.")
        if not any(said):
            hints = {
                MigrationType.HOST: "Give target_host (where to), source_host (leave that one), or avoid (leave any of these).",
                MigrationType.STORAGE: "Give target_pool or volume_pools (where to), or source_pool (leave that one).",
                MigrationType.HOST_STORAGE: "Give target_host, target_pool or volume_pools (where to), or source_host, source_pool or avoid (what to leave).",
            }
            option = "target_pool" if self._intent.type is MigrationType.STORAGE else "target_host"
            text = f"nothing says where VM {self._params['vm']!r} shall go."
            raise InputError(option, text, code="no_target", hint=hints[self._intent.type])
        if self._params["require_explicit_target"] and self._target is None and self._intent.type is not MigrationType.STORAGE:
            text = "a target host has to be named (require_explicit_target), and none is."
            raise InputError("target_host", text, code="no_target", hint="Give target_host; find_migration_targets lists the hosts that suit.")
        if self._target is not None and (self._target == self._source or self._target in self._avoid):
            raise InputError("target_host", f"{self._target!r} is also to be left or avoided.")
        if self._target is not None and self._intent.type is MigrationType.STORAGE:
            text = f"a move of storage alone leaves the VM on its host, and {self._target!r} is given as its target."
            raise InputError("target_host", text, code="target_host_with_storage", hint="Leave target_host out, or give type host_storage.")
        if self._source_pool and self._source_pool in (self._intent.root_pool, *self._intent.volume_pools.values()):
            raise InputError("source_pool", f"{self._source_pool!r} is also a pool to go to.")

    def __call__(self, site: Site, vm: Vm) -> PlanRequest | None:
        """The request; None where the VM may stay as it is. Raises InputError and StateConflict for names and states that contradict what is asked for."""
        refused = blocking(judge_kind(vm, self._intent, system_wanted=False))
        if refused:
            raise StateConflict(refused[0].message, code=refused[0].code, hint=refused[0].hint)
        for option, names in (("source_host", (self._source,) if self._source else ()), ("avoid", self._avoid)):
            for name in names:
                site.find_host(name, option)
        self._check_pools(site)
        if self._intent.type is MigrationType.HOST:
            return self._request(vm, self._intent) if self._leaves_host(site, vm) else None
        intent = dataclasses.replace(self._intent, leave_pools=frozenset({self._source_pool} if self._source_pool else ()))
        if intent.type is MigrationType.HOST_STORAGE and self._leaves_host(site, vm):
            return self._request(vm, intent)
        in_place = dataclasses.replace(intent, type=MigrationType.STORAGE)
        return self._request(vm, in_place, stays=True) if self._has_to_move(site, vm, in_place) else None

    def _check_pools(self, site: Site) -> None:
        if self._source_pool and self._source_pool not in site.pool_by_id:
            known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
            raise InputError("source_pool", f"pool {self._source_pool!r} is not in the site.", code="pool_unknown", hint=f"Known pools: {known}.")

    def _leaves_host(self, site: Site, vm: Vm) -> bool:
        """True where the VM is not on the host that it should be on."""
        target, source = self._target, self._source
        if target is None:
            return vm.host == source or vm.host in self._avoid
        site.find_host(target, "target_host")
        if vm.host == target:
            return False
        if source is not None and vm.host != source:
            text = f"VM {vm.name} is on host {vm.host}, neither on source_host {source} nor on target_host {target}."
            raise StateConflict(text, code="vm_elsewhere", hint="Somebody may have moved it. Leave source_host out to move it from wherever it is.")
        check_targets(site, (target,), "target_host")
        return True

    def _has_to_move(self, site: Site, vm: Vm, intent: Intent) -> bool:
        """True where a volume is not in the pool that it should be in: whether it can go there, the planner says."""
        if not (intent.root_pool or intent.volume_pools or intent.leave_pools or intent.new_storage_class):
            return False
        host = site.host_by_name.get(vm.host)
        if host is None:
            return False
        if not intent.root_pool and not intent.volume_pools and not any(volume.pool in intent.leave_pools for volume in vm.volumes):
            return intent.new_storage_class is not None and self._mapped(site, vm, intent)
        return self._mapped(site, vm, intent)

    @staticmethod
    def _mapped(site: Site, vm: Vm, intent: Intent) -> bool:
        part = map_volumes(site, vm, site.host_by_name[vm.host], intent)
        return part.moves_storage or bool(blocking(part.reasons))

    def _request(self, vm: Vm, intent: Intent, *, stays: bool = False) -> PlanRequest:
        params, plain = self._params, intent == Intent()
        return PlanRequest(
            vms=(vm.id,),
            target_hosts=frozenset({self._target} if self._target and not stays else ()),
            avoid_hosts=frozenset(name for name in (self._source, *self._avoid) if name) if not stays else frozenset(),
            scope=params["scope"],
            consents=self._consents,
            bandwidth_mib_s=params["bandwidth_mib_s"] or 0,
            intent=None if plain else intent,
            measured=self._measured,
            capabilities=None if plain else self._capabilities,
        )
