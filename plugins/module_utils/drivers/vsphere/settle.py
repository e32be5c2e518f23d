# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a move: its note is settled, or taken back. vCenter itself removes what a relocation leaves behind."""

from __future__ import annotations

import random
import time

from ...model.errors import StateConflict
from ...model.migration import Migration
from ...model.note import NotePhase, VmNote
from ...model.note_states import note_before, settled_note
from ...model.reason import Reason
from .connection import Link, VCenter
from .errors import fault_text
from .inventory import Inventory
from .library import vim
from .power import STOPPED_MODES, start_again
from .precheck import NOTE_PATHS, find_vm, vm_now
from .properties import moid_of
from .tasks import wait_for
from .vm_notes import KEY, note_of, note_text, text_of

_TRIES = 8
_WRITE_SECONDS = 120.0


def put_note(center: VCenter, moid: str, name: str, note: VmNote | None) -> None:
    """Write the VM's note, or remove it. Guarded by the version of its configuration: a change in between lets it be read and written again.

    Raises StateConflict where another task of vCenter works on the VM, or the VM is gone.
    """
    wanted = note_text(note)

    def write(link: Link) -> tuple[object | None, bool]:
        vm = find_vm(link, moid, name, NOTE_PATHS)
        if text_of(vm["config.extraConfig"]) == wanted:
            return None, True
        option = vim().option.OptionValue(key=KEY, value=wanted)
        spec = vim().vm.ConfigSpec(changeVersion=vm["config.changeVersion"], extraConfig=[option])
        try:
            return vm.ref.ReconfigVM_Task(spec), False
        except vim().fault.ConcurrentAccess:
            return None, False
        except vim().fault.TaskInProgress:
            text = f"{name}: another task of vCenter works on it, so that no note can be written."
            raise StateConflict(text, code="operation_in_progress", hint="Wait for its end.") from None

    doing = f"writing the note of {name}"
    for _turn in range(_TRIES):
        task, is_there = center.run(doing, write)
        if is_there:
            return
        fault = wait_for(center, task, doing, _WRITE_SECONDS) if task is not None else None
        if task is not None and fault is None:
            return
        if fault is not None and not isinstance(fault, vim().fault.ConcurrentAccess):
            raise StateConflict(f"{doing} failed: {fault_text(fault)}.", code="hypervisor_refused")
        time.sleep(random.uniform(0.05, 0.3))  # noqa: S311 (no secret)
    raise StateConflict(f"{doing} failed: its configuration is changed by somebody else all the time.", code="source_changed", hint="Run the task again.")


def finish(center: VCenter, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """After ``arrived``: a VM that its move has stopped is started, and of the note only a home that still matters is kept."""
    _restart(center, migration, note)
    put_note(center, migration.vm, migration.vm_name, settled_note(note, migration.target_host))
    return ()


def _restart(center: VCenter, migration: Migration, note: VmNote) -> None:
    if migration.mode not in STOPPED_MODES:
        return
    vm = center.run("reading the VM", lambda link: vm_now(link, migration.vm, NOTE_PATHS))
    found = note_of(vm["config.extraConfig"]) if vm is not None else None
    if found is not None and found.operation_id == note.operation_id:
        start_again(center, migration.vm, migration.vm_name, found)


def roll_back(center: VCenter, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """After ``at_source``: the note is put back as it was before, where it is the note of this operation."""
    vm = center.run("reading the VM", lambda link: vm_now(link, migration.vm, NOTE_PATHS))
    found = note_of(vm["config.extraConfig"]) if vm is not None else None
    if found is not None and found.operation_id == note.operation_id:
        start_again(center, migration.vm, migration.vm_name, found)
        put_note(center, migration.vm, migration.vm_name, note_before(note, migration.source_host))
    return ()


def drop_home(center: VCenter, inventory: Inventory, moid: str, host: str) -> None:
    """Remove the note of a VM at rest on that host, in which only the home still mattered."""
    vm = center.run("reading the VM", lambda link: vm_now(link, moid, NOTE_PATHS))
    if vm is None or moid_of(vm["runtime.host"]) != inventory.host(host).moid:
        return
    note = note_of(vm["config.extraConfig"])
    if note is not None and note.phase is NotePhase.SETTLED:
        put_note(center, moid, vm.name, None)
