# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to abort one VM's move, left with its source by another run: a claim of kind ``cancel``."""

from __future__ import annotations

import time

from ..drivers.driver import Driver
from ..model.errors import MigrationError
from ..model.migration import Migration
from ..model.note import ClaimKind
from ..model.reason import Reason, warning

LOOK_SECONDS = 2.0


class CancelRequests:
    """Looks for a request about one move every two seconds of real time; what it has seen once, it remembers."""

    def __init__(self, driver: Driver, migration: Migration) -> None:
        self._driver = driver
        self._migration = migration
        self._looked_at = time.monotonic()
        self._found: Reason | None = None

    def reason(self) -> Reason | None:
        """Why the move shall be aborted; None while nobody asks for it."""
        now = time.monotonic()
        if self._found is None and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._found = self._look()
        return self._found

    def _look(self) -> Reason | None:
        try:
            claims = self._driver.claims(self._migration.source_host)
        except MigrationError:
            return None  # asked again at the next look
        asked = next((claim for claim in claims if claim.kind is ClaimKind.CANCEL and claim.subject == self._migration.vm), None)
        if asked is None:
            return None
        return warning("cancelled_on_request", f"The move of {self._migration.vm_name} was aborted because {asked.controller} asked for it (state: cancelled).")
