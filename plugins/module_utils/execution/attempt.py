# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One attempt to move one VM to one host: fresh read, rules, claims, pre-check, note, start, wait, settle."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

from ..drivers.driver import LIGHT, Scope
from ..model.errors import MigrationError
from ..model.event import EventKind
from ..model.migration import Migration, MigrationType, Mode
from ..model.note import ClaimKind, Home, NotePhase, VmNote
from ..model.progress import Phase
from ..model.reason import Reason, blocking, hard, warning
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import AffinityKind, OperationKind, Vm
from ..planning.targets import reasons_for
from .claims import memory_admission
from .foreign import wait_for_foreign
from .operation import RunContext
from .settle import Settled, settle, watch_and_settle
from .space import claim_space, give_space_back
from .watch import Ending, WatchResult

WAIT_STEP_SECONDS = 1.0
FOREIGN_TIMES = 3
MIGRATING = (OperationKind.MIGRATION_OUT, OperationKind.MIGRATION_IN)


@dataclass(frozen=True, slots=True)
class _Fresh:
    site: Site
    vm: Vm | None


def attempt(context: RunContext, migration: Migration) -> Settled:
    """Move it, or say why not. Nothing has changed where the result is a failure before the start."""
    try:
        return _attempt(context, migration)
    except MigrationError as error:
        # Raised before the start only: from there on, settle() asks the hypervisors instead of believing an error.
        return Settled(Phase.FAILED, migration.source_host, (hard(error.code, error.message, error.hint),), try_elsewhere=True)
    finally:
        give_space_back(context, migration)
        context.keeper.give_back(migration.vm, ClaimKind.VM, ClaimKind.MEMORY)


def _attempt(context: RunContext, migration: Migration) -> Settled:
    context.tell(EventKind.PROGRESS, migration, phase=Phase.CHECKING)
    refused = _claim_vm(context, migration)
    if refused is not None:
        return Settled(Phase.FAILED, migration.source_host, (refused,))
    fresh = _read(context, migration)
    vm = fresh.vm
    for _turn in range(FOREIGN_TIMES):
        if vm is None or vm.operation not in MIGRATING:
            break
        waited = wait_for_foreign(context, migration)
        if waited.phase is Phase.DONE or blocking(waited.reasons):
            return waited
        # It came to nothing, or was only a look: a pre-check shows itself as a migration for a moment. Our own turn now.
        fresh = _read(context, migration)
        vm = fresh.vm
    if vm is None or vm.host != migration.source_host:
        return _gone(context, migration, vm)
    if other_state := _other_state(migration, vm):
        return other_state
    refusals = blocking(reasons_for(fresh.site, vm, migration.target_host, as_planned(context.request, migration)))
    if refusals:
        return Settled(Phase.FAILED, vm.host, refusals, try_elsewhere=True)
    refused = claim_memory(context, migration, fresh.site, vm) if _holds_memory_there(migration) else None
    refused = refused or claim_space(context, migration, fresh.site)
    if refused is not None:
        return Settled(Phase.FAILED, vm.host, (refused,), try_elsewhere=True)
    checked = context.driver.check(migration, context.options)
    if blocking(checked):
        return Settled(Phase.FAILED, vm.host, blocking(checked), try_elsewhere=True)
    return _move(context, migration, vm, checked)


def _move(context: RunContext, migration: Migration, vm: Vm, checked: tuple[Reason, ...]) -> Settled:
    stopped = context.stop()
    if stopped:
        return Settled(Phase.PLANNED, vm.host, (not_started(migration.vm_name, stopped),))
    home, warnings = home_of(context, vm)
    note = VmNote(
        operation_id=context.operation.id,
        controller=context.operation.controller,
        started_at=context.driver.clock.now(),
        phase=NotePhase.MOVING,
        source=migration.source_host,
        target=migration.target_host,
        migration_type=migration.type.value,
        mode=migration.mode.value,
        power_state=vm.power_state.value,
        # A move that nobody could finish has not restored it yet: its note knows.
        autostart=vm.autostart or (vm.note is not None and vm.note.phase is NotePhase.MOVING and vm.note.autostart),
        persistent=vm.persistent,
        reserved_memory_mib=vm.memory_mib,
        home=home,
    )
    context.tell(EventKind.PROGRESS, migration, phase=Phase.PREPARING)
    note = context.driver.write_note(migration, note, context.options)
    try:
        job = context.driver.start(migration, note, context.options)
    except MigrationError as error:
        return _not_begun(context, migration, note, error)
    context.tell(EventKind.STARTED, migration, phase=Phase.COPYING)
    settled = watch_and_settle(context, job)
    extra = checked + warnings
    return Settled(settled.phase, settled.host, settled.reasons + extra, settled.try_elsewhere, settled.changed, settled.downtime_ms, settled.transferred_bytes)


def _not_begun(context: RunContext, migration: Migration, note: VmNote, error: MigrationError) -> Settled:
    """The start was refused after the note was written: take the note back, unless the VM turns out to be moving by another's hand."""
    settled = settle(context, migration, note, WatchResult(Ending.ENDED, message=error.message))
    return settled if settled is not None else wait_for_foreign(context, migration)


