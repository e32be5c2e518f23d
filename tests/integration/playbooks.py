# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one task from a real playbook with a real ansible-playbook, in a process group of its own, and kills it in the ways in which runs are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.modules import collections_folder
from tests.integration.processes import Process, descendants
from tests.integration.worlds import wait_until

END_SECONDS = 120.0
ROOT = Path(__file__).parents[2]


def ansible_playbook() -> str:
    """The one of the environment that runs the tests."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    return str(beside) if beside.exists() else shutil.which("ansible-playbook") or "ansible-playbook"


class RunningPlaybook:
    """A playbook of one task under way."""

    def __init__(self, folder: Path, module: str, options: Mapping[str, Any], *words: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        task = {"name": "The task", f"vmops.migration.{module}": dict(options)}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
        play["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        playbook = folder / "playbook.yml"
        playbook.write_text(json.dumps([play]))
        self._log = (folder / "output.txt").open("w")
        environment = {
            "ANSIBLE_CONFIG": str(ROOT / "tests/ci/ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(collections_folder()),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
            "LC_ALL": "C.UTF-8",
        }
        self._process = subprocess.Popen(
            [ansible_playbook(), "-i", "localhost,", *words, str(playbook)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self._module = module

    def output(self) -> str:
        """What the operator has seen so far."""
        return (self.folder / "output.txt").read_text()

    def wait(self) -> int:
        """Wait for its end; gives its exit status."""
        status = self._process.wait(END_SECONDS)
        self._log.close()
        return status

    def modules(self) -> list[Process]:
        """The processes of the module; waits for the first."""
        found: list[Process] = []

        def is_there() -> bool:
            found[:] = [process for process in descendants(self._process.pid) if any(f"AnsiballZ_{self._module}" in word for word in process.command)]
            return bool(found) or self._process.poll() is not None

        wait_until(is_there, "the module's process")
        return found

    def kill_group(self) -> None:
        """SIGKILL to the process group of ansible-playbook, as ansible-runner does it. Newer cores put their workers into sessions of their own."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()

    def kill_all(self) -> None:
        """SIGKILL to everything: ansible-playbook, its workers and the module."""
        family = descendants(self._process.pid)
        os.killpg(self._process.pid, signal.SIGKILL)
        for process in family:
            process.kill()
        self.wait()
