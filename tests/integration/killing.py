# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that is killed before one of the calls by which it changes something: the hook is in a process of its own, the collection knows nothing of it."""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.driver import VsphereDriver

from tests.integration.modules import MODULE_SECONDS, PACKAGE, collections_folder

CHANGES = ("set_maintenance", "set_pool_maintenance", "claim", "release", "write_note", "start", "finish", "rollback", "delete_volume")
"""Calls of a driver that change something, apart from those that only keep claims alive."""

ROOT = Path(__file__).parents[2]


def killed_before(number: int, module: str, options: Mapping[str, Any]) -> str:
    """Run a module in a process that dies before its changing call of that number (from 1); the name of the call, empty where it came to its end before."""
    with tempfile.TemporaryDirectory(prefix="vmops-test-") as folder:
        arguments = Path(folder) / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": folder, **options}}))
        told = Path(folder) / "last-call"
        ran = subprocess.run(
            [sys.executable, "-m", "tests.integration.killing", module, str(arguments), str(number), str(told)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{collections_folder()}:{ROOT}"},
            timeout=MODULE_SECONDS,
            check=False,
        )
        if ran.returncode == -signal.SIGKILL:
            return told.read_text()
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ""


def main(module: str, arguments: str, number: str, told: str) -> None:
    """The life of that process."""
    _kill_before(int(number), Path(told))
    sys.argv = [module, arguments]
    importlib.import_module(f"{PACKAGE}.{module}").main()


def _kill_before(number: int, told: Path) -> None:
    counter = itertools.count(1)

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapper(*given: Any, **named: Any) -> Any:
            if next(counter) == number:
                told.write_text(name)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)

        return wrapper

    for kind in _drivers():
        for name in CHANGES:
            setattr(kind, name, counted(name, getattr(kind, name)))


def _drivers() -> list[type]:
    """The drivers whose libraries are there."""
    found: list[type] = [SimulatorDriver, VsphereDriver]
    try:
        from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
    except ImportError:
        return found
    return [*found, LibvirtDriver]


if __name__ == "__main__":
    main(*sys.argv[1:])
