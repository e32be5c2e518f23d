# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of migrations: of one, and of a whole run."""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Unplaced
from .progress import Phase
from .reason import Reason


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to move a VM to one host. Times in epoch seconds of the driver's clock."""

    target_host: str
    phase: Phase
    started_at: float
    ended_at: float
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one migration ended.

    ``phase`` is ``done``, ``failed``, ``cancelled``, ``unknown`` or ``planned`` (never started). ``host`` is where the VM runs now, asked afresh.
    ``adopted`` migrations had been started by an earlier run. ``downtime_ms`` is the hypervisor's own figure where it has one.
    """

    migration_id: str
    vm: str
    vm_name: str
    source_host: str
    host: str
    phase: Phase
    changed: bool = False
    adopted: bool = False
    foreign: bool = False
    attempts: tuple[Attempt, ...] = ()
    reasons: tuple[Reason, ...] = ()
    started_at: float = 0.0
    ended_at: float = 0.0
    downtime_ms: float | None = None
    transferred_bytes: int = 0

    @property
    def ok(self) -> bool:
        """True where the move is done and verified."""
        return self.phase is Phase.DONE


@dataclass(frozen=True, slots=True)
class Remaining:
    """A VM that is still where it should have left, and why."""

    vm: str
    vm_name: str
    host: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a whole run ended. ``stopped_by`` is empty, or ``deadline``, ``stop_request``, ``signal`` or ``controller_gone``."""

    outcomes: tuple[Outcome, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    remaining: tuple[Remaining, ...] = ()
    warnings: tuple[Reason, ...] = ()
    started_at: float = 0.0
    ended_at: float = 0.0
    stopped_by: str = ""

    @property
    def ok(self) -> bool:
        """True where everything that was asked for is done, also where somebody asked it to stop in its last moment."""
        return not self.unplaced and not self.remaining and all(outcome.ok for outcome in self.outcomes)