def home_of(context: RunContext, vm: Vm) -> tuple[Home | None, tuple[Reason, ...]]:
    """The home to remember: a drain writes it only if there is none; a home that somebody's later move made obsolete is dropped with a warning."""
    home = vm.home
    warnings: tuple[Reason, ...] = ()
    if home is not None and home.away_on and home.away_on != vm.host:
        warnings = (home_dropped(vm, home),)
        home = None
    if home is None and context.operation.remembers_home:
        pools = tuple(dict.fromkeys(volume.pool for volume in vm.volumes if volume.pool))
        home = Home(vm.host, pools, context.driver.clock.now())
    return home, warnings


def home_dropped(vm: Vm, home: Home) -> Reason:
    """The warning for a home that somebody's later move made obsolete."""
    text = f"{vm.name} was moved by somebody else from {home.away_on} to {vm.host} after a drain; its old home {home.host} is forgotten."
    return warning("home_dropped", text)


def not_started(vm_name: str, stopped: str) -> Reason:
    """The reason of a move that was planned and never started."""
    texts = {
        "deadline": "the deadline had come",
        "stop_request": "a stop was requested",
        "signal": "the run was told to end",
        "controller_gone": "ansible-playbook was gone",
    }
    return warning("not_started", f"The move of {vm_name} was not started: {texts.get(stopped, stopped)}.", "Run the task again to go on.")


def _claim_vm(context: RunContext, migration: Migration) -> Reason | None:
    """Claim the VM; a holder gets ``claim_wait_seconds`` to come to its end."""
    until = time.monotonic() + context.options.claim_wait_seconds
    told = False
    while True:
        refused = context.keeper.take(ClaimKind.VM, migration.source_host, migration.vm)
        if refused is None or time.monotonic() >= until or context.stop():
            return refused
        if not told:
            context.tell(EventKind.WAITING, migration, refused.message)
            told = True
        time.sleep(WAIT_STEP_SECONDS)


def claim_memory(context: RunContext, migration: Migration, site: Site, vm: Vm) -> Reason | None:
    groups = [group for group in site.groups_by_vm.get(vm.id, ()) if group.required and group.kind is AffinityKind.ANTI_AFFINITY]
    admits = memory_admission(vm, frozenset().union(*(group.vms for group in groups)) - {vm.id})
    return context.keeper.take(ClaimKind.MEMORY, migration.target_host, vm.id, vm.memory_mib, admits)


def _read(context: RunContext, migration: Migration) -> _Fresh:
    both = frozenset({migration.source_host, migration.target_host})
    part = context.driver.snapshot(Scope(vms=frozenset({migration.vm}), hosts=frozenset(), only_hosts=both))
    site = context.current.refresh(part)
    return _Fresh(site, part.vm_by_id.get(migration.vm))


def _gone(context: RunContext, migration: Migration, vm: Vm | None) -> Settled:
    """The VM is not on its source any more, by somebody else's doing. Look everywhere before saying so."""
    found = vm or context.driver.snapshot(LIGHT).vm_by_id.get(migration.vm)
    if found is None:
        reason = hard("vm_gone", f"VM {migration.vm_name} ({migration.vm}) is on no host that answers.", "Find out who removed it.")
        return Settled(Phase.FAILED, "", (reason,))
    reason = warning("moved_by_others", f"{migration.vm_name} had been moved to {found.host} by somebody else before its turn came.")
    return Settled(Phase.DONE, found.host, (reason,))


def _holds_memory_there(migration: Migration) -> bool:
    """True where the VM will hold memory on another host than now."""
    return migration.type is not MigrationType.STORAGE and migration.mode is not Mode.OFFLINE


def as_planned(request: PlanRequest, migration: Migration) -> PlanRequest:
    """The request with the pools that the plan has chosen: the rules are asked about these, and no others are chosen in the last moment."""
    request = request.of(migration.vm)
    if request.intent is None or not any(move.moves for move in migration.volumes):
        return request
    pools = {move.volume: move.target_pool for move in migration.volumes if move.moves and move.target_pool is not None}
    intent = dataclasses.replace(request.intent, planned_pools=pools)
    return dataclasses.replace(request, intent=intent)


def _other_state(migration: Migration, vm: Vm) -> Settled | None:
    """The end of a move whose VM is in no state for its mode any more: switched off, or started, by somebody else since the plan."""
    if migration.mode is Mode.COLD or vm.is_active is not (migration.mode is Mode.OFFLINE):
        return None
    if migration.mode is Mode.OFFLINE:
        text = f"{vm.name} is {vm.power_state.value} by now, and a move in mode offline is for a VM that is off."
        return Settled(Phase.FAILED, vm.host, (hard("power_state_changed", text, "Run the task again with another mode."),))
    reason = warning("power_state_changed", f"{vm.name} is {vm.power_state.value} by now; there is nothing to move live.")
    return Settled(Phase.CANCELLED, migration.source_host, (reason,))
