# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""libvirt's Python binding: imported here alone, guarded, quiet, and with the event loop that keep-alive needs."""

from __future__ import annotations

import os
import threading
import time
import traceback
from typing import Any

from ...model.errors import DriverMissing

# libvirt's library logs warnings to standard error unless told otherwise, and it reads this when it is loaded. An operator's own setting stays.
os.environ.setdefault("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null")

try:
    import libvirt

    LIBVIRT_TRACE = ""
except ImportError:
    libvirt = None
    LIBVIRT_TRACE = traceback.format_exc()

try:
    from defusedxml import ElementTree as SafeElementTree

    DEFUSEDXML_TRACE = ""
except ImportError:
    SafeElementTree = None  # type: ignore[assignment]
    DEFUSEDXML_TRACE = traceback.format_exc()

__all__ = ["SafeElementTree", "libvirt", "prepare"]

_PREPARED = threading.Lock()
_STATE: dict[str, threading.Thread] = {}


def prepare() -> None:
    """Make the binding ready for use in this process; may be called any number of times, and must be before the first connection is opened.

    Raises DriverMissing where a library is not installed.
    """
    if libvirt is None:
        raise DriverMissing(
            "libvirt-python", LIBVIRT_TRACE, hint="Install it for that interpreter: pip install libvirt-python, or the package python3-libvirt."
        )
    if SafeElementTree is None:
        raise DriverMissing("defusedxml", DEFUSEDXML_TRACE, hint="Install it for that interpreter: pip install defusedxml, or the package python3-defusedxml.")
    with _PREPARED:
        if "loop" in _STATE:
            return
        # Errors come as exceptions. libvirt's own handler would print them on standard error as well, into the module's answer.
        libvirt.registerErrorHandler(_say_nothing, None)
        libvirt.virEventRegisterDefaultImpl()
        _STATE["loop"] = threading.Thread(target=_run_events, name="libvirt-events", daemon=True)
        _STATE["loop"].start()


def _say_nothing(_context: Any, _error: Any) -> None:
    return None


def _run_events() -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError:
            time.sleep(0.05)
