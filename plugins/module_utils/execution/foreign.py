# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations of others (DRS, Nova, a colleague's virsh): waited for, counted, reported; never cancelled, finished or rolled back."""

from __future__ import annotations

from ..drivers.driver import LIGHT
from ..model.event import EventKind
from ..model.migration import Migration
from ..model.progress import Phase
from ..model.reason import hard, warning
from .operation import RunContext
from .settle import Settled

LOOK_SECONDS = 1.0


def wait_for_foreign(context: RunContext, migration: Migration) -> Settled:
    """Wait until somebody else's migration of this VM has ended, at most ``timeout_seconds`` and until the deadline."""
    clock, options = context.driver.clock, context.options
    context.tell(EventKind.FOREIGN, migration, "is being migrated by somebody else; waiting for that")
    until = clock.now() + options.timeout_seconds
    until = min(until, options.deadline) if options.deadline is not None else until
    while clock.now() < until and not context.stop():
        if not any(found.vm == migration.vm for found in context.driver.in_flight()):
            return _after(context, migration)
        clock.sleep(max(context.driver.poll_seconds, LOOK_SECONDS))
    reason = hard(
        "foreign_migration",
        f"{migration.vm_name} is being migrated by somebody else, and that was not over when this run ended.",
        "Run the task again later.",
    )
    return Settled(Phase.FAILED, migration.source_host, (reason,))


def _after(context: RunContext, migration: Migration) -> Settled:
    found = context.driver.snapshot(LIGHT).vm_by_id.get(migration.vm)
    host = found.host if found else ""
    if host and host != migration.source_host:
        reason = warning("foreign_migration", f"{migration.vm_name} was migrated to {host} by somebody else; that was waited for and left alone.")
        return Settled(Phase.DONE, host, (reason,))
    reason = warning("foreign_migration", f"Somebody else's migration of {migration.vm_name} ended without moving it.")
    return Settled(Phase.FAILED, host, (reason,), try_elsewhere=True)
