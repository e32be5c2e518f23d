# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the disks of a VM are after a live storage move on its host: its own definitions asked afresh, never the end of a block job believed.

Arrived: the VM uses every copy. In flight: a block job of this move runs. At its source: anything else, a mixture too (QEMU ended between two switches): the VM
runs well with it, so the copies in use stay, are named, and the next run moves the rest.
"""

from __future__ import annotations

from ...model.errors import HostUnreachable
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.reason import Reason, hard, warning
from ..driver import Presence, Verdict, Verification
from .block_disks import DiskView, MoveView, look
from .block_files import file_size
from .connection import Connection, Hosts
from .domains import find_domain


def verify_block_move(hosts: Hosts, migration: Migration, note: VmNote) -> Verification:
    """The verdict, what was seen, and every post-condition that does not hold."""
    try:
        view, reasons = hosts.get(note.source).run("asking which disks the VM uses", lambda connection: _ask(connection, migration, note))
    except HostUnreachable as error:
        return Verification(Verdict.UNREACHABLE, reasons=(hard(error.code, error.message, error.hint),))
    if view is None:
        return Verification(Verdict.NOWHERE)
    return Verification(judge_disks(view), (Presence(note.source, view.power_state, view.is_persistent),), reasons)


def judge_disks(view: MoveView) -> Verdict:
    """The verdict of one look."""
    if view.is_copying:
        return Verdict.IN_FLIGHT
    return Verdict.ARRIVED if view.disks and all(disk.has_moved for disk in view.disks) else Verdict.AT_SOURCE


def _ask(connection: Connection, migration: Migration, note: VmNote) -> tuple[MoveView | None, tuple[Reason, ...]]:
    view = look(connection, migration.vm, note)
    if view is None or judge_disks(view) is Verdict.IN_FLIGHT:
        return view, ()
    reasons = _other_power_state(migration, note, view)
    if judge_disks(view) is Verdict.AT_SOURCE:
        return view, reasons + partly_moved(migration, view)
    for disk in view.disks:
        doubt = doubt_of(connection, migration.vm, view, disk)
        reasons += (hard("disks_differ", doubt, "Nothing is removed. Compare the definition with virsh dumpxml."),) if doubt else ()
    return view, reasons


def _other_power_state(migration: Migration, note: VmNote, view: MoveView) -> tuple[Reason, ...]:
    if view.power_state.value == note.power_state:
        return ()
    text = f"{migration.vm_name} is {view.power_state.value} on {note.source}; it was {note.power_state} before."
    return (warning("power_state_differs", text, "It may have been shut down, or stopped on an error of its disk, in the meantime."),)


def partly_moved(migration: Migration, view: MoveView) -> tuple[Reason, ...]:
    """What must be told where the VM ended with some of its disks moved and others not."""
    moved = [f"{disk.volume.device} ({disk.volume.target_path})" for disk in view.disks if disk.has_moved]
    stayed = [f"{disk.volume.device} ({disk.now.path if disk.now else 'gone'})" for disk in view.disks if not disk.has_moved]
    if not moved or not stayed:
        return ()
    text = f"{migration.vm_name} uses the copies of some disks: {', '.join(moved)}; the others are where they were: {', '.join(stayed)}."
    return (warning("partly_moved", text, "It is well that way. Run the task again to move the rest."),)


def doubt_of(connection: Connection, uuid: str, view: MoveView, disk: DiskView) -> str:
    """Why a copy in use is not proven to be what was planned: its format in the definition, its size against the old file's. Empty: it is proven."""
    volume, now = disk.volume, disk.now
    if now is None or not disk.has_moved:
        return f"Disk {volume.device} does not use {volume.target_path}."
    if now.format != volume.format:
        return f"Disk {volume.device} uses {volume.target_path} as {now.format}; {volume.format} was planned."
    domain = find_domain(connection, uuid)
    # Of a running VM its QEMU knows; a pool's figure of an image is as old as the pool's last look.
    new = int(domain.blockInfo(volume.device)[0]) if domain is not None and view.is_active else file_size(connection, volume.target_path)
    old = file_size(connection, volume.source_path)
    if new is None:
        return f"The size of {volume.target_path} cannot be asked."
    if old is not None and new < old:
        return f"{volume.target_path} (disk {volume.device}) holds {new} bytes, {volume.source_path} {old}."
    return ""
