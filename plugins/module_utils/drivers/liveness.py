# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Does the controller that made a claim still live? Shared by all drivers that keep claims themselves."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from ..model.note import Claim, ClaimKind, Controller

SKEW_SECONDS = 60.0
"""How far the clocks of two controllers may be apart before the age of a claim is believed."""

_DEAD_STATES = ("Z", "X", "x")


def this_controller() -> Controller:
    """The process that runs this, described so that another process of the same machine can look it up."""
    pid = os.getpid()
    return Controller(
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
        pid=pid,
        started_ticks=_started_ticks(pid) or 0,
        user=_user(),
    )


def is_alive(controller: Controller) -> bool | None:
    """True or False where the process can be looked up from here (same boot, same process namespace), None where it cannot.

    A process number that was given to another process since counts as dead, and so does a process that only waits to be collected by its parent.
    """
    if not controller.boot_id or controller.boot_id != _boot_id():
        return None
    if not controller.pid_namespace or controller.pid_namespace != _pid_namespace() or controller.pid <= 0:
        return None
    if not _exists(controller.pid):
        return False
    started = _started_ticks(controller.pid)
    if started is None:
        # Gone since the last line, or /proc hides the processes of other users; only the kernel's answer to a signal tells these apart.
        return False if not _exists(controller.pid) else None
    return started == controller.started_ticks


class ClaimWatch:
    """Judges claims: a dead process's claim is stale at once, any other when it is not renewed for its lifetime on our own clock.

    ``now`` gives epoch seconds of the driver's clock; ``elapsed`` (default: the same) a clock that nobody sets, to measure how long a claim has not changed.
    Keeps what it saw of each claim, so one watch must live as long as its driver. May be used by several threads.
    """

    def __init__(self, now: Callable[[], float], elapsed: Callable[[], float] | None = None) -> None:
        self._now = now
        self._elapsed = elapsed or now
        self._seen: dict[tuple[ClaimKind, str, str, str], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def is_stale(self, claim: Claim) -> bool:
        """True where nobody stands behind the claim any more."""
        if is_alive(claim.controller) is False:
            return True
        if self._now() - claim.renewed_at > claim.lifetime_seconds + SKEW_SECONDS:
            return True
        key = (claim.kind, claim.host, claim.subject, claim.operation_id)
        with self._lock:
            renewed_at, since = self._seen.get(key, (None, 0.0))
            if renewed_at != claim.renewed_at:
                self._seen[key] = (claim.renewed_at, self._elapsed())
                return False
            return self._elapsed() - since > claim.lifetime_seconds


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started_ticks(pid: int) -> int | None:
    """Start time in clock ticks since boot (field 22 of proc(5) stat); 0 for a dead process that was not collected yet; None where it cannot be read."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, field 2, may hold spaces and brackets itself: count from its last bracket.
    fields = text[text.rfind(")") + 1 :].split()
    if len(fields) < 20:
        return None
    return 0 if fields[0] in _DEAD_STATES else int(fields[19])


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 (a name such as pid:[4026531836], no path)
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())
