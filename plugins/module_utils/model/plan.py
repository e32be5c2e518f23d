# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan: the migrations that a request needs, their order, what cannot be done and why, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .migration import Migration
from .reason import Reason


@dataclass(frozen=True, slots=True)
class OrderConstraint:
    """Migration ``before`` must have ended (verified and finished) before migration ``after`` may start; ids of the plan's migrations."""

    before: str
    after: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A VM that cannot be moved: reasons that hold for the VM anywhere, and reasons per candidate host."""

    vm: str
    vm_name: str
    host: str
    reasons: tuple[Reason, ...] = ()
    candidates: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """What makes the lower bound as long as it is. ``kind``: ``link``, ``host``, ``pool``, ``vm``, or ``run`` where the cap on the whole run does."""

    kind: str
    name: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The planner's whole answer.

    ``plan_id`` is a digest of the moves (VM, source, target, type, mode, volumes), so that equal plans have equal ids. ``gap_percent`` is
    ``100 * (makespan / lower bound - 1)``. ``explanation`` says at once why there is no (whole) plan: totals, the largest VM against the largest hole,
    the rule that empties the candidates.
    """

    plan_id: str
    migrations: tuple[Migration, ...] = ()
    order: tuple[OrderConstraint, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    makespan_seconds: float = 0.0
    lower_bound_seconds: float = 0.0
    gap_percent: float = 0.0
    binding: Binding | None = None
    bytes_to_copy: int = 0
    warnings: tuple[Reason, ...] = ()
    explanation: str = ""

    @property
    def is_complete(self) -> bool:
        """True where every VM of the request has a place."""
        return not self.unplaced
