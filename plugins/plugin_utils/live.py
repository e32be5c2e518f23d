# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live progress: an action that runs the module of its own name and shows what the module writes into the temporary folder that both share.

It also watches over the run: when ansible-playbook is gone while this worker lives on, the module is told to start nothing new and to end.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import IO, Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.interface.progress import PROGRESS_FILE
from ..module_utils.interface.stopping import STOP_FILE
from .event_lines import lines_of

LOOK_SECONDS = 0.2
LAST_LOOK_SECONDS = 2.0

DISPLAY = Display()


class LiveAction(ActionBase):
    """The common part of all actions. The modules work without it as well, only silently."""

    _supports_async = True
    _supports_check_mode = True
    # Makes the temporary folder before the module starts, also with pipelining: the module's own is the same one.
    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; show its progress where it runs on this machine and not in the background."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        folder: str | None = self._connection._shell.tmpdir
        watch = Watch(Path(folder), shows=not self._task.no_log) if folder and self._connection.transport == "local" and not wrap_async else None
        if watch:
            watch.start()
        try:
            result.update(self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
        finally:
            if watch:
                watch.end()
            if not wrap_async:
                self._remove_tmp_path(folder)  # type: ignore[no-untyped-call]
        return result


class Watch(threading.Thread):
    """Reads the progress file and looks after the parent process, until told that the module has ended."""

    def __init__(self, folder: Path, *, shows: bool) -> None:
        super().__init__(name="vmops-progress", daemon=True)
        self._folder = folder
        self._shows = shows
        self._over = threading.Event()
        self._parent = os.getppid()
        self._stream: IO[str] | None = None
        self._rest = ""

    def end(self) -> None:
        """The module has ended: read the last lines and stop."""
        self._over.set()
        self.join(LAST_LOOK_SECONDS)

    def run(self) -> None:
        """See ``threading.Thread``."""
        last = False
        while not last:
            last = self._over.wait(LOOK_SECONDS)
            if os.getppid() != self._parent:
                self._tell_to_stop()
            if self._shows:
                self._show()
        if self._stream:
            self._stream.close()

    def _tell_to_stop(self) -> None:
        try:
            (self._folder / STOP_FILE).touch()
        except OSError:
            # The folder is gone, and the module with it.
            return

    def _show(self) -> None:
        try:
            self._stream = self._stream or (self._folder / PROGRESS_FILE).open(encoding="utf-8")
            self._rest += self._stream.read()
        except (OSError, UnicodeDecodeError):
            return  # nothing has been written yet, or this user may not read it
        *whole, self._rest = self._rest.split("\n")
        for text in whole:
            for line in lines_of(text):
                DISPLAY.display(line)
