# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs our modules as what they are: processes of their own that read their arguments from a file and answer with one JSON document.

Every answer is checked for what no operator may ever see: a traceback, or anything else beside the JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils import basic

from tests.integration.worlds import World, WorldVm

MODULE_SECONDS = 240.0
# An event with the options in it is the largest one: older versions of ansible-core write it always, newer ones where the operator asks for it.
WITH_INVOCATION = {"_ansible_inject_invocation": True} if "inject_invocation" in Path(basic.__file__).read_text() else {}
PACKAGE = "ansible_collections.vmops.migration.plugins.modules"


def collections_folder() -> Path:
    """The folder that this test process itself imports the collection from."""
    for entry in sys.path:
        if (Path(entry) / "ansible_collections/vmops/migration").is_dir():
            return Path(entry).resolve()
    raise AssertionError("no folder on sys.path holds ansible_collections/vmops/migration: run `make .venv`")


@dataclass(frozen=True, repr=False)
class Answer:
    """What a module answered."""

    module: str
    result: Mapping[str, Any]
    status: int
    errors: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))

    @property
    def message(self) -> str:
        """What the operator reads when it failed."""
        return str(self.result.get("msg", ""))

    @property
    def code(self) -> str:
        return str(self.result.get("code", ""))

    def __getitem__(self, name: str) -> Any:
        return self.result[name]

    def migration_of(self, vm: WorldVm) -> Mapping[str, Any]:
        """The entry of this VM in ``migrations``."""
        return next(entry for entry in self["migrations"] if entry["vm"] == vm.id)

    def reasons_of(self, vm: WorldVm) -> set[str]:
        """Codes of the reasons that this VM's move ended with; a failure leaves out what is empty."""
        return reason_codes(self.migration_of(vm).get("reasons", ()))

    def moved(self) -> dict[str, str]:
        """VM name -> host, of all moves that are done."""
        return {entry["vm_name"]: entry["host"] for entry in self["migrations"] if entry["phase"] == "done"}

    def planned(self) -> dict[str, tuple[str, str]]:
        """VM name -> (source, target), as the plan has it."""
        return {entry["vm_name"]: (entry["source_host"], entry["target_host"]) for entry in self["plan"]["migrations"]}

    def __repr__(self) -> str:
        told = {name: value for name, value in self.result.items() if name not in ("invocation", "warnings")}
        return f"{self.module} ended with {self.status}: {json.dumps(told, indent=1)[:20000]}\n{self.errors[:2000]}"


class RunningModule:
    """A module's process under way, in a session of its own."""

    def __init__(self, module: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.module = module
        self._folder = tempfile.TemporaryDirectory(prefix="vmops-test-")
        path = Path(self._folder.name) / "arguments.json"
        path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_remote_tmp": self._folder.name, **WITH_INVOCATION, **arguments}}))
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.{module}", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(collections_folder()), **environment},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and no answer any more."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def answer(self, seconds: float = MODULE_SECONDS) -> Answer:
        """Wait for its end. Fails where it does not end, or says anything but one JSON document."""
        try:
            output, errors = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.module} did not end within {seconds:.0f} s") from None
        self._folder.cleanup()
        for text in (output, errors):
            assert "Traceback" not in text, f"{self.module} shows a traceback:\n{text}"
        try:
            result = json.loads(output)
        except ValueError:
            raise AssertionError(f"{self.module} answered no JSON but {output!r}, and on standard error {errors!r}") from None
        return Answer(self.module, result, self._process.returncode, errors)


def start_module(
    module: str, options: Mapping[str, Any], *, check: bool = False, diff: bool = False, environment: Mapping[str, str] | None = None
) -> RunningModule:
    """Start a module with these options, as ansible-playbook does with --check and --diff."""
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    return RunningModule(module, arguments, environment or {})


def run_module(module: str, options: Mapping[str, Any], *, check: bool = False, diff: bool = False, environment: Mapping[str, str] | None = None) -> Answer:
    """Run a module to its end."""
    return start_module(module, options, check=check, diff=diff, environment=environment).answer()


# ------------------------------------------------------------ what an operator does


def find_targets(world: World, vm: WorldVm | str, **options: Any) -> Answer:
    """Ask where a VM could go."""
    return run_module("find_migration_targets", {"site": world.site_options(), "vm": _named(vm), **options})


def migrate(world: World, vm: WorldVm | str, *, check: bool = False, diff: bool = False, **options: Any) -> Answer:
    """Move one VM."""
    return run_module("vm_migrate", {"site": world.site_options(), "vm": _named(vm), **options}, check=check, diff=diff)


def evacuate(world: World, *hosts: str, check: bool = False, diff: bool = False, **options: Any) -> Answer:
    """Empty hosts, open them again, or stop a drain: ``state`` says which (default: evacuated)."""
    return run_module("host_evacuate", {"site": world.site_options(), "hosts": list(hosts), **options}, check=check, diff=diff)


def evacuate_pools(world: World, *pools: str, check: bool = False, diff: bool = False, **options: Any) -> Answer:
    """Empty pools, open them again, or stop that: ``state`` says which (default: evacuated)."""
    return run_module("pool_evacuate", {"site": world.site_options(), "pools": list(pools), **options}, check=check, diff=diff)


def begin_evacuate_pools(world: World, *pools: str, **options: Any) -> RunningModule:
    """Begin to empty pools."""
    return start_module("pool_evacuate", {"site": world.site_options(), "pools": list(pools), **options})


def begin_migrate(world: World, vm: WorldVm | str, **options: Any) -> RunningModule:
    """Begin to move one VM."""
    return start_module("vm_migrate", {"site": world.site_options(), "vm": _named(vm), **options})


def begin_evacuate(world: World, *hosts: str, **options: Any) -> RunningModule:
    """Begin to empty hosts."""
    return start_module("host_evacuate", {"site": world.site_options(), "hosts": list(hosts), **options})


def read_site(world: World, **options: Any) -> Answer:
    """Ask for everything that is known of the site."""
    return run_module("site_info", {"site": world.site_options(), **options})


def _named(vm: WorldVm | str) -> str:
    return vm if isinstance(vm, str) else vm.name


def reason_codes(reasons: Any) -> set[str]:
    """The codes of a list of reasons."""
    return {reason["code"] for reason in reasons}
