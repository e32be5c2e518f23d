# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Admission of migrations as slots come free: units per host, link and pool, and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..model.migration import Migration
from ..model.site import Limits

Unit = tuple[str, str]


class Slots:
    """Counts what is under way. Not thread-safe: only the scheduling loop uses it."""

    def __init__(self, limits: Limits, parallel: int = 0) -> None:
        self._limits = limits
        self._parallel = parallel
        self._used: Counter[Unit] = Counter()
        self._running = 0
        self._foreign: Counter[Unit] = Counter()

    def fits(self, migration: Migration) -> bool:
        """True where every unit that it needs is free."""
        if self._parallel and self._running >= self._parallel:
            return False
        return all(self._used[unit] + self._foreign[unit] + cost <= self._limits.of(*unit) for unit, cost in self._costs(migration).items())

    def _costs(self, migration: Migration) -> dict[Unit, int]:
        copies = any(move.moves and move.bytes_to_copy for move in migration.volumes)
        return {unit: self._limits.cost(*unit, copies_disks=copies) for unit in units_of(migration)}

    def take(self, migration: Migration) -> None:
        """Occupy its units."""
        self._running += 1
        self._used.update(self._costs(migration))

    def give(self, migration: Migration) -> None:
        """Free its units."""
        self._running -= 1
        self._used.subtract(self._costs(migration))

    def count_foreign(self, hosts: Iterable[str]) -> None:
        """Set the units that migrations of others occupy: one entry per end of each of them."""
        self._foreign = Counter(("host", host) for host in hosts if host)


def units_of(migration: Migration) -> list[Unit]:
    """What one migration occupies: both hosts, the links that it crosses, and the pools that data is copied from or to."""
    units = list(dict.fromkeys((("host", migration.source_host), ("host", migration.target_host))))
    units += [("link", link) for link in migration.links]
    pools = {pool for move in migration.volumes if move.bytes_to_copy for pool in (move.source_pool, move.target_pool) if pool}
    return units + [("pool", pool) for pool in sorted(pools)]
