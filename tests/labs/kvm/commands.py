# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running programs and waiting for conditions, always with a limit, for the KVM lab."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

COMMAND_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.02


class LabError(RuntimeError):
    """The lab could not do what it was asked; the message names the program or the condition."""


def run(command: Sequence[str | Path], *, stdin: str | None = None, timeout_s: float = COMMAND_TIMEOUT_S, check: bool = True) -> str:
    """Run a program and return its standard output; LabError with its error output when it fails (if check) or takes too long."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {timeout_s:g} s: {' '.join(words)}") from error
    if check and done.returncode != 0:
        raise LabError(f"exit {done.returncode}: {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float, interval_s: float = POLL_INTERVAL_S) -> float:
    """Wait until the condition holds and return the seconds that it took; LabError naming `what` after timeout_s."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout_s:
            raise LabError(f"still waiting after {timeout_s:g} s: {what}")
        time.sleep(interval_s)
    return time.monotonic() - start
