# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A candidate host for one VM: suitable or not, why, and what the move would cost. Field names mirror CloudStack's answers in snake case."""

from __future__ import annotations

from dataclasses import dataclass

from .migration import NetworkRole, VolumeMove
from .reason import Reason


@dataclass(frozen=True, slots=True)
class Target:
    """One candidate.

    ``rank`` counts from 1 over the suitable ones (0: unsuitable); ``score`` is the share of memory that stays free after the move (0 to 1).
    ``memory_free_mib`` is what is free before the move, after the reserve and everything already planned.
    """

    host: str
    suitable_for_migration: bool
    reasons: tuple[Reason, ...] = ()
    rank: int = 0
    score: float = 0.0
    zone: str = ""
    pod: str = ""
    cluster: str = ""
    state: str = ""
    hypervisor: str = ""
    hypervisor_version: str | None = None
    host_tags: tuple[str, ...] = ()
    has_enough_capacity: bool = True
    memory_total_mib: int | None = None
    memory_used_mib: int = 0
    memory_free_mib: int | None = None
    requires_storage_motion: bool = False
    network: NetworkRole = NetworkRole.MANAGEMENT
    networks_used: tuple[NetworkRole, ...] = ()
    volume_map: tuple[VolumeMove, ...] = ()
    bytes_to_copy: int = 0
    expected_seconds: float = 0.0
    expected_downtime_ms: float | None = None
    why: str = ""
