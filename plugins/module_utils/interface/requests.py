# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to the requests of planner and executor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..model.capabilities import Capabilities
from ..model.errors import HostUnreachable, InputError, StateConflict
from ..model.host import HostState
from ..model.intent import Purpose, TimeoutAction
from ..model.request import MoveOptions, OnDeadline, PlanRequest, Transport, VerifyCopy
from ..model.site import Site
from ..rules.recover import CONSENTS as RECOVERY_CONSENTS
from ..rules.rulebook import consents as known_consents
from .earlier import measured_moves
from .intents import intent_of, speed_of
from .opening import unique
from .selection import Selection
from .times import deadline_of


def move_options(params: Mapping[str, Any], now: float) -> MoveOptions:
    """How to move, from the options of ``arguments.move_spec``; ``now`` in epoch seconds of the driver's clock. Raises InputError for a deadline."""
    return MoveOptions(
        bandwidth_mib_s=params["bandwidth_mib_s"] or 0,
        speed_mib_s=speed_of(params),
        max_downtime_ms=params["max_downtime_ms"] or 0,
        auto_converge=params["auto_converge"],
        post_copy=params["post_copy"],
        encrypt=params["encrypt"],
        compression="" if params["compression"] == "none" else params["compression"],
        connections=params["connections"] or 0,
        storage_timeout_seconds=params["storage_timeout_seconds"],
        shutdown_seconds=params["shutdown_seconds"],
        verify_copy=VerifyCopy(params["verify_copy"]),
        eject_media=params["eject_media"],
        timeout_seconds=params["timeout_seconds"],
        stall_seconds=params["stall_seconds"],
        on_timeout=TimeoutAction(params["on_timeout"]),
        retries=params["retries"],
        parallel=params["parallel"] or 0,
        transport=Transport(params["transport"]),
        deadline=deadline_of(params["deadline"], "deadline", now),
        on_deadline=OnDeadline(params["on_deadline"]),
        claim_wait_seconds=params["claim_wait_seconds"],
        why=params["why"],
    )


def consents_of(params: Mapping[str, Any]) -> frozenset[str]:
    """The names of the soft refusals that the operator consents to. Raises InputError for one that no rule asks for."""
    known = known_consents() | RECOVERY_CONSENTS
    for index, name in enumerate(params["consents"]):
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InputError(f"consents[{index}]", f"{name!r} is not a consent that any rule asks for.", code="consent_unknown", hint=f"Known: {listed}.")
    return frozenset(params["consents"])


class Drain:
    """Which VMs leave ``hosts``, and where they may go: asked again for every look at the site, because earlier plans may be overtaken.

    The named target hosts are checked once, at the first look: later ones only rank lower when they fail in the middle of a run.
    """

    def __init__(self, params: Mapping[str, Any], hosts: tuple[str, ...], capabilities: Capabilities | None = None) -> None:
        """Raises InputError for expressions, consents and names that cannot be right."""
        self._params = params
        self._hosts = hosts
        self._capabilities = capabilities
        self._targets = unique(params["target_hosts"], "target_hosts")
        self._consents = consents_of(params)
        self._selection = Selection(params["select"], params["order_by"])
        self._checked = False
        intent = intent_of(params, Purpose.DRAIN)
        self._intent = None if intent.is_plain else intent
        self._measured = measured_moves(params["earlier_results"])
        for index, name in enumerate(self._targets):
            if name in hosts:
                raise InputError(f"target_hosts[{index}]", f"{name!r} is one of the hosts to be emptied.")

    def __call__(self, site: Site) -> PlanRequest:
        """The request for this look at the site. Raises InputError, HostUnreachable and StateConflict for a named target host at the first look."""
        if not self._checked:
            check_targets(site, self._targets, "target_hosts")
            self._checked = True
        vms = [vm for host in self._hosts for vm in site.vms_by_host.get(host, ()) if vm.must_leave]
        return PlanRequest(
            vms=tuple(vm.id for vm in self._selection.chosen(vms)),
            target_hosts=frozenset(self._targets),
            avoid_hosts=frozenset(self._hosts),
            scope=self._params["scope"],
            consents=self._consents,
            parallel=self._params["parallel"] or 0,
            bandwidth_mib_s=self._params["bandwidth_mib_s"] or 0,
            keep_order=bool(self._params["order_by"]),
            intent=self._intent,
            measured=self._measured,
            capabilities=self._capabilities,
        )


def check_targets(site: Site, names: Iterable[str], option: str) -> None:
    """Raise an error for a named target host that is unknown, does not answer, or is closed: whoever names it relies on it."""
    for name in names:
        host = site.find_host(name, option)
        if host.state is HostState.UNREACHABLE:
            said = (host.state_reason or "no reason given").rstrip(".")
            raise HostUnreachable(name, f"{option}: host {name} does not answer: {said}.", hint="Name another, or make it answer. Nothing was changed.")
        if not host.is_open:
            condition = host.state.value if host.state is not HostState.UP else f"in state {host.maintenance.state.value}"
            by = f" (by {host.maintenance.by}: {host.maintenance.why or 'no reason given'})" if host.maintenance.by else ""
            raise StateConflict(f"{option}: host {name} is {condition}{by} and takes no VMs.", code="target_closed", hint="Name another, or open it first.")
