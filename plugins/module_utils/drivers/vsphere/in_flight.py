# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Relocations that vCenter carries out now, ours by their notes and everybody else's; and where VMs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...model.note import NotePhase
from ..driver import InFlight, Presence
from .connection import Link, VCenter
from .inventory import Inventory
from .library import vim
from .properties import Entry, moid_of, read
from .snapshot import MOVING
from .vm_notes import note_of
from .vm_reader import power_of

_VM_PATHS = ("name", "runtime.host", "runtime.powerState", "runtime.connectionState", "summary.config.memorySizeMB", "config.extraConfig")


def find_in_flight(center: VCenter, inventory: Inventory) -> tuple[InFlight, ...]:
    """All of them, sorted by VM name: the task manager's recent tasks, and their VMs."""
    vms = center.run("looking for migrations under way", _moving_vms)
    found = []
    for entry in vms.values():
        host = inventory.host_by_moid.get(moid_of(entry["runtime.host"]))
        source = host.name if host is not None else ""
        note = note_of(entry["config.extraConfig"])
        ours = note if note is not None and note.phase is NotePhase.MOVING and note.source == source else None
        memory = entry["summary.config.memorySizeMB"] or 0
        found.append(InFlight(entry.moid, entry.name, source, ours.target if ours else "", memory, ours))
    return tuple(sorted(found, key=lambda flight: (flight.vm_name, flight.vm)))


def _moving_vms(link: Link) -> dict[str, Entry]:
    recent = next(iter(read(link, [link.content.taskManager], "TaskManager", ["recentTask"]).values()))["recentTask"] or ()
    tasks = read(link, recent, "Task", ("info.state", "info.descriptionId", "info.entity"))
    moving = [task for task in tasks.values() if str(task["info.state"]) in ("running", "queued") and task["info.descriptionId"] in MOVING]
    entities = {moid_of(task["info.entity"]): task["info.entity"] for task in moving if task["info.entity"] is not None}
    return read(link, (entity for entity in entities.values() if isinstance(entity, vim().VirtualMachine)), "VirtualMachine", _VM_PATHS)


def find_presences(center: VCenter, inventory: Inventory, vms: Sequence[str]) -> Mapping[str, tuple[Presence, ...]]:
    """Where each of these VMs is; vCenter has each at one place at the most."""

    def ask(link: Link) -> dict[str, Entry]:
        return read(link, (link.object(vim().VirtualMachine, moid) for moid in vms), "VirtualMachine", _VM_PATHS)

    entries = center.run("asking where VMs are", ask)
    return {moid: _presences(entries.get(moid), inventory) for moid in vms}


def _presences(entry: Entry | None, inventory: Inventory) -> tuple[Presence, ...]:
    host = inventory.host_by_moid.get(moid_of(entry["runtime.host"])) if entry is not None and entry["runtime.host"] is not None else None
    if entry is None or host is None:
        return ()
    return (Presence(host.name, power_of(entry["runtime.powerState"], entry["runtime.connectionState"]), persistent=True),)
