# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a simulated migration, as a controller sees and settles it: notes, verifying, finishing, rolling back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ...model.errors import StateConflict
from ...model.migration import Migration
from ...model.note import NotePhase, VmNote
from ...model.reason import Reason, hard, warning
from ...model.vm import PowerState
from ..driver import Presence, Verdict, Verification
from . import settling_volume
from .copies import completed, drop_second_copies
from .engine import Draft
from .moment import Moment
from .state import Stage, VmState


def put_note(draft: Draft, migration: Migration, note: VmNote) -> VmNote:
    """Write the note, completed with the volumes that move. Raises StateConflict while the VM migrates (a real hypervisor blocks and fails then) or where it
    is not on its source.
    """
    if not migration.vm:
        return settling_volume.put_note(draft, migration, note)
    moment = draft.moment
    moment.require(migration.source_host)
    if migration.vm in moment.active_moves:
        raise StateConflict(f"VM {migration.vm_name} is migrating; its note cannot be written.", hint="Wait for the end of that migration.")
    found = moment.vm(migration.vm)
    if found.host != migration.source_host:
        raise StateConflict(f"VM {migration.vm_name} is on {found.host}, not on {migration.source_host}.", hint="Take a fresh snapshot.")
    note = completed(moment, migration, note)
    keep(draft, migration.vm, dataclasses.replace(found, note=note))
    return note


def verify(moment: Moment, migration: Migration, note: VmNote) -> Verification:
    """Ask both ends: exactly one definition, where the note says, in its power state, with its disks where they shall be."""
    if not migration.vm:
        return settling_volume.verify(moment, migration, note)
    ends = (migration.source_host, migration.target_host)
    silent = [host for host in dict.fromkeys(ends) if not moment.answers(host)]
    in_hand = moment.active_moves.get(migration.vm)
    presences = tuple(presence for host in dict.fromkeys(ends) if host not in silent for presence in presences_on(moment, migration.vm, host))
    move = moment.last_moves.get(migration.vm)
    mine = move is not None and move.stage is Stage.ARRIVED and (move.source, move.target) == ends
    downtime_ms = move.downtime_ms if move is not None and mine else None
    if in_hand is not None and any(presence.host == in_hand.source for presence in presences):
        return Verification(Verdict.IN_FLIGHT, presences)
    if silent:
        return _with_silence(presences, migration, silent)
    verdict = _verdict(presences, migration)
    if verdict is Verdict.ARRIVED and ends[0] == ends[1] and not _has_moved_disks(moment, migration.vm, note):
        verdict = Verdict.AT_SOURCE
    reasons = tuple(_broken_promises(moment, migration, note)) if verdict is Verdict.ARRIVED else ()
    return Verification(verdict, presences, reasons, downtime_ms)


