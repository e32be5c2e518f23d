# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to hosts and VMs while a module runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.integration.worlds import LONG_SECONDS


@contextmanager
def beside(action: Callable[[], None]) -> Iterator[None]:
    """Do something in a thread while the block runs; what goes wrong there is raised at the block's end."""
    errors: list[Exception] = []

    def guarded() -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 (raised below, in the thread of the test)
            errors.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    yield
    thread.join(LONG_SECONDS)
    if errors:
        raise errors[0]
