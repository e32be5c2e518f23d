# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls that may hang: each in a daemon thread of its own, so that nobody waits longer than he said and no process is held up at its end.

A libvirt call cannot be interrupted. A thread that is left behind ends when keep-alive closes its connection, or with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def start_daemon(action: Callable[[], Result], name: str) -> Future[Result]:
    """Run the action in a daemon thread; its result or error is in the future."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            result = action()
        except BaseException as error:  # noqa: BLE001 (nothing is hidden: whoever asks the future gets it)
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def bounded(action: Callable[[], Result], seconds: float, name: str) -> Result:
    """The action's result. Raises TimeoutError after that many seconds; the action goes on behind."""
    return start_daemon(action, name).result(timeout=seconds)


def each(items: Iterable[Item], action: Callable[[Item], Result], at_once: int = 32) -> dict[Item, Future[Result]]:
    """Run the action for every item, so many at once, and return when all have ended; the futures tell results and errors."""
    slots = threading.Semaphore(at_once)

    def run(item: Item) -> Result:
        with slots:
            return action(item)

    futures = {item: start_daemon(lambda item=item: run(item), f"vmops-{item}") for item in items}  # type: ignore[misc]
    for future in futures.values():
        future.exception()
    return futures
