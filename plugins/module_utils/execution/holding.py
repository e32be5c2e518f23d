# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts in the hands of one run: claimed against other runs, and watched for requests to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..drivers.driver import Driver
from ..model.errors import MigrationError, OperationInProgress
from ..model.event import Event, EventKind, Reporter
from ..model.note import ClaimKind
from ..model.request import MoveOptions
from .claims import ClaimKeeper
from .operation import Operation, StopSignal
from .stop import StopRequests

WAIT_STEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """``keeper`` holds the run's claims, ``requests`` tells whether the run shall end."""

    keeper: ClaimKeeper
    requests: StopRequests


@contextmanager
def held_hosts(driver: Driver, operation: Operation, hosts: tuple[str, ...], options: MoveOptions, report: Reporter, stop: StopSignal) -> Iterator[Held]:
    """Hold the hosts for the time of the block: one run at a time empties a host or fills it again.

    Raises OperationInProgress where another run holds one of them for longer than ``claim_wait_seconds``.
    """
    with ClaimKeeper(driver, operation.id, operation.controller) as keeper:
        _claim(driver, keeper, hosts, options, report, stop)
        for name in hosts:
            driver.clear_stop(name)  # one that is older than this run was meant for another
        try:
            with StopRequests(driver, hosts, stop) as requests:
                yield Held(keeper, requests)
        finally:
            for name in hosts:  # a request ends with the run that it was meant for
                with suppress(MigrationError):
                    driver.clear_stop(name)


def _claim(driver: Driver, keeper: ClaimKeeper, hosts: tuple[str, ...], options: MoveOptions, report: Reporter, stop: StopSignal) -> None:
    """A holder gets ``claim_wait_seconds`` to come to its end; a run that is told to end waits no longer."""
    until = time.monotonic() + options.claim_wait_seconds
    for host in sorted(hosts):
        told = False
        while (refused := keeper.take(ClaimKind.DRAIN, host, host)) is not None:
            if time.monotonic() >= until or stop():
                text = f"hosts: {host} is being drained by another run. {refused.message}"
                raise OperationInProgress(text, hint="Wait for its end, or ask it to stop with state: cancelled.")
            if not told:
                report(Event(EventKind.WAITING, driver.clock.now(), source=host, message=refused.message))
                told = True
            time.sleep(WAIT_STEP_SECONDS)
