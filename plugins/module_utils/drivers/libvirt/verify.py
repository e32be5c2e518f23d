# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a VM is after a move: both hosts asked afresh, and twice where the first answer could be of a moment in between.

Nothing is concluded from the error that a migration ended with: libvirt's codes do not tell an abort from a failure, nor either from success.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ...model.errors import MigrationError
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.reason import Reason, hard, warning
from ...model.vm import OperationKind, PowerState
from ..driver import Presence, Verdict, Verification
from .connection import Connection, Hosts
from .copy_settle import unmet_copies
from .domain_xml import read_domain
from .domains import DomainState, ask_state, find_domain
from .library import libvirt
from .move_parameters import MAY_SUSPEND, has_word

ASK_TIMES = 6
PAUSE_SECONDS = (0.1, 0.3, 0.6, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class _Answers:
    """One round: each host's state of the VM (None: it has none), or why it did not answer."""

    states: Mapping[str, DomainState | None]
    errors: Mapping[str, MigrationError]


def verify(hosts: Hosts, migration: Migration, note: VmNote, paths_before: tuple[str, ...] | None) -> Verification:
    """The verdict, what was seen, and every post-condition that does not hold. ``paths_before``: the disks' paths at the start, if they are known."""
    answers = _ask(hosts, migration)
    verdict, final = judge(migration, answers.states, frozenset(answers.errors))
    for pause in PAUSE_SECONDS[: ASK_TIMES - 1]:
        if final:
            break
        time.sleep(pause)
        answers = _ask(hosts, migration)
        verdict, final = judge(migration, answers.states, frozenset(answers.errors))
    reasons = tuple(hard(error.code, error.message, error.hint) for error in answers.errors.values())
    presences = tuple(Presence(host, state.power_state, state.is_persistent, state.is_incoming) for host, state in answers.states.items() if state is not None)
    if verdict is Verdict.ARRIVED:
        details = _details(hosts, migration)
        reasons += _unmet(migration, note, answers.states) + _moved_disks(migration, planned_paths(note, paths_before), details.paths)
        reasons += unmet_copies(hosts, migration, note)
        return Verification(verdict, presences, reasons, details.downtime_ms)
    if verdict is Verdict.IN_FLIGHT:
        reasons += _in_two_parts(migration, answers.states)
    if verdict is Verdict.AT_SOURCE:
        reasons = _other_power_state(migration, migration.source_host, note, answers.states)
        if answers.errors:
            reasons += (warning("uniqueness_unproven", f"Whether anything of the move is left on {migration.target_host} could not be asked."),)
    return Verification(verdict, presences, reasons)


def planned_paths(note: VmNote, before: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Where the disks have to be after the move: as before, but for those that it copies."""
    moved = {volume.source_path: volume.target_path for volume in note.volumes}
    return None if before is None else tuple(moved.get(path, path) for path in before)


def judge(migration: Migration, states: Mapping[str, DomainState | None], silent: frozenset[str]) -> tuple[Verdict, bool]:
    """The verdict of one round of answers, and whether it is final: the others may be of a moment in between, and are asked again."""
    source, target = states.get(migration.source_host), states.get(migration.target_host)
    if _is_moving(source):
        return Verdict.IN_FLIGHT, True
    if silent:
        runs_here = source is not None and source.is_active and migration.source_host not in silent
        return (Verdict.AT_SOURCE if runs_here else Verdict.UNREACHABLE), False
    if target is not None and target.is_postcopy:
        return Verdict.IN_FLIGHT, False
    at_source, at_target = _is_here(source), _is_here(target)
    if target is not None and target.is_incoming:
        return Verdict.IN_FLIGHT, False
    if at_source and at_target:
        return Verdict.ON_BOTH, False
    if at_target:
        # A shut-off definition that is still on the source may be about to go.
        return Verdict.ARRIVED, source is None and target is not None and (target.job is None)
    if at_source:
        return Verdict.AT_SOURCE, True
    return _shut_off(source, target)


def _shut_off(source: DomainState | None, target: DomainState | None) -> tuple[Verdict, bool]:
    """It runs nowhere: it was shut down in the middle, or is lost."""
    if source is not None and target is not None:
        return Verdict.ON_BOTH, False
    if target is not None:
        return Verdict.ARRIVED, False
    return (Verdict.AT_SOURCE if source is not None else Verdict.NOWHERE), False


def _in_two_parts(migration: Migration, states: Mapping[str, DomainState | None]) -> tuple[Reason, ...]:
    """Of a guest in post-copy: that its two halves are apart for now, or that only one is left."""
    source, target = states.get(migration.source_host), states.get(migration.target_host)
    source_holds, target_holds = (end is not None and end.is_active and end.is_postcopy for end in (source, target))
    if source_holds and source is not None and source.is_broken and target_holds:
        text = f"{migration.vm_name} is in two parts: it runs on {migration.target_host} and needs memory that is still on {migration.source_host} (post-copy)."
        hint = "Free the way between the two hosts and run the task again. Neither of the two may be stopped, restarted or started anew."
        return (warning("post_copy_interrupted", text, hint, ("CAS-34",)),)
    if target_holds and migration.source_host in states and (source is None or not source.is_active):
        text = f"{migration.vm_name} runs on {migration.target_host} with a part of its memory; the rest was on {migration.source_host} and is gone."
        return (hard("post_copy_lost", text, "Stop it there when its users agree, and start it anew from its disks.", ("CAS-34",)),)
    if source_holds and source is not None and source.is_broken and migration.target_host in states and (target is None or not target.is_active):
        text = f"{migration.vm_name} does not run on {migration.target_host}, and {migration.source_host} has let go of it (post-copy): neither can go on."
        return (hard("post_copy_lost", text, "Stop it on its source, and start it anew from its disks.", ("CAS-34",)),)
    return ()


def _is_moving(state: DomainState | None) -> bool:
    return state is not None and (state.job is OperationKind.MIGRATION_OUT or (state.is_postcopy and state.power_state is PowerState.PAUSED))


def _is_here(state: DomainState | None) -> bool:
    return state is not None and state.is_active and not state.is_incoming


def _ask(hosts: Hosts, migration: Migration) -> _Answers:
    both = (migration.source_host, migration.target_host)
    states, errors = hosts.on_each(both, lambda session: session.run("asking where the VM is", lambda link: ask_state(link, migration.vm)))
    return _Answers(states, errors)


@dataclass(frozen=True, slots=True)
class _Details:
    paths: tuple[str, ...]
    downtime_ms: float | None


def disk_paths(connection: Connection, uuid: str) -> tuple[str, ...]:
    """The paths of the VM's disks as its host has them; empty where it is not there."""
    domain = find_domain(connection, uuid)
    return tuple(disk.path for disk in read_domain(domain.XMLDesc(0)).disks) if domain is not None else ()


def _details(hosts: Hosts, migration: Migration) -> _Details:
    def ask(connection: Connection) -> _Details:
        return _Details(disk_paths(connection, migration.vm), _downtime_ms(connection, migration.vm))

    return hosts.get(migration.target_host).run("reading the VM on its destination", ask)


def _downtime_ms(connection: Connection, uuid: str) -> float | None:
    """The hypervisor's own figure, which only the destination has in the end; kept there, so that it may be asked again."""
    domain = find_domain(connection, uuid)
    if domain is None:
        return None
    try:
        stats = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED)
    except libvirt.libvirtError:
        return None
    downtime = stats.get("downtime")
    return float(downtime) if downtime is not None else None


def _other_power_state(migration: Migration, host: str, note: VmNote, states: Mapping[str, DomainState | None]) -> tuple[Reason, ...]:
    state = states.get(host)
    if state is None or state.power_state.value == note.power_state:
        return ()
    if state.power_state is PowerState.PAUSED and has_word(note, MAY_SUSPEND):
        return ()  # by our own hand: finish and rollback let it run on
    text = f"{migration.vm_name} is {state.power_state.value} on {host}; it was {note.power_state} before."
    return (warning("power_state_differs", text, "It may have been shut down, or stopped on an error of its disk, in the meantime."),)


def _unmet(migration: Migration, note: VmNote, states: Mapping[str, DomainState | None]) -> tuple[Reason, ...]:
    target, source = states.get(migration.target_host), states.get(migration.source_host)
    found = list(_other_power_state(migration, migration.target_host, note, states))
    if target is not None and note.persistent and not target.is_persistent:
        text = f"{migration.vm_name} runs on {migration.target_host} without a definition that outlives it."
        found.append(warning("not_persistent", text, f"On {migration.target_host}: virsh dumpxml, then virsh define."))
    if source is not None:
        found.append(warning("stale_definition", f"A shut-off definition of {migration.vm_name} is still on {migration.source_host}."))
    return tuple(found)


def _moved_disks(migration: Migration, before: tuple[str, ...] | None, after: tuple[str, ...]) -> tuple[Reason, ...]:
    if before is None or before == after:
        return ()
    text = f"The disks of {migration.vm_name} are {', '.join(after) or 'none'} on {migration.target_host}, and should be {', '.join(before) or 'none'}."
    return (hard("disks_differ", text, "Compare the definition with virsh dumpxml."),)
