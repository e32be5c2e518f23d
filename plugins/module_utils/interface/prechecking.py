# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode: the hypervisors' own pre-checks for every planned move. Asks, and writes nothing."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..drivers.driver import Driver
from ..model.errors import MigrationError
from ..model.migration import Migration
from ..model.plan import Plan
from ..model.reason import Reason, Severity, blocking, hard
from ..model.request import MoveOptions

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Precheck:
    """What the hypervisors said of one planned move. ``refused`` is True where neither its target nor a host that would be tried next will take it."""

    migration: Migration
    reasons: tuple[Reason, ...] = ()
    refused: bool = False


def prechecks(driver: Driver, plan: Plan, options: MoveOptions) -> tuple[Precheck, ...]:
    """One per migration of the plan, in its order; several are asked at once."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="precheck") as pool:
        return tuple(pool.map(lambda migration: _precheck(driver, migration, options), plan.migrations))


def _precheck(driver: Driver, migration: Migration, options: MoveOptions) -> Precheck:
    reasons = _asked(driver, migration, options)
    if not blocking(reasons):
        return Precheck(migration, reasons)
    # A run would try the next targets, as often as `retries` says: so does the answer.
    for host in migration.next_targets[: options.retries]:
        if not blocking(_asked(driver, dataclasses.replace(migration, target_host=host), options)):
            warned = tuple(dataclasses.replace(reason, severity=Severity.SOFT, overridable="") for reason in reasons)
            return Precheck(migration, warned)
    return Precheck(migration, reasons, refused=True)


def _asked(driver: Driver, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
    try:
        return driver.check(migration, options)
    except MigrationError as error:
        return (hard(error.code, error.message, error.hint),)
