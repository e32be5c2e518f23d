# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the lab's server from govmomi's simulator as Debian packs it, with our overlay; once for each state of their sources.

The overlay takes the place of some of the simulator's methods. Those are renamed to ``stock...`` in copies of the files that hold them; the packaged files stay
as they are, and nothing of them is part of this project.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

from .requirements import GOVMOMI

FOLDER = Path(__file__).parent / "server"
CACHE = Path(__file__).parents[3] / ".cache/vsphere-lab"

REPLACED = {
    "virtual_machine.go": tuple(
        f"(vm *VirtualMachine) {name}" for name in ("RelocateVMTask", "ReconfigVMTask", "PowerOnVMTask", "PowerOffVMTask", "SuspendVMTask", "ShutdownGuest")
    ),
    "host_system.go": ("(h *HostSystem) EnterMaintenanceModeTask", "(h *HostSystem) ExitMaintenanceModeTask"),
    "custom_fields_manager.go": ("(c *CustomFieldsManager) SetField",),
    "virtual_disk_manager.go": tuple(f"(m *VirtualDiskManager) {name}VirtualDiskTask" for name in ("Create", "Copy", "Move", "Delete")),
    "host_datastore_browser.go": ("(s *searchDatastore) addFile",),
    "simulator.go": ("(s *Service) ServeSDK", "(s *Service) call"),
}
"""Methods of the simulator that the overlay has its own form of, by file."""

CHANGED = {"property_collector.go": ("250 * time.Millisecond", "20 * time.Millisecond")}
"""Texts of the simulator that are others here, by file: how long it lets updates gather before it answers who waits for them; a server answers at once."""


def built_server() -> Path:
    """The server's program, built where it is not there yet. Raises AssertionError with the compiler's words where that fails."""
    folder = CACHE / _digest()
    program = folder / "vcenter"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(folder, program)
    return program


def _digest() -> str:
    found = hashlib.sha256()
    for path in (Path(__file__), *sorted(FOLDER.rglob("*.go")), *(GOVMOMI / name for name in sorted({*REPLACED, *CHANGED}))):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _build(folder: Path, program: Path) -> None:
    overlay = {str(GOVMOMI / path.name): str(path) for path in sorted((FOLDER / "overlay").glob("*.go"))}
    for name, methods in REPLACED.items():
        copy = folder / name
        copy.write_text(renamed((GOVMOMI / name).read_text(), methods))
        overlay[str(GOVMOMI / name)] = str(copy)
    for name, (before, after) in CHANGED.items():
        source = (GOVMOMI / name).read_text()
        if source.count(before) != 1:
            raise AssertionError(f"govmomi has changed: {before} is in {name} {source.count(before)} times")
        copy = folder / name
        copy.write_text(source.replace(before, after))
        overlay[str(GOVMOMI / name)] = str(copy)
    description = folder / "overlay.json"
    description.write_text(json.dumps({"Replace": overlay}))
    partial = folder / "vcenter.partial"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOCACHE": str(CACHE / "go"), "CGO_ENABLED": "0"}
    command = ["go", "build", "-overlay", str(description), "-o", str(partial), "."]
    done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"the vSphere lab's server could not be built:\n{done.stdout}{done.stderr}")
    partial.rename(program)


def renamed(source: str, methods: tuple[str, ...]) -> str:
    """The source with ``stock`` before the name of each of the methods. Raises AssertionError where one of them is not in it exactly once."""
    for method in methods:
        receiver, name = method.rsplit(" ", 1)
        source, found = re.subn(rf"^func {re.escape(method)}\(", f"func {receiver} stock{name[0].upper()}{name[1:]}(", source, flags=re.MULTILINE)
        if found != 1:
            raise AssertionError(f"govmomi has changed: {method} is there {found} times")
    return source
