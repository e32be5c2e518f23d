# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks of the server: waited for through WaitForUpdatesEx, so that nobody asks again and again, and read many at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...model.errors import HostUnreachable
from .connection import Link, VCenter
from .library import vim, vmodl
from .properties import moid_of, read

PATHS = ("info.state", "info.progress", "info.error", "info.cancelled")
_WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class TaskState:
    """How far a task is. ``fault`` is what it ended with, None for success; ``known`` is False where the server has forgotten the task."""

    ended: bool
    percent: float = 0.0
    fault: Any = None
    cancelled: bool = False
    known: bool = True


def states_of(center: VCenter, tasks: Sequence[Any]) -> dict[str, TaskState]:
    """The states of all these tasks, by id, in one call."""
    found = center.run("reading tasks", lambda link: read(link, tasks, "Task", PATHS))
    gone = TaskState(ended=True, known=False)
    return {moid_of(task): state_of(found[moid_of(task)].values) if moid_of(task) in found else gone for task in tasks}


def state_of(told: Mapping[str, Any], before: TaskState = TaskState(ended=False)) -> TaskState:
    """The state that these properties of a task tell, by path; what they do not tell is as before."""
    state = str(told["info.state"]) if "info.state" in told else ""
    percent = 100.0 if state == "success" else float(told["info.progress"] or 0) if "info.progress" in told else before.percent
    ended = state in ("success", "error") if state else before.ended
    return TaskState(ended, percent, told.get("info.error", before.fault), bool(told.get("info.cancelled", before.cancelled)))


def wait_for(center: VCenter, task: Any, doing: str, seconds: float) -> Any:
    """Wait for a task's end; gives its fault, or None. Raises HostUnreachable where it has not ended by then: it goes on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        state = states_of(center, [task])[moid_of(task)]
        if state.ended:
            return state.fault
        center.run(doing, lambda link: _wait_for_change(link, task))
    raise HostUnreachable(center.hostname, f"{doing} has not ended after {seconds:.0f} s and goes on.", hint="See the task in vCenter, then run this again.")


def _wait_for_change(link: Link, task: Any) -> None:
    """Return when the task's state is another one, or after some seconds."""
    query = vmodl().query.PropertyCollector
    collector = link.content.propertyCollector.CreatePropertyCollector()
    try:
        wanted = query.PropertySpec(type=vim().Task, pathSet=["info.state"], all=False)
        collector.CreateFilter(query.FilterSpec(objectSet=[query.ObjectSpec(obj=task)], propSet=[wanted]), partialUpdates=True)
        options = query.WaitOptions(maxWaitSeconds=_WAIT_SECONDS)
        first = collector.WaitForUpdatesEx("", options)
        if first is not None and not _has_ended(first):
            collector.WaitForUpdatesEx(first.version, options)
    finally:
        collector.DestroyPropertyCollector()


def _has_ended(changes: Any) -> bool:
    values = [change.val for part in changes.filterSet for found in part.objectSet for change in found.changeSet]
    return any(str(value) in ("success", "error") for value in values)
