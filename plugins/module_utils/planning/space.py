# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan brings to each pool, over all its volumes and VMs. Nothing is counted as freed: a source is deleted only after its copy is verified."""

from __future__ import annotations

from ..rules.volume_case import Space


class PlannedSpace:
    """Space taken per pool (by id) while a plan grows."""

    def __init__(self) -> None:
        self._taken: dict[str, Space] = {}

    def copy(self) -> PlannedSpace:
        """An independent copy."""
        twin = PlannedSpace()
        twin._taken = dict(self._taken)
        return twin

    def taken_in(self, pool: str) -> Space:
        """What is planned for the pool so far."""
        return self._taken.get(pool, Space())

    def take(self, pool: str, space: Space | None) -> None:
        """A volume is to come to the pool; one of unknown size counts as nothing (the rulebook says so)."""
        if space is not None:
            self._taken[pool] = self.taken_in(pool) + space
