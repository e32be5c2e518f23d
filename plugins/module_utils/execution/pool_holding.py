# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pools in the hands of one run: which hosts have them, claimed there against other runs, and watched for requests to stop."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ..drivers.driver import LIGHT, Driver, Scope
from ..model.errors import HostUnreachable, InputError, MigrationError, OperationInProgress, StateConflict
from ..model.event import Event, EventKind, Reporter
from ..model.host import Host, HostState, MaintenanceState
from ..model.note import ClaimKind
from ..model.pool import Pool
from ..model.request import MoveOptions
from ..model.site import Site
from .claims import ClaimKeeper
from .operation import Operation, StopSignal
from .stop import StopRequests

WAIT_STEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HeldPools:
    """``keeper`` holds the run's claims, ``requests`` tells whether the run shall end."""

    keeper: ClaimKeeper
    requests: StopRequests


def check_pools(site: Site, pools: tuple[str, ...], option: str = "pools") -> None:
    """Raise an error for a pool of which it could not be told what is in it, and whose that is.

    InputError (``pool_unknown``), StateConflict (``pool_inactive``, ``pool_not_on_host``), HostUnreachable: a host that has the pool, or may have it, does not
    answer. Its VMs may use volumes that would look like orphans.
    """
    for name in pools:
        silent = [host for host in site.hosts if host.state is HostState.UNREACHABLE]
        pool = site.pool_by_id.get(name)
        if pool is None:
            _unknown(site, name, option, silent)
            continue
        for host in silent:
            if _may_have(host, pool):
                said = (host.state_reason or "no reason given").rstrip(".")
                text = f"{option}: host {host.name} has pool {name}, or may have it, and does not answer: {said}. Its VMs may use volumes of the pool."
                raise HostUnreachable(host.name, text, hint="Make it answer, or take it out of site.hosts if it is gone for good. Nothing was changed.")
        if not pool.active:
            raise StateConflict(f"{option}: pool {name} is not active, so what is in it cannot be read.", code="pool_inactive", hint="Start the pool.")
        if not hosts_of(site, name):
            raise StateConflict(f"{option}: no host of the site has pool {name}.", code="pool_not_on_host", hint="Mount it on a host that can read it.")


def _unknown(site: Site, name: str, option: str, silent: list[Host]) -> None:
    owner = next((host for host in silent if name.startswith(f"{host.name}/")), None)
    if owner is not None:
        said = (owner.state_reason or "no reason given").rstrip(".")
        text = f"{option}: host {owner.name}, which has pool {name}, does not answer: {said}."
        raise HostUnreachable(owner.name, text, hint="Make it answer. Nothing was changed.")
    known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
    names = ", ".join(host.name for host in silent)
    hint = f"Known pools: {known}." + (f" These hosts did not answer: {names}." if silent else "")
    raise InputError(option, f"pool {name!r} is not in the site.", code="pool_unknown", hint=hint)


def _may_have(host: Host, pool: Pool) -> bool:
    """What pools a host has that does not answer is not known: one of its own by the pool's id, a shared one where it is in the pool's zone and cluster."""
    if pool.is_local:
        return pool.id in host.pools or pool.id.startswith(f"{host.name}/")
    alike = ((pool.zone, host.zone), (pool.pod, host.pod), (pool.cluster, host.cluster))
    return pool.id in host.pools or all(not one or not other or one == other for one, other in alike)


def hosts_of(site: Site, pool: str) -> tuple[str, ...]:
    """Names of the hosts that have the pool, in order."""
    return tuple(sorted(host.name for host in site.hosts if pool in host.pools))


@contextmanager
def held_pools(driver: Driver, operation: Operation, pools: tuple[str, ...], options: MoveOptions, report: Reporter, stop: StopSignal) -> Iterator[HeldPools]:
    """Hold the pools for the time of the block: one run at a time empties a pool. The claim is kept on every host that has it, so that controllers which
    look after different parts of the site meet as well.

    Raises OperationInProgress where another run holds one of them for longer than ``claim_wait_seconds``.
    """
    site = driver.snapshot(LIGHT)
    check_pools(site, pools)
    with ClaimKeeper(driver, operation.id, operation.controller) as keeper:
        for pool in sorted(pools):
            for host in hosts_of(site, pool):
                _claim(driver, keeper, site.pool_by_id[pool], host, options, report, stop)
        site = driver.snapshot(LIGHT)
        check_pools(site, pools)
        # A request that is older than this run was meant for another.
        for name in pools:
            if site.pool_by_id[name].maintenance.stop_by:
                driver.set_pool_maintenance(name, dataclasses.replace(site.pool_by_id[name].maintenance, stop_by=""))
        looks = [partial(_stop_asked, driver, pool, hosts_of(site, pool)) for pool in pools]
        with StopRequests(driver, (), stop, looks) as requests:
            yield HeldPools(keeper, requests)


def _claim(driver: Driver, keeper: ClaimKeeper, pool: Pool, host: str, options: MoveOptions, report: Reporter, stop: StopSignal) -> None:
    """A holder gets ``claim_wait_seconds`` to come to its end; a run that is told to end waits no longer."""
    until, told = time.monotonic() + options.claim_wait_seconds, False
    while (refused := keeper.take(ClaimKind.POOL, host, pool.name)) is not None:
        if time.monotonic() >= until or stop():
            text = f"pools: {pool.id} is being emptied by another run. {refused.message}"
            raise OperationInProgress(text, hint="Wait for its end, or ask it to stop with state: cancelled.")
        if not told:
            report(Event(EventKind.WAITING, driver.clock.now(), source=host, message=refused.message))
            told = True
        time.sleep(WAIT_STEP_SECONDS)


def _stop_asked(driver: Driver, pool: str, hosts: tuple[str, ...]) -> str | None:
    """Who asked to stop the emptying of the pool, as one of its hosts has it."""
    for host in hosts:
        try:
            found = driver.snapshot(Scope(frozenset(), frozenset(), frozenset({host}))).pool_by_id.get(pool)
        except MigrationError:
            continue
        if found is not None:
            return found.maintenance.stop_by or None
    return None


def emptied_pools(driver: Driver, pools: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the pools that a living run is emptying right now. Writes nothing. Raises the errors of ``check_pools``."""
    site = driver.snapshot(LIGHT)
    check_pools(site, pools)
    held = {pool: {claim.subject for host in hosts_of(site, pool) for claim in driver.claims(host) if claim.kind is ClaimKind.POOL} for pool in pools}
    return tuple(pool for pool in pools if site.pool_by_id[pool].name in held[pool])


def request_pool_stop(driver: Driver, pool: str, by: str) -> None:
    """Leave a stop request with the pool; the run that empties it sees it within seconds, starts nothing new and ends."""
    note = driver.snapshot(LIGHT).pool_by_id[pool].maintenance
    state = MaintenanceState.PREPARING if note.state is MaintenanceState.AVAILABLE else note.state
    driver.set_pool_maintenance(pool, dataclasses.replace(note, state=state, stop_by=by))
