# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A move that came to nothing: what is told of its VM is how it is after the roll-back, which may have started it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Presence, Verdict, Verification
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.drivers.wallclock import WallClock
from ansible_collections.vmops.migration.plugins.module_utils.execution.operation import RunContext, Tally
from ansible_collections.vmops.migration.plugins.module_utils.execution.settle import settle
from ansible_collections.vmops.migration.plugins.module_utils.execution.watch import Ending, WatchResult
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MoveFailed
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, warning
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

NOTE = VmNote("o", this_controller(), 0.0, NotePhase.MOVING, "a", "b", power_state="running")
CANCELLED = warning("cancelled_on_request", "Somebody asked for it.")


@dataclass
class Source:
    """A driver of which only the end of a move is asked: its VM is off at its source until the roll-back, and then as ``after`` says."""

    after: PowerState
    starts_again: bool
    clock: WallClock = field(default_factory=WallClock)
    power_state: PowerState = PowerState.OFF

    def verify(self, _migration: Migration, _note: VmNote) -> Verification:
        return Verification(Verdict.AT_SOURCE, (Presence("a", self.power_state, persistent=True),))

    def rollback(self, _migration: Migration, _note: VmNote) -> tuple[Reason, ...]:
        self.power_state = self.after
        if not self.starts_again:
            raise MoveFailed("It cannot be started again.")
        return ()


@pytest.mark.parametrize(
    ("mode", "after", "starts_again", "asked", "phase", "codes", "try_elsewhere", "changed"),
    [
        (Mode.COLD, PowerState.RUNNING, True, None, Phase.FAILED, ["move_failed"], True, False),
        (Mode.COLD, PowerState.OFF, False, None, Phase.FAILED, ["move_failed", "not_started_again", "rollback_incomplete"], False, True),
        (Mode.COLD, PowerState.OFF, True, None, Phase.CANCELLED, ["power_state_changed"], False, False),
        (Mode.LIVE, PowerState.OFF, True, None, Phase.CANCELLED, ["power_state_changed"], False, False),
        (Mode.COLD, PowerState.RUNNING, True, CANCELLED, Phase.CANCELLED, ["cancelled_on_request"], False, False),
        (Mode.COLD, PowerState.OFF, False, CANCELLED, Phase.FAILED, ["cancelled_on_request", "not_started_again", "rollback_incomplete"], False, True),
    ],
)
def test_what_is_told_is_how_the_vm_is_after_the_roll_back(
    mode: Mode, after: PowerState, starts_again: bool, asked: Reason | None, phase: Phase, codes: list[str], try_elsewhere: bool, changed: bool
) -> None:
    nothing: Any = None
    driver: Any = Source(after, starts_again)
    context = RunContext(driver, nothing, nothing, nothing, nothing, nothing, lambda _event: None, lambda: "", Tally(1))
    settled = settle(context, Migration("m", "1", "web1", "a", "b", mode=mode), NOTE, WatchResult(Ending.ENDED, asked))
    assert settled is not None
    assert (settled.phase, settled.host, settled.try_elsewhere, settled.changed) == (phase, "a", try_elsewhere, changed)
    assert [reason.code for reason in settled.reasons] == codes
