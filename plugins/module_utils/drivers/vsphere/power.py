# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stops a guest for a move that needs that, and starts it again: what mode cold and mode suspended do around vCenter's own relocation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ...model.errors import StateConflict
from ...model.migration import Mode
from ...model.note import VmNote
from ...model.vm import PowerState
from .connection import Link, VCenter
from .errors import fault_text
from .library import vim
from .properties import read
from .tasks import wait_for

STOPPING = "stopping"
"""The word in a note's ``stage`` from the moment on when its VM may be off, or suspended, because of us."""

STOPPED_MODES = (Mode.COLD, Mode.SUSPENDED)
_PATHS = ("name", "runtime.powerState", "guest.toolsRunningStatus")
_LOOK_SECONDS = 0.3
_TASK_SECONDS = 600.0
ENDING_SECONDS = 30.0
"""How long a guest that a dead run asked to shut down is given to do so, before its VM is taken for one that goes on."""


def was_stopped(note: VmNote) -> bool:
    """True for the note of a move that may have stopped its VM, which ran before."""
    return note.stage == STOPPING and note.power_state == PowerState.RUNNING.value


def state_now(center: VCenter, moid: str) -> str:
    """vCenter's word for the power state. Raises StateConflict (``object_gone``)."""
    return str(_facts(center, moid)["runtime.powerState"])


def _facts(center: VCenter, moid: str) -> Any:
    found = center.run("reading the VM", lambda link: read(link, [_ref(link, moid)], "VirtualMachine", _PATHS))
    if moid not in found:
        raise StateConflict(f"VM {moid} is gone.", code="object_gone", hint="Find out who removed it.")
    return found[moid]


def suspend(center: VCenter, moid: str, name: str) -> None:
    """Write the guest's memory to the VM's files, and stop it. One that does not run any more is left as it is."""
    if state_now(center, moid) == "poweredOn":
        _do(center, f"suspending {name}", lambda link: _ref(link, moid).SuspendVM_Task())


def shut_down(center: VCenter, moid: str, name: str, seconds: float, require_going: Callable[[], None]) -> None:
    """Ask the guest through its tools, wait so long, then end the VM; without tools there is nobody to ask. ``require_going`` raises where nobody wants it
    any more.
    """
    facts = _facts(center, moid)
    if str(facts["runtime.powerState"]) != "poweredOn":
        return
    if str(facts["guest.toolsRunningStatus"]) == "guestToolsRunning" and _ask(center, moid):
        _wait_until_off(center, moid, seconds, require_going)
    require_going()
    if state_now(center, moid) == "poweredOn":
        _do(center, f"powering {name} off", lambda link: _ref(link, moid).PowerOffVM_Task())


def _ask(center: VCenter, moid: str) -> bool:
    def ask(link: Link) -> bool:
        try:
            _ref(link, moid).ShutdownGuest()
        except (vim().fault.ToolsUnavailable, vim().fault.InvalidPowerState):
            return False
        return True

    return center.run("asking the guest to shut down", ask)


def _wait_until_off(center: VCenter, moid: str, seconds: float, require_going: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and state_now(center, moid) == "poweredOn":
        require_going()
        time.sleep(_LOOK_SECONDS)


def start_again(center: VCenter, moid: str, name: str, note: VmNote) -> None:
    """Start, or resume, a VM that its move has stopped; one that runs is left alone. Raises StateConflict where vCenter does not start it."""
    if not was_stopped(note):
        return
    if note.mode == Mode.COLD.value:  # a run that died may have asked the guest to shut down a moment ago
        _wait_until_off(center, moid, ENDING_SECONDS if _is_ending(center, moid) else 0.0, lambda: None)
    if state_now(center, moid) != "poweredOn":
        _do(center, f"starting {name}", lambda link: _ref(link, moid).PowerOnVM_Task())


def _is_ending(center: VCenter, moid: str) -> bool:
    """True where the guest has tools, and so can be on its way down."""
    facts = _facts(center, moid)
    return str(facts["runtime.powerState"]) == "poweredOn" and str(facts["guest.toolsRunningStatus"]) == "guestToolsRunning"


def _do(center: VCenter, doing: str, call: Callable[[Link], Any]) -> None:
    """Have a task done. An answer that was lost is no reason to ask twice: who reads the state afterwards sees what became of it."""
    task = center.run(doing, call, repeat=False)
    fault = wait_for(center, task, doing, _TASK_SECONDS)
    if fault is not None and not isinstance(fault, vim().fault.InvalidPowerState):
        raise StateConflict(f"{doing} failed: {fault_text(fault)}.", code="hypervisor_refused", hint="See the VM's tasks in vCenter.")


def _ref(link: Link, moid: str) -> Any:
    return link.object(vim().VirtualMachine, moid)
