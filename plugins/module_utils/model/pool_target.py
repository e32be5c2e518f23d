# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A candidate pool for one volume: suitable or not, why, and what the move would cost. Field names mirror CloudStack's answers in snake case."""

from __future__ import annotations

from dataclasses import dataclass

from .migration import NetworkRole
from .reason import Reason


@dataclass(frozen=True, slots=True)
class PoolTarget:
    """One candidate.

    ``rank`` counts from 1 over the suitable ones (0: unsuitable); ``score`` is the share of the pool that stays free after the move (0 to 1).
    ``planned_bytes`` is what others of the plan take there. ``network`` carries the copy; ``networks_used`` is empty where no host could
    make it. ``worker_host`` does the copying of a detached volume; ``staged`` is always False: there is no
    copy over a third store (CSV-12).
    """

    pool: str
    suitable_for_migration: bool
    reasons: tuple[Reason, ...] = ()
    rank: int = 0
    score: float = 0.0
    name: str = ""
    kind: str = ""
    scope: str = ""
    state: str = ""
    zone: str = ""
    pod: str = ""
    cluster: str = ""
    tags: tuple[str, ...] = ()
    capacity_bytes: int | None = None
    free_bytes: int | None = None
    planned_bytes: int = 0
    source_pool: str | None = None
    worker_host: str = ""
    network: NetworkRole = NetworkRole.STORAGE
    networks_used: tuple[NetworkRole, ...] = ()
    bytes_to_copy: int = 0
    expected_seconds: float = 0.0
    staged: bool = False
