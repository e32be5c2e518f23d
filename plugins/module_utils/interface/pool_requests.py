# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of ``pool_evacuate`` to the VMs that leave the pools, each in the mode that suits its state, in one request."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..execution.pool_evacuation import users_of
from ..model.capabilities import Capabilities
from ..model.errors import InputError, StateConflict
from ..model.host import MaintenanceState
from ..model.intent import Purpose
from ..model.migration import MigrationType, Mode
from ..model.request import PlanRequest
from ..model.site import Site
from ..planning.given_pools import group_of
from .earlier import measured_moves
from .intents import intent_of
from .opening import unique
from .requests import check_targets, consents_of
from .selection import Selection


class PoolDrain:
    """Which VMs leave ``pools``, and where their volumes may go: asked again for every look at the site, because earlier plans may be overtaken.

    Named targets are checked once, at the first look.
    """

    def __init__(self, params: Mapping[str, Any], pools: tuple[str, ...], capabilities: Capabilities | None = None) -> None:
        """Raises InputError for expressions, consents and names that cannot be right."""
        self._params = params
        self._pools = frozenset(pools)
        self._capabilities = capabilities
        self._target_pools = unique(params["target_pools"], "target_pools", "pool_duplicate")
        self._target_hosts = unique(params["target_hosts"], "target_hosts")
        self._consents = consents_of(params)
        self._selection = Selection(params["select"], params["order_by"])
        self._measured = measured_moves(params["earlier_results"])
        intent = intent_of(params, Purpose.DRAIN)
        self._intent = dataclasses.replace(intent, leave_pools=self._pools, target_pools=frozenset(self._target_pools))
        self._checked = False
        for index, name in enumerate(self._target_pools):
            if name in pools:
                raise InputError(f"target_pools[{index}]", f"{name!r} is one of the pools to be emptied.")
        if self._target_hosts and intent.type is MigrationType.STORAGE:
            text = "a move of storage alone leaves every VM on its host."
            raise InputError("target_hosts", text, code="target_host_with_storage", hint="Leave target_hosts out, or give type host_storage.")

    def __call__(self, site: Site) -> PlanRequest:
        """The request for this look at the site. Raises InputError, HostUnreachable and StateConflict for a named target at the first look."""
        if not self._checked:
            _check_target_pools(site, self._target_pools)
            members = (group_of(site, name) for name in self._target_pools)
            inside = {pool.id for group in members for pool in group} - self._pools
            self._intent = dataclasses.replace(self._intent, target_pools=self._intent.target_pools | inside)
            check_targets(site, self._target_hosts, "target_hosts")
            self._checked = True
        vms = self._selection.chosen(list(users_of(site, self._pools)))
        return PlanRequest(
            vms=tuple(vm.id for vm in vms),
            target_hosts=frozenset(self._target_hosts),
            scope=self._params["scope"],
            consents=self._consents,
            parallel=self._params["parallel"] or 0,
            bandwidth_mib_s=self._params["bandwidth_mib_s"] or 0,
            keep_order=bool(self._params["order_by"]),
            intent=self._intent,
            measured=self._measured,
            capabilities=self._capabilities,
            modes={vm.id: Mode.OFFLINE for vm in vms if not vm.is_active and vm.power_state.value != "unknown"},
        )


def _check_target_pools(site: Site, names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        option = f"target_pools[{index}]"
        pool = site.pool_by_id.get(name)
        if pool is None and group_of(site, name):
            continue
        if pool is None:
            known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
            raise InputError(option, f"pool {name!r} is not in the site.", code="pool_unknown", hint=f"Known pools: {known}.")
        if not pool.active or pool.maintenance.state is not MaintenanceState.AVAILABLE:
            condition = f"in state {pool.maintenance.state.value}" if pool.active else "not active"
            raise StateConflict(f"{option}: pool {name} is {condition} and takes no volumes.", code="target_closed", hint="Name another, or open it first.")
