# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a run shall end: the process's own signals, and stop requests that somebody left with a host that is being drained."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType

from ..drivers.driver import Driver
from ..model.errors import MigrationError
from .operation import StopSignal

LOOK_SECONDS = 2.0


class StopRequests:
    """Looks for stop requests every two seconds of real time, in a thread of its own, so that asking costs nothing elsewhere.

    ``looks`` are other ways to ask.
    """

    def __init__(self, driver: Driver, hosts: Iterable[str], own: StopSignal, looks: Iterable[Callable[[], str | None]] = ()) -> None:
        self._looks: tuple[Callable[[], str | None], ...] = (*(partial(driver.stop_requested, host) for host in hosts), *looks)
        self._own = own
        self._requested_by = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._look, name="stop-requests", daemon=True)

    def __enter__(self) -> StopRequests:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()

    @property
    def requested_by(self) -> str:
        """Who asked; empty for nobody."""
        return self._requested_by

    def __call__(self) -> str:
        """See ``operation.StopSignal``."""
        return self._own() or ("stop_request" if self._requested_by else "")

    def _look(self) -> None:
        while not self._requested_by and not self._closing.wait(LOOK_SECONDS):
            for look in self._looks:
                try:
                    self._requested_by = self._requested_by or look() or ""
                except MigrationError:
                    continue
