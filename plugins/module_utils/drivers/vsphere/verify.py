# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a VM is after a move: read again from vCenter, host, power state and the datastore of every file."""

from __future__ import annotations

import dataclasses

from ...model.errors import MigrationError
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.reason import Reason, hard, warning
from ...model.vm import PowerState
from ..driver import Presence, Verdict, Verification
from .connection import Link, VCenter
from .devices import HOME, disks_of
from .inventory import Inventory
from .power import STOPPED_MODES
from .precheck import vm_now
from .properties import Entry, moid_of
from .snapshot import moving_tasks
from .vm_reader import power_of


def verify(center: VCenter, inventory: Inventory, migration: Migration, note: VmNote) -> Verification:
    """The verdict, what was seen, and every post-condition that does not hold."""

    def ask(link: Link) -> tuple[Entry | None, bool]:
        vm = vm_now(link, migration.vm)
        if vm is None:
            return None, False
        moving = moving_tasks(link, {migration.vm: vm})
        return (vm_now(link, migration.vm) if not moving else vm), bool(moving)

    try:
        vm, is_moving = center.run("asking where the VM is", ask)
    except MigrationError as error:
        return Verification(Verdict.UNREACHABLE, reasons=(hard(error.code, error.message, error.hint),))
    if vm is None:
        return Verification(Verdict.NOWHERE)
    host = inventory.host_by_moid.get(moid_of(vm["runtime.host"]))
    name = host.name if host is not None else moid_of(vm["runtime.host"])
    presence = Presence(name, power_of(vm["runtime.powerState"], vm["runtime.connectionState"]), persistent=True)
    if is_moving:
        return Verification(Verdict.IN_FLIGHT, (presence,))
    if name not in (migration.source_host, migration.target_host):
        return Verification(Verdict.NOWHERE, (presence,))
    home = inventory.home_of(str(vm["config.files.vmPathName"]), name)
    found = _settled(migration, note, presence, _pools(vm, inventory) | ({HOME: home.id} if home is not None else {}))
    if home is None:
        text = f"The files of {migration.vm_name} ({vm['config.files.vmPathName']}) are on no datastore that {name} mounts."
        return dataclasses.replace(found, reasons=(*found.reasons, hard("files_elsewhere", text, "See the VM's storage in vCenter; nothing was removed.")))
    return found


def _pools(vm: Entry, inventory: Inventory) -> dict[str, str]:
    """The pool of each disk now, by device key."""
    return {str(disk.key): inventory.datastore_of(disk.backing).id for disk in disks_of(vm["config.hardware.device"] or ())}


def _settled(migration: Migration, note: VmNote, presence: Presence, pools: dict[str, str]) -> Verification:
    """It has arrived where host and all disks are as planned, and stayed where neither has changed; anything between is told."""
    moved = {move.volume.rpartition("/")[2]: move for move in migration.volumes if move.moves}
    there = [key for key, move in moved.items() if pools.get(key) == move.target_pool]
    at_target = presence.host == migration.target_host
    reasons = _power(migration, note, presence)
    if at_target and len(there) == len(moved):
        return Verification(Verdict.ARRIVED, (presence,), reasons)
    if presence.host == migration.source_host and not there:
        return Verification(Verdict.AT_SOURCE, (presence,), reasons)
    listed = ", ".join(f"{key} in {pools.get(key, 'no pool')}" for key in sorted(moved))
    text = f"{migration.vm_name} is on {presence.host} with disks {listed}: neither as planned nor as before."
    verdict = Verdict.ARRIVED if at_target else Verdict.AT_SOURCE
    return Verification(verdict, (presence,), (*reasons, hard("disks_differ", text, "See the VM's storage in vCenter; nothing was removed.")))


def _power(migration: Migration, note: VmNote, presence: Presence) -> tuple[Reason, ...]:
    stopped = migration.mode in STOPPED_MODES and presence.power_state in (PowerState.OFF, PowerState.SAVED)
    if presence.power_state.value == note.power_state or stopped:
        return ()  # one that its move has stopped is started when the move is settled
    text = f"{migration.vm_name} is {presence.power_state.value} on {presence.host}; it was {note.power_state} before."
    return (warning("power_state_differs", text, "It may have been started or shut down in the meantime."),)
