# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All relocations of a run, watched by one thread through WaitForUpdatesEx: whoever asks how far a task is gets the answer without a call to the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from ...model.errors import MigrationError
from .connection import Link, VCenter
from .errors import failures
from .library import vim, vmodl
from .properties import moid_of
from .tasks import PATHS, TaskState, state_of, states_of

WAIT_SECONDS = 2
"""How long one wait lasts at the most. A task that is added while the thread waits cancels that wait; where the two just miss each other, this ends it."""
RETRY_SECONDS = 1.0
_GONE = TaskState(ended=True, known=False)


class TaskWatch:
    """May be asked by several threads. Nothing is begun before the first question."""

    def __init__(self, center: VCenter) -> None:
        self._center = center
        self._lock = threading.Condition()
        self._tasks: dict[str, Any] = {}
        self._states: dict[str, TaskState] = {}
        self._error: MigrationError | None = None
        self._collector: Any = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def states_of(self, tasks: Sequence[Any]) -> dict[str, TaskState]:
        """The states of these tasks, by id. Raises MigrationError where vCenter cannot be asked now."""
        with self._lock:
            new = [task for task in tasks if moid_of(task) not in self._states]
        if new:
            self._add(new)
        with self._lock:
            if self._error is not None:
                raise self._error
            return {moid_of(task): self._states[moid_of(task)] for task in tasks}

    def close(self) -> None:
        """End the thread. Tasks go on."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        self._wake()
        if self._thread is not None:
            self._thread.join(WAIT_SECONDS + 1)

    def _add(self, tasks: Sequence[Any]) -> None:
        first = states_of(self._center, tasks)
        with self._lock:
            self._states.update(first)
            self._tasks.update({moid_of(task): task for task in tasks if not first[moid_of(task)].ended})
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="vmops-tasks", daemon=True)
                self._thread.start()
            self._lock.notify_all()
        self._wake()

    def _wake(self) -> None:
        """End the present wait, so that what is new is watched too."""
        collector = self._collector
        if collector is not None:
            try:
                collector.CancelWaitForUpdates()
            except failures():
                return  # it ends by itself in a moment

    def _run(self) -> None:
        while self._await_work():
            try:
                self._center.run("watching tasks", self._watch)
            except MigrationError as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001 - a thread has no caller; those who wait for it must hear of it
                self._fail(MigrationError(f"Tasks cannot be watched: {type(error).__name__}: {error}.", code="internal_error", hint="Please report this."))

    def _fail(self, error: MigrationError) -> None:
        with self._lock:
            self._error = error
        time.sleep(RETRY_SECONDS)

    def _await_work(self) -> bool:
        with self._lock:
            while not self._tasks and not self._closed:
                self._lock.wait()
            return not self._closed

    def _watch(self, link: Link) -> None:
        """Until nothing is left to be watched. In a session that was opened anew everything begins anew, as with the first call."""
        collector = link.content.propertyCollector.CreatePropertyCollector()
        filters: dict[str, Any] = {}
        version = ""
        try:
            while (tasks := self._open_tasks()) is not None:
                for moid in filters.keys() - tasks.keys():
                    _destroy(filters.pop(moid))
                for moid in tasks.keys() - filters.keys():
                    filters[moid] = self._filter(collector, tasks[moid])
                self._collector = collector
                version = self._wait(collector, version)
        finally:
            self._collector = None
            for made in (*filters.values(), collector):
                _destroy(made)

    def _open_tasks(self) -> dict[str, Any] | None:
        with self._lock:
            return None if self._closed or not self._tasks else dict(self._tasks)

    def _filter(self, collector: Any, task: Any) -> Any:
        query = vmodl().query.PropertyCollector
        wanted = query.PropertySpec(type=vim().Task, pathSet=list(PATHS), all=False)
        try:
            return collector.CreateFilter(query.FilterSpec(objectSet=[query.ObjectSpec(obj=task)], propSet=[wanted]), partialUpdates=False)
        except vmodl().fault.ManagedObjectNotFound:
            self._learn(moid_of(task), _GONE)
            return None

    def _wait(self, collector: Any, version: str) -> str:
        try:
            changes = collector.WaitForUpdatesEx(version, vmodl().query.PropertyCollector.WaitOptions(maxWaitSeconds=WAIT_SECONDS))
        except vmodl().fault.RequestCanceled:
            return version
        with self._lock:
            self._error = None
        if changes is None:
            return version
        for part in changes.filterSet:
            for found in part.objectSet:
                self._apply(moid_of(found.obj), found)
        return str(changes.version)

    def _apply(self, moid: str, found: Any) -> None:
        if str(found.kind) == "leave":
            self._learn(moid, _GONE)
            return
        with self._lock:
            before = self._states.get(moid, TaskState(ended=False))
        self._learn(moid, state_of({change.name: change.val for change in found.changeSet}, before))

    def _learn(self, moid: str, state: TaskState) -> None:
        with self._lock:
            if moid in self._tasks:
                self._states[moid] = state
                if state.ended:
                    self._tasks.pop(moid)


def _destroy(made: Any) -> None:
    """Remove a filter or a collector; None is none."""
    if made is None:
        return
    try:
        if isinstance(made, vmodl().query.PropertyCollector):
            made.DestroyPropertyCollector()
        else:
            made.DestroyPropertyFilter()
    except failures():
        return  # it ended with its session
