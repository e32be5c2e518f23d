# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module answers, as data: the form of a drain's or a move's result. Schema: ``docs/schema/result.schema.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model.migration import MigrationType, Mode, VolumeMove
from ..model.outcome import Attempt, Remaining
from ..model.plan import Plan
from ..model.pool_content import PoolContent
from ..model.progress import Phase
from ..model.reason import Reason


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """One VM's move: as planned and, after a run, as it went.

    ``host`` is where the VM is now, asked afresh. ``phase`` is ``planned`` in check mode and for moves that never started. Times are epoch seconds
    of the driver's clock, None for what has not happened. ``volumes`` are those that change their pool.
    """

    vm: str
    vm_name: str
    source_host: str
    target_host: str
    host: str
    phase: Phase
    type: MigrationType = MigrationType.HOST
    mode: Mode = Mode.LIVE
    changed: bool = False
    adopted: bool = False
    foreign: bool = False
    why: str = ""
    reasons: tuple[Reason, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    seconds: float | None = None
    expected_seconds: float | None = None
    downtime_ms: float | None = None
    expected_downtime_ms: float | None = None
    transferred_bytes: int = 0
    volumes: tuple[VolumeMove, ...] = ()


@dataclass(frozen=True, slots=True)
class UnplacedResult:
    """A VM that cannot be moved. ``candidates`` holds the reasons of the first hosts, ``candidate_counts`` how many hosts each reason code rules out."""

    vm: str
    vm_name: str
    host: str
    reasons: tuple[Reason, ...] = ()
    candidates: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    candidate_counts: Mapping[str, int] = field(default_factory=dict)
    candidates_total: int = 0


@dataclass(frozen=True, slots=True)
class HostResult:
    """A host that was asked for: its state now, what it was before, and how many VMs are left on it."""

    name: str
    state: str
    state_before: str = ""
    vms_left: int | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of the plan and of the run. Those of the run are None in check mode; the downtime is None where no hypervisor measured one."""

    planned_moves: int = 0
    done: int = 0
    failed: int = 0
    adopted: int = 0
    foreign: int = 0
    unplaced: int = 0
    remaining: int = 0
    planned_makespan_seconds: float = 0.0
    makespan_seconds: float | None = None
    lower_bound_seconds: float = 0.0
    gap_percent: float = 0.0
    planned_bytes: int = 0
    transferred_bytes: int | None = None
    longest_downtime_ms: float | None = None


@dataclass(frozen=True)
class RunResult:
    """The answer of ``host_evacuate`` and ``vm_migrate``. ``stopped_by`` is empty, or what ended the run early."""

    changed: bool
    plan: Plan | None = None
    migrations: tuple[MigrationResult, ...] = ()
    unplaced: tuple[UnplacedResult, ...] = ()
    remaining: tuple[Remaining, ...] = ()
    hosts: tuple[HostResult, ...] = ()
    stats: Stats = Stats()
    warning_reasons: tuple[Reason, ...] = ()
    stopped_by: str = ""


@dataclass(frozen=True, slots=True)
class PoolResult:
    """A pool that was asked for: its state now, what it was before, and what is left in it: all volumes, those that VMs need, and bytes (as far as known)."""

    id: str
    state: str
    state_before: str = ""
    volumes_left: int | None = None
    volumes_needed: int | None = None
    bytes_left: int | None = None


@dataclass(frozen=True)
class PoolRunResult:
    """The answer of ``pool_evacuate``. ``remaining`` is everything that is in the pools, ``deleted`` are ids of volumes that were.

    ``stopped_by`` is empty, or what ended the run early.
    """

    changed: bool
    plan: Plan | None = None
    migrations: tuple[MigrationResult, ...] = ()
    unplaced: tuple[UnplacedResult, ...] = ()
    remaining: tuple[PoolContent, ...] = ()
    pools: tuple[PoolResult, ...] = ()
    deleted: tuple[str, ...] = ()
    stats: Stats = Stats()
    warning_reasons: tuple[Reason, ...] = ()
    stopped_by: str = ""
