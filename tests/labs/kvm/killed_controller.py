# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller of its own process that kills itself (SIGKILL) right before its n-th call that changes something on a host."""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import libvirt
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode, encode
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.driver_world import python, site_options
from tests.labs.kvm.lab import Lab

CHANGING_CALLS = {
    libvirt.virDomain: ("setMetadata", "setAutostart", "shutdown", "destroyFlags", "createWithFlags", "undefineFlags", "snapshotCreateXML"),
    libvirt.virConnect: ("defineXML", "secretDefineXML"),
    libvirt.virStoragePool: ("createXML",),
    libvirt.virStorageVol: ("delete", "upload"),
    libvirt.virSecret: ("undefine",),
    libvirt.virStream: ("send", "sendHole", "finish"),
}
CODE = "import sys; from tests.labs.kvm.killed_controller import main; main(*sys.argv[1:])"


def killed_before(lab: Lab, migration: Migration, note: VmNote, options: MoveOptions, number: int) -> str:
    """Move in another process that dies before its call of that number; the name of the call, empty where it came to its end before."""
    texts = [json.dumps(encode(value)) for value in (site_options(lab), migration, note, options)]
    process = python(CODE, *texts, str(number))
    output, _errors = process.communicate(timeout=90)
    last = output.split()[-1] if output.split() else ""
    if process.returncode == 0:
        assert last == "ended", output
        return ""
    assert process.returncode == -signal.SIGKILL, (process.returncode, output)
    return last


def main(site: str, migration_text: str, note_text: str, options_text: str, number: str) -> None:
    """The whole life of a move as the executor lives it."""
    migration = decode(Migration, json.loads(migration_text))
    options = decode(MoveOptions, json.loads(options_text))
    note = decode(VmNote, {**json.loads(note_text), "controller": encode(this_controller())})
    _kill_before(int(number))
    driver = LibvirtDriver(decode(SiteOptions, json.loads(site)))
    note = driver.write_note(migration, note, options)
    job = driver.start(migration, note, options)
    while not driver.poll([job])[0].ended:
        time.sleep(0.02)
    verification = driver.verify(migration, note)
    if verification.verdict is Verdict.ARRIVED:
        driver.finish(migration, note)
    else:
        driver.rollback(migration, note)
    _say("ended")
    driver.close()
    os._exit(0)


def _kill_before(number: int) -> None:
    counter = itertools.count(1)

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            if next(counter) == number:
                _say(name)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return wrapper

    for kind, names in CHANGING_CALLS.items():
        for name in names:
            setattr(kind, name, counted(f"{kind.__name__}.{name}", getattr(kind, name)))


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
