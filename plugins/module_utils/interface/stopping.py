# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When the module itself shall end early: a signal, the action plugin's stop file, or a controller that is gone."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType, TracebackType

STOP_FILE = "vmops-stop"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopWatch:
    """A ``StopSignal`` while it is open: empty while all is well, else ``signal`` or ``controller_gone``; once said, it stays.

    The module is a child of a shell that is a child of Ansible's worker. The worker's own watch (the action plugin) writes the stop file when
    ansible-playbook is gone. Where that watch does not run, the worker's death is seen from here, by a change of these two parents.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / STOP_FILE
        self._parents = _parents()
        self._reason = ""
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopWatch:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and background jobs ignore some, and mean it
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def __call__(self) -> str:
        """See ``execution.operation.StopSignal``."""
        if not self._reason and (self._file.exists() or self._orphaned()):
            self._reason = "controller_gone"
        return self._reason

    def _orphaned(self) -> bool:
        parent, grandparent = _parents()
        # 0: not known, which is no change
        return parent != self._parents[0] or (0 not in (grandparent, self._parents[1]) and grandparent != self._parents[1])

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._reason = self._reason or "signal"


def _parents() -> tuple[int, int]:
    """Numbers of the parent and of its parent (0 where the system does not tell)."""
    parent = os.getppid()
    try:
        status = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8", errors="replace")
        return parent, int(status.rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return parent, 0
