# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recovery in a simulated world: VMs of a host that died, started elsewhere, and the stale definitions that it has when it comes back.

The images are locked: a host that comes back does not start a VM that runs elsewhere, it only has its definition.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

from ...model.errors import MigrationError, MoveFailed
from ...model.migration import Migration
from ...model.note import NotePhase, VmNote
from ...model.reason import Reason, hard
from ...model.recovery import RecoveryNote
from ...model.vm import Vm
from ..driver import Presence
from .engine import Draft
from .faults import fault_key
from .moment import Moment
from .settling import at_rest, keep, presences_on
from .simulation import FaultKind

_FORM = "simulated VM"


def presences(moment: Moment, vms: Sequence[str]) -> dict[str, tuple[Presence, ...]]:
    """Where each of the VMs is, of the hosts that answer."""
    answering = [host.name for host in moment.world.site.hosts if moment.answers(host.name)]
    known = moment.world.site.vm_by_id
    return {vm: tuple(found for host in answering for found in presences_on(moment, vm, host)) if vm in known else () for vm in vms}


def definitions(moment: Moment) -> dict[str, str]:
    """A text for each VM on a host that answers; all that a simulated VM needs is its identity."""
    return {
        vm.id: json.dumps({"form": _FORM, "id": vm.id, "name": vm.name})
        for host in moment.world.site.hosts
        if moment.answers(host.name)
        for vm in moment.vms_on(host.name)
    }


def signs_of_life(moment: Moment, host: str, vms: Sequence[Vm]) -> Iterator[Reason]:
    """A host that only lost its networks still writes to the shared disks of its VMs."""
    hint = "Do not recover: its VMs would run twice. Empty it with purpose: drain, or cut its power and make sure of it."
    if moment.answers(host):
        yield hard("host_still_answers", f"{host} is not dead: it answers.", hint, ("PCD-04", "PCD-24"))
    elif not moment.disturbances.is_dead(host, moment.at) and moment.world.has_answered(host):
        pools = moment.world.site.pool_by_id
        used = [volume.pool for vm in vms if vm.is_active for volume in vm.volumes if volume.pool in pools and not pools[volume.pool].is_local]
        if used:
            yield hard("host_still_answers", f"{host} is not dead: disks in {', '.join(sorted(set(map(str, used))))} are still being written to.", hint)


def check(moment: Moment, migration: Migration, definition: str) -> tuple[Reason, ...]:
    """What speaks against starting the VM on its target. Raises HostUnreachable, MigrationError for a text that is no definition."""
    moment.require(migration.target_host)
    _read(definition, migration)
    here = tuple(presences_on(moment, migration.vm, migration.target_host))
    if here:
        text = f"{migration.target_host} has a definition of {migration.vm_name} ({migration.vm}) already."
        return (hard("already_defined", text, "Find out whose it is, and undefine it."),)
    return ()


def recover(draft: Draft, migration: Migration, definition: str, note: VmNote) -> None:
    """Start the VM on its target. Raises HostUnreachable, MoveFailed where the host refuses it."""
    moment = draft.moment
    moment.require(migration.target_host)
    _read(definition, migration)
    found = moment.vm(migration.vm)
    if found.host == migration.target_host:
        return
    fault = moment.disturbances.striking(draft.state, FaultKind.HOST_REFUSES, migration.vm, migration.target_host, moment.at)
    if fault is not None:
        uses = {**draft.state.fault_uses, fault_key(fault): draft.state.fault_uses.get(fault_key(fault), 0) + 1}
        draft.state = dataclasses.replace(draft.state, fault_uses=uses)
        raise MoveFailed(fault.message or f"{migration.target_host} could not start {migration.vm_name}.", code="start_failed")
    settled = at_rest(dataclasses.replace(note, stage="", phase=NotePhase.SETTLED), migration.target_host)
    also_on = tuple(host for host in dict.fromkeys((*found.also_on, found.host)) if host != migration.target_host)
    home = settled.home if settled else None
    keep(draft, migration.vm, dataclasses.replace(found, host=migration.target_host, also_on=also_on, autostart=note.autostart, note=settled, home=home))


def write_note(draft: Draft, note: RecoveryNote) -> None:
    """Keep the note, together with an earlier one about the same host."""
    old = draft.state.recoveries.get(note.host)
    draft.state = dataclasses.replace(draft.state, recoveries={**draft.state.recoveries, note.host: old.joined(note) if old else note})


def drop_note(draft: Draft, host: str) -> None:
    """Remove the note about that host, if there is one."""
    if host in draft.state.recoveries:
        kept: Mapping[str, RecoveryNote] = {name: note for name, note in draft.state.recoveries.items() if name != host}
        draft.state = dataclasses.replace(draft.state, recoveries=kept)


def drop_definition(draft: Draft, vm_id: str, host: str) -> Reason | None:
    """Remove a definition that is shut off. The only one of a VM is its record in the world, which stays."""
    moment = draft.moment
    moment.require(host)
    found = moment.vm(vm_id)
    if found.host == host:
        name = moment.world.vm(vm_id).name
        return hard("leftover_active", f"{name} is on {host} alone; nothing was removed there.", "Find out where it should be.")
    keep(draft, vm_id, dataclasses.replace(found, also_on=tuple(other for other in found.also_on if other != host)))
    return None


def _read(definition: str, migration: Migration) -> None:
    try:
        data = json.loads(definition)
    except ValueError:
        data = None
    if not isinstance(data, dict) or data.get("form") != _FORM or data.get("id") != migration.vm:
        text = f"The kept definition of {migration.vm_name} is none of the simulator's."
        raise MigrationError(text, code="definition_invalid", hint="Take the file that site_info wrote for this site.")
