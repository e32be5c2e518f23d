# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a module ends early: signals, the stop file, and parents that are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.stopping import SIGNALS, STOP_FILE, StopWatch

# A shell starts another shell, which starts the watching process: the chain in which Ansible's worker starts a module.
WATCHER = """
import sys, time, pathlib
sys.path[:0] = {path!r}
from ansible_collections.vmops.migration.plugins.module_utils.interface.stopping import StopWatch
folder = pathlib.Path({folder!r})
with StopWatch(folder) as stop:
    (folder / "ready").write_text("")
    until = time.monotonic() + 60
    while not stop() and time.monotonic() < until:
        time.sleep(0.05)
    (folder / "answer.draft").write_text(stop() or "nothing")
    (folder / "answer.draft").rename(folder / "answer")
"""


def wait_for(path: Path) -> str:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} never came"
        time.sleep(0.02)
    return path.read_text()


@pytest.fixture
def heeded() -> Iterator[None]:
    """No signal is ignored, as a shell has it for what it starts in the background."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_reason_to_end_and_no_death(tmp_path: Path, number: signal.Signals) -> None:
    with StopWatch(tmp_path) as stop:
        assert stop() == ""
        os.kill(os.getpid(), number)
        assert stop() == "signal"
        (tmp_path / STOP_FILE).touch()
        assert stop() == "signal"


@pytest.mark.usefixtures("heeded")
def test_the_former_handlers_come_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopWatch(tmp_path):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As under nohup, when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopWatch(tmp_path) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop() == ""
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_stop_file_says_that_the_controller_is_gone_and_that_stays_so(tmp_path: Path) -> None:
    with StopWatch(tmp_path) as stop:
        assert stop() == ""
        (tmp_path / STOP_FILE).touch()
        assert stop() == "controller_gone"
        (tmp_path / STOP_FILE).unlink()
        assert stop() == "controller_gone"


@pytest.mark.parametrize("victim", ["worker", "shell"])
def test_a_parent_that_is_killed_is_noticed(tmp_path: Path, victim: str) -> None:
    script = tmp_path / "watcher.py"
    script.write_text(WATCHER.format(path=sys.path, folder=str(tmp_path)))
    # "& wait" keeps both shells alive as processes of their own
    inner = f"echo $$ > '{tmp_path}/shell'; '{sys.executable}' '{script}' & wait; true"
    outer = subprocess.Popen(["/bin/sh", "-c", '/bin/sh -c "$INNER" & wait; true'], env={**os.environ, "INNER": inner})
    try:
        wait_for(tmp_path / "ready")
        os.kill(outer.pid if victim == "worker" else int(wait_for(tmp_path / "shell")), signal.SIGKILL)
        assert wait_for(tmp_path / "answer") == "controller_gone"
    finally:
        outer.kill()
        outer.wait()


def test_without_any_reason_nothing_is_said(tmp_path: Path) -> None:
    with StopWatch(tmp_path) as stop:
        for _look in range(100):
            assert stop() == ""
