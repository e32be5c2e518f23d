# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a VM is after a move by copying: from the definitions on both hosts and the stage in their notes, whoever died in between."""

from __future__ import annotations

from dataclasses import dataclass

from ...model.errors import MigrationError
from ...model.note import VmNote
from ...model.reason import Reason, hard, warning
from ...model.vm import PowerState
from ..driver import Presence, Verdict, Verification
from .cold_move import NVRAM, ColdMove, Stage, our_note, stage_of
from .cold_note import definition_of
from .connection import Connection
from .disk_places import path_of
from .domain_xml import read_domain
from .domains import DomainState, ask_state, find_domain
from .volumes import find_volume


@dataclass(frozen=True, slots=True)
class Seen:
    """A VM on one host: its state, this operation's note as it carries it now (None: not this operation's), and its disks by device, in order."""

    state: DomainState
    note: VmNote | None
    disks: tuple[tuple[str, str], ...]

    @property
    def stage(self) -> Stage | None:
        """The note's stage."""
        return stage_of(self.note) if self.note is not None else None


def look(connection: Connection, move: ColdMove) -> Seen | None:
    """The VM as it is on a host; None where it has none."""
    state, domain = ask_state(connection, move.migration.vm), find_domain(connection, move.migration.vm)
    if state is None or domain is None:
        return None
    disks = tuple((disk.device, path_of(connection, disk)) for disk in read_domain(definition_of(domain)).disks)
    return Seen(state, our_note(domain, move.note), disks)


def verify(move: ColdMove, downtime_ms: float | None) -> Verification:
    """The verdict, what was seen, and every post-condition that does not hold."""
    hosts = tuple(dict.fromkeys((move.note.source, move.note.target)))
    seen, errors = move.hosts.on_each(hosts, lambda session: session.run("asking where the VM is", lambda connection: look(connection, move)))
    presences = tuple(Presence(host, vm.state.power_state, vm.state.is_persistent) for host, vm in seen.items() if vm is not None)
    source, target = seen.get(move.note.source), seen.get(move.note.target)
    if errors:
        reasons = tuple(hard(error.code, error.message, error.hint) for error in errors.values())
        # Before all copies are verified nothing is defined at the target, so that its silence leaves no doubt.
        is_here = source is not None and move.changes_host and (source.state.is_active or source.stage in (Stage.NOTED, Stage.STOPPING))
        return Verification(Verdict.AT_SOURCE if is_here else Verdict.UNREACHABLE, presences, reasons)
    if move.changes_host and _is_run_by_others(source, target):
        text = f"{move.migration.vm_name} runs on {move.note.target}, where this move did not start it; nothing is started or removed."
        return Verification(
            Verdict.UNREACHABLE, presences, (hard("runs_elsewhere", text, "Find out who started it; undefine it on the host where it is off."),)
        )
    verdict = judge(source, target) if move.changes_host else judge_same_host(source, move.note)
    if verdict is Verdict.ARRIVED and target is not None:
        return Verification(verdict, presences, _unmet(move, target), downtime_ms)
    return Verification(verdict, presences)


def _is_run_by_others(source: Seen | None, target: Seen | None) -> bool:
    """True where the VM is alive at the target alone, and not by this operation: to start it at its source would make two of it."""
    ours = target is not None and target.stage is not None and target.stage.is_committed
    return target is not None and target.state.is_active and not ours and source is not None and not source.state.is_active


def judge(source: Seen | None, target: Seen | None) -> Verdict:
    """The verdict over two hosts. A definition at the target counts only past the point of no return of this very operation."""
    switched = target is not None and target.stage is not None and target.stage.is_committed
    if source is None:
        return Verdict.NOWHERE if target is None else Verdict.ARRIVED
    if target is None or not switched:
        foreign = target is not None and target.state.is_active
        return Verdict.ON_BOTH if foreign and source.state.is_active else Verdict.AT_SOURCE
    if not source.state.is_active:
        return Verdict.ARRIVED
    # Somebody has started it at its source after the switch. That is the VM, unless it may have run at the target as well.
    has_run = target.state.is_active or (target.stage is not None and target.stage.may_have_run)
    return Verdict.ON_BOTH if has_run else Verdict.AT_SOURCE


def judge_same_host(vm: Seen | None, note: VmNote) -> Verdict:
    """The verdict where the host stays: by the stage, or after the note's end by the disks."""
    if vm is None:
        return Verdict.NOWHERE
    if vm.stage is not None:
        return Verdict.ARRIVED if vm.stage.is_committed else Verdict.AT_SOURCE
    disks = dict(vm.disks)
    moved = all(disks.get(volume.device) == volume.target_path for volume in note.volumes if volume.device != NVRAM)
    return Verdict.ARRIVED if moved else Verdict.AT_SOURCE


def missing_copies(connection: Connection, note: VmNote) -> tuple[str, ...]:
    """Paths of noted copies that no pool of the target has."""
    return tuple(volume.target_path for volume in note.volumes if find_volume(connection, volume.target_path) is None)


def _unmet(move: ColdMove, target: Seen) -> tuple[Reason, ...]:
    found = []
    name, host = move.migration.vm_name, move.note.target
    to_be_started = target.stage in (Stage.SWITCHED, Stage.STARTING) and target.state.power_state is PowerState.OFF
    if target.state.power_state.value != move.note.power_state and not to_be_started:
        text = f"{name} is {target.state.power_state.value} on {host}; it was {move.note.power_state} before."
        found.append(warning("power_state_differs", text, "It may have been shut down in the meantime."))
    disks = dict(target.disks)
    for volume in move.note.volumes:
        if volume.device != NVRAM and disks.get(volume.device) != volume.target_path:
            text = f"Disk {volume.device} of {name} is {disks.get(volume.device) or 'missing'} on {host}; it should be {volume.target_path}."
            found.append(hard("disks_differ", text, "Compare the definition with virsh dumpxml.", ("PCD-16",)))
    try:
        missing = move.target.run("looking for the copies", lambda connection: missing_copies(connection, move.note))
    except MigrationError as error:
        return (*found, hard(error.code, error.message, error.hint))
    found += [hard("copy_missing", f"{path} is not on {host} any more.", "Nothing is removed at the source as long as it is missing.") for path in missing]
    return tuple(found)