def finish(draft: Draft, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """Restore autostart, settle the note, remove the disks' first copies. Raises StateConflict where the VM, or one of its disks, is not at its target."""
    if not migration.vm:
        return settling_volume.finish(draft, migration, note)
    draft.moment.require(migration.target_host)
    found = draft.moment.vm(migration.vm)
    arrived = found.host == migration.target_host and _has_moved_disks(draft.moment, migration.vm, note)
    if not arrived or migration.vm in draft.moment.active_moves:
        raise StateConflict(f"VM {migration.vm_name} is not on {migration.target_host}; its move is not to be finished.", hint="Verify again.")
    settled = at_rest(note, migration.target_host)
    keep(draft, migration.vm, dataclasses.replace(found, autostart=note.autostart, note=settled, home=settled.home if settled else None))
    drop_second_copies(draft, migration.vm, note)
    return ()


def roll_back(draft: Draft, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
    """Remove the disks' second copies and this move's note from the VM, which stayed on its source. The home of an earlier drain stays known."""
    if not migration.vm:
        return settling_volume.roll_back(draft, migration, note)
    draft.moment.require(migration.source_host)
    found = draft.moment.vm(migration.vm)
    stayed = found.host == migration.source_host and not any(pool_is(draft.moment, migration.vm, volume.device, volume.target_pool) for volume in note.volumes)
    if not stayed or migration.vm in draft.moment.active_moves:
        raise StateConflict(f"VM {migration.vm_name} is not at rest on {migration.source_host}; its move is not to be rolled back.", hint="Verify again.")
    drop_second_copies(draft, migration.vm, note)
    if found.note is not None and found.note.operation_id == note.operation_id and found.note.phase is NotePhase.MOVING:
        before = at_rest(note, migration.source_host)
        keep(draft, migration.vm, dataclasses.replace(found, note=before, home=before.home if before else None))
    return ()


def _has_moved_disks(moment: Moment, vm_id: str, note: VmNote) -> bool:
    return all(pool_is(moment, vm_id, volume.device, volume.target_pool) for volume in note.volumes)


def pool_is(moment: Moment, vm_id: str, device: str, pool: str) -> bool:
    """True where the VM's disk of that device (or id) is in the pool now."""
    return any(volume.pool == pool for volume in moment.volumes(vm_id) if device in (volume.device, volume.id))


def forget_home(draft: Draft, vm_id: str, host: str) -> None:
    """Remove the home of a VM that is at rest on the host, and the note that kept it."""
    draft.moment.require(host)
    found = draft.moment.vm(vm_id)
    if found.host == host and vm_id not in draft.moment.active_moves and (found.note is None or found.note.phase is NotePhase.SETTLED):
        keep(draft, vm_id, dataclasses.replace(found, note=None, home=None))


def at_rest(note: VmNote, host: str) -> VmNote | None:
    """The note of a VM that does not move: only a home that is elsewhere still matters."""
    if note.home is None or note.home.host == host:
        return None
    return dataclasses.replace(note, phase=NotePhase.SETTLED, home=dataclasses.replace(note.home, away_on=host))


def keep(draft: Draft, vm_id: str, changed: VmState) -> None:
    """Put the changed VM into the draft."""
    if draft.moment.vm(vm_id) != changed:
        draft.state = dataclasses.replace(draft.state, vms={**draft.state.vms, vm_id: changed})


def presences_on(moment: Moment, vm_id: str, host: str) -> Iterator[Presence]:
    """What that host has of the VM."""
    vm, found, move = moment.world.vm(vm_id), moment.vm(vm_id), moment.active_moves.get(vm_id)
    if found.host == host:
        yield Presence(host, moment.power_state(vm_id), vm.persistent)
    elif host in found.also_on:
        yield Presence(host, PowerState.OFF, persistent=True)
    if move is not None and move.target == host:
        yield Presence(host, PowerState.PAUSED, persistent=False, incoming=True)


def _with_silence(presences: tuple[Presence, ...], migration: Migration, silent: list[str]) -> Verification:
    """A VM that lives on its source is there, whatever the target would say; everything else must wait until both answer."""
    if migration.source_host not in silent and _living(presences) == {migration.source_host}:
        text = f"Whether anything of the move is left on {migration.target_host} could not be asked."
        return Verification(Verdict.AT_SOURCE, presences, (warning("uniqueness_unproven", text),))
    reasons = tuple(warning("host_unreachable", f"Host {host} does not answer.", "Bring it back and run the task again.") for host in silent)
    return Verification(Verdict.UNREACHABLE, presences, reasons)


def _living(presences: tuple[Presence, ...]) -> set[str]:
    return {presence.host for presence in presences if not presence.incoming and presence.power_state in (PowerState.RUNNING, PowerState.PAUSED)}


def _verdict(presences: tuple[Presence, ...], migration: Migration) -> Verdict:
    # Definitions that are shut off count only where the VM lives nowhere.
    hosts = _living(presences) or {presence.host for presence in presences}
    if not hosts:
        return Verdict.NOWHERE
    if len(hosts) > 1:
        return Verdict.ON_BOTH
    return Verdict.ARRIVED if hosts == {migration.target_host} else Verdict.AT_SOURCE


def _broken_promises(moment: Moment, migration: Migration, note: VmNote) -> Iterator[Reason]:
    vm, state = moment.world.vm(migration.vm), moment.power_state(migration.vm)
    if state.value != note.power_state:
        yield warning("power_state_changed", f"VM {vm.name} was {note.power_state} before its move and is {state.value} now.", "Look at it on its new host.")
    if vm.persistent != note.persistent:
        yield warning("persistence_changed", f"VM {vm.name} was {'persistent' if note.persistent else 'transient'} before its move and is not now.")
    for volume in note.volumes:
        if not pool_is(moment, vm.id, volume.device, volume.target_pool):
            yield hard("disks_differ", f"{volume.device} of VM {vm.name} is not in pool {volume.target_pool}.", "Look where it is, and move it.")
