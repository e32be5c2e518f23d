# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the candidate host itself: does it answer, is it open, what does it run."""

from __future__ import annotations

from ..model.host import HostState, MaintenanceState
from .rule import NOTHING, Case, Finding, Findings


def unreachable(case: Case) -> Findings:
    """The destination must answer."""
    if case.host.state is not HostState.UNREACHABLE:
        return NOTHING
    why = f": {case.host.state_reason}" if case.host.state_reason else ""
    return (Finding(f"Host {case.host.name} does not answer{why}.", "Bring it back, or choose another target."),)


def disabled(case: Case) -> Findings:
    """The destination must be up and enabled (CSK-08)."""
    if case.host.state is not HostState.DISABLED:
        return NOTHING
    why = f": {case.host.state_reason}" if case.host.state_reason else ""
    return (Finding(f"Host {case.host.name} is disabled{why}.", "Enable it, or choose another target."),)


def in_maintenance(case: Case) -> Findings:
    """The destination must be open to new placements (CSK-08; CloudStack 12045: a target that was itself in maintenance)."""
    note = case.host.maintenance
    if note.state is MaintenanceState.AVAILABLE:
        return NOTHING
    who = f" by {note.by}" if note.by else ""
    why = f" ({note.why})" if note.why else ""
    state = "in maintenance" if note.state is MaintenanceState.MAINTENANCE else "being prepared for maintenance"
    return (Finding(f"Host {case.host.name} is {state}{who}{why}.", "End its maintenance (host_evacuate, state available), or choose another target."),)
