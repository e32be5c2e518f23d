# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-playbook as an operator does, with the collection that this test process itself imports, and with temporary folders of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PLAYBOOK_SECONDS = 280.0


@dataclass(frozen=True)
class Ran:
    """What a playbook left: its status, its lines, and the folder that modules and actions had for temporary files."""

    status: int
    lines: Sequence[str]
    errors: str
    temporary: Path

    def __str__(self) -> str:
        return "\n".join([f"ended with {self.status}", *self.lines, self.errors])

    @property
    def left_over(self) -> list[str]:
        """Temporary folders that nobody removed."""
        return sorted(path.name for path in self.temporary.iterdir()) if self.temporary.exists() else []


def run_playbook(folder: Path, tasks: Sequence[Mapping[str, Any]], *options: str, environment: Mapping[str, str] | None = None) -> Ran:
    """Run these tasks on localhost; ``folder`` becomes the playbook's."""
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "connection": "local",
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": list(tasks),
    }
    playbook = folder / "play.yml"
    playbook.write_text(yaml.safe_dump([play], sort_keys=False))
    own = {
        "ANSIBLE_COLLECTIONS_PATH": str(collections_folder()),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "temporary"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "LC_ALL": "C.UTF-8",
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    ran = subprocess.run(
        [program, "-i", "localhost,", *options, playbook],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}, **own, **(environment or {})},
        cwd=folder,
        timeout=PLAYBOOK_SECONDS,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout.splitlines(), ran.stderr, folder / "temporary")


def collections_folder() -> Path:
    """The folder on sys.path that holds the collection."""
    return next(Path(entry).resolve() for entry in sys.path if (Path(entry) / "ansible_collections/vmops/migration").is_dir())
