# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other states of a host: opening it again, and asking a running drain to stop."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ..drivers.driver import LIGHT, Driver
from ..model.errors import MigrationError
from ..model.host import Maintenance, MaintenanceState
from ..model.note import ClaimKind
from .evacuation import check_hosts
from .stale import Stale, check_stale, find_stale, remove_stale


@dataclass(frozen=True, slots=True)
class StopAnswer:
    """``asked`` are hosts whose running drain was asked to stop; ``idle`` those that nobody drains, with their state."""

    asked: tuple[str, ...]
    idle: dict[str, MaintenanceState]


def closed_hosts(driver: Driver, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the hosts that are not available. Raises InputError and HostUnreachable."""
    site = driver.snapshot(LIGHT)
    check_hosts(site, hosts, "hosts")
    return tuple(name for name in hosts if site.host_by_name[name].maintenance.state is not MaintenanceState.AVAILABLE)


def reopen(driver: Driver, hosts: tuple[str, ...]) -> tuple[Stale, ...]:
    """Open hosts to new VMs again; drop their notes and stop requests, and the claims of dead runs.

    A host that was dead loses its stale definitions first; gives those.

    Raises StateConflict (``stale_definitions``), before anything changed, where one of them must stay closed.
    """
    found = tuple(find_stale(driver, name) for name in hosts)
    for stale in found:
        check_stale(stale)
    for stale in found:
        remove_stale(driver, stale)
        driver.set_maintenance(stale.host, Maintenance())
        driver.clear_stop(stale.host)
    with suppress(MigrationError):  # of runs that were killed; hosts that do not answer are let be
        driver.drop_stale_claims()
    return found


def drained_hosts(driver: Driver, hosts: tuple[str, ...]) -> StopAnswer:
    """Which of the hosts a living run is draining right now. Writes nothing. Raises InputError and HostUnreachable."""
    site = driver.snapshot(LIGHT)
    check_hosts(site, hosts, "hosts")
    drained = tuple(name for name in hosts if any(claim.kind is ClaimKind.DRAIN for claim in driver.claims(name)))
    idle = {name: site.host_by_name[name].maintenance.state for name in hosts if name not in drained}
    return StopAnswer(drained, idle)


def request_stops(driver: Driver, hosts: tuple[str, ...], by: str) -> None:
    """Leave a stop request with each host; the run that drains it sees it within seconds, starts nothing new and ends."""
    for name in hosts:
        driver.request_stop(name, by)
