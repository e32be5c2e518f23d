# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the driver's lab tests share: a driver for a lab, a migration with its note, and waiting for a job's end."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job, Scope
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Progress
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm

from tests.labs.kvm.guests import Guest
from tests.labs.kvm.hosts import namespace_processes
from tests.labs.kvm.lab import Lab

ROOT = Path(__file__).parents[3]
END_TIMEOUT_S = 90.0
CANCELS = 3
NASTY_NAME = "a b<&>'\"$(x);\u00e9;{{ y }}"


def site_options(lab: Lab, transport: str = "tls", *, peer_transport: str | None = None, **changes: object) -> SiteOptions:
    """The lab's site option, decoded; ``changes`` replace fields."""
    options = decode(SiteOptions, lab.site_options(transport, peer_transport=peer_transport))
    return dataclasses.replace(options, **changes)  # type: ignore[arg-type]


@contextmanager
def driver_of(lab: Lab, transport: str = "tls", **changes: object) -> Iterator[LibvirtDriver]:
    """A driver for all hosts of the lab."""
    driver = LibvirtDriver(site_options(lab, transport, **changes))
    try:
        yield driver
    finally:
        driver.close()


def migration_of(guest: Guest, source: str, target: str) -> Migration:
    """The planned move of a guest."""
    return Migration(f"move-{guest.uuid}", guest.uuid, guest.name, source, target, memory_mib=guest.spec.memory_mib)


def note_of(migration: Migration, vm: Vm | None = None, **changes: object) -> VmNote:
    """The note of that move by this process."""
    note = VmNote(
        operation_id=f"operation-{os.getpid()}",
        controller=this_controller(),
        started_at=time.time(),
        phase=NotePhase.MOVING,
        source=migration.source_host,
        target=migration.target_host,
    )
    if vm is not None:
        note = dataclasses.replace(note, power_state=vm.power_state.value, autostart=vm.autostart, persistent=vm.persistent)
    return dataclasses.replace(note, **changes)  # type: ignore[arg-type]


def read_vm(driver: LibvirtDriver, guest: Guest) -> Vm:
    """The guest in full detail, as the driver sees it now."""
    return driver.snapshot(Scope(vms=frozenset({guest.uuid}), hosts=frozenset())).vm_by_id[guest.uuid]


def wait_for_end(driver: LibvirtDriver, job: Job) -> list[Progress]:
    """Poll until the job has ended; all samples."""
    samples: list[Progress] = []
    until = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < until:
        samples += driver.poll([job])
        if samples[-1].ended:
            return samples
        time.sleep(0.05)
    raise AssertionError(f"the move did not end: {samples[-1]}")


def wait_for_copying(driver: LibvirtDriver, job: Job, at_least_bytes: int = 1) -> Progress:
    """Poll until memory is on its way."""
    until = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < until:
        sample = driver.poll([job])[0]
        if sample.ended:
            raise AssertionError(f"the move ended too early: {sample}")
        if sample.processed_bytes >= at_least_bytes:
            return sample
        time.sleep(0.05)
    raise AssertionError("nothing was copied")


class SwitchWonError(Exception):
    """A move that was to be cancelled had ended, or was past its switch, before the cancel came."""


def until_the_cancel_wins(lab: Lab, row: Callable[[], None]) -> None:
    """Run a row of a test that cancels a move; again on a clean lab where the switch won the race (SwitchWonError), which it does not do every time."""
    for turn in range(1, CANCELS + 1):
        try:
            return row()
        except SwitchWonError as won:
            print(f"turn {turn}: the switch won the race: {won}")
            lab.reset()
    raise AssertionError(f"the switch won the race {CANCELS} times")


@contextmanager
def frozen_qemu(lab: Lab, guest: Guest, host: str) -> Iterator[None]:
    """A QEMU that does not answer its libvirt, as one does whose disk hangs."""
    (pid,) = [pid for pid in namespace_processes(lab.hosts[host].namespace) if guest.uuid.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def python(code: str, *arguments: str, stderr: int | None = None) -> subprocess.Popen[str]:
    """Another controller: a process of its own that runs this code with the collection and the lab to import."""
    path = f"{ROOT}:{ROOT / '.venv/collections'}"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
