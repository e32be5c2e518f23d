# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contract between this collection and a hypervisor. One folder per hypervisor implements it; nothing above knows which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol

from ..model.capabilities import Capabilities
from ..model.host import Maintenance
from ..model.intent import TimeoutAction
from ..model.migration import Migration
from ..model.note import Claim, VmNote
from ..model.pool import Volume
from ..model.progress import Progress
from ..model.reason import Reason
from ..model.recovery import RecoveryNote
from ..model.request import MoveOptions
from ..model.site import Site
from ..model.vm import PowerState, Vm


class Clock(Protocol):
    """Time as the hypervisors see it. A simulated one may run faster; nothing above a driver uses any other."""

    def now(self) -> float:
        """Epoch seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a snapshot shall read.

    In full detail: ``vms`` (ids or names) and all VMs of ``hosts``; both None: everything. Light facts are of everything, unless ``only_hosts`` names the
    hosts that are asked at all (the others are then absent from the answer; their VMs too). ``volumes_of``: pools (ids) whose volumes are listed too, as
    far as they are not the disks of a VM.
    """

    vms: frozenset[str] | None = None
    hosts: frozenset[str] | None = None
    only_hosts: frozenset[str] | None = None
    volumes_of: frozenset[str] = frozenset()

    def covers(self, vm_id: str, vm_name: str, host: str) -> bool:
        """True where the VM is to be read in full."""
        if self.vms is None and self.hosts is None:
            return True
        return bool(self.vms and (vm_id in self.vms or vm_name in self.vms)) or bool(self.hosts and host in self.hosts)


EVERYTHING = Scope()
LIGHT = Scope(frozenset(), frozenset())
DEFAULTS = MoveOptions()


@dataclass(frozen=True, slots=True)
class Job:
    """A migration under way. ``handle`` belongs to the driver alone."""

    migration: Migration
    note: VmNote
    started_at: float
    adopted: bool = False
    handle: object = None


@dataclass(frozen=True, slots=True)
class InFlight:
    """A migration found running on the hypervisors. ``note`` tells whether it is ours; a foreign one has none (or one that is not about this move)."""

    vm: str
    vm_name: str
    source_host: str
    target_host: str
    memory_mib: int = 0
    note: VmNote | None = None

    @property
    def is_ours(self) -> bool:
        """True where an operation of this collection started it."""
        return self.note is not None


class Verdict(StrEnum):
    """Where a VM turned out to be after a move, by asking both ends afresh."""

    ARRIVED = "arrived"
    AT_SOURCE = "at_source"
    IN_FLIGHT = "in_flight"
    ON_BOTH = "on_both"
    NOWHERE = "nowhere"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Presence:
    """A VM's definition or process on one host. ``incoming``: the receiving half of a migration that has not switched yet."""

    host: str
    power_state: PowerState
    persistent: bool
    incoming: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer of ``verify``: a verdict, what was seen, and every post-condition that does not hold."""

    verdict: Verdict
    presences: tuple[Presence, ...] = ()
    reasons: tuple[Reason, ...] = ()
    downtime_ms: float | None = None


@dataclass(frozen=True, slots=True)
class LoadEntry:
    """One VM that holds memory on a host (running, paused or incoming)."""

    vm: str
    memory_mib: int


@dataclass(frozen=True, slots=True)
class HostLoad:
    """What is on a host at the moment of a claim, read afresh under the host's lock. ``claims`` are the live memory claims on it."""

    host: str
    memory_mib: int | None
    reserved_memory_mib: int
    vms: tuple[LoadEntry, ...] = ()
    claims: tuple[Claim, ...] = ()
    max_vms: int | None = None
    is_open: bool = True


Admission = Callable[[HostLoad], "Reason | None"]


class Driver(Protocol):
    """What execution and interface need of a hypervisor. All methods may raise the errors of ``model/errors.py`` and no others.

    A driver is opened with its options, used by several threads, and closed. No method changes anything unless its first word is a verb of change
    (start, cancel, hurry, finish, rollback, recover, claim, renew, release, drop, write, set, delete, request, clear).
    """

    name: str
    capabilities: Capabilities
    clock: Clock
    poll_seconds: float
    """A sensible pause between two polls, in seconds of the clock."""

    def __enter__(self) -> Driver:
        """The driver itself."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close."""

    def close(self) -> None:
        """Close all connections; moves under way go on where the hypervisor carries them alone."""

    def snapshot(self, scope: Scope) -> Site:
        """A fresh snapshot with the operator's overlay applied. Hosts that do not answer are in it with state ``unreachable``."""

    def check(self, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
        """The hypervisor's own pre-check, right before the start, on both ends. Writes nothing."""

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions = DEFAULTS) -> VmNote:
        """Put the note with the VM on its source, completed with what this driver needs to finish or undo the move (paths, snapshots), and return it as it
        was written. Must be called before ``start``; nothing else has changed by then.
        """

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> Job:
        """Begin the move and return at once. The note must be with the VM already."""

    def adopt(self, found: InFlight) -> Job:
        """A job for a migration that somebody else started; its note becomes the job's. Only for ours; changes nothing."""

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """One sample per job, in their order; never blocks long on a job that hangs."""

    def cancel(self, job: Job) -> None:
        """Ask the hypervisor to abort. Returns when it has been asked; ``poll`` tells the end. Raises StateConflict past the point of no return."""

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """Bring a live move to its end: ``suspend`` pauses the guest until the copy is whole, ``post_copy`` lets it run at the destination from now on.
        Once the guest runs there and the rest of its memory has broken off (``Progress.interrupted``, or a stall), ``post_copy`` takes it up again, and may be
        asked for as often as it takes. Raises StateConflict where it is not possible (any more); with code ``post_copy_lost`` it never will be.
        """

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """Ask both ends afresh: exactly one definition, in its power state, every disk where planned."""

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """Only after ``verify`` said ``arrived``: restore what does not travel (autostart), settle the note, remove this migration's own leftovers.
        Gives warnings for what could not be restored. May be repeated.
        """

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """Only after ``verify`` said ``at_source``: remove only what this migration made, and its note. Gives what could not be removed. May be repeated."""

    def drop_home(self, vm: str, host: str) -> None:
        """Forget the home in the note of a VM that is at rest on that host; a VM that is being moved, or is not there, is left alone."""

    def in_flight(self) -> tuple[InFlight, ...]:
        """All migrations that run on the hypervisors that answer, ours and foreign."""

    def presences(self, vms: Sequence[str]) -> Mapping[str, tuple[Presence, ...]]:
        """Where each of the VMs (ids) is, asked afresh of every host that answers."""

    def definitions(self) -> Mapping[str, str]:
        """The hypervisor's own definition of every VM on the hosts that answer, by id, in a form that ``recover`` takes; without secrets."""

    def signs_of_life(self, host: str, vms: Sequence[Vm]) -> tuple[Reason, ...]:
        """Everything by which a host that is said to be dead still answers, over every network and through the disks of its VMs; hard reasons
        (``host_still_answers``). Warnings tell what could not be asked. May take some seconds.
        """

    def check_recovery(self, migration: Migration, definition: str) -> tuple[Reason, ...]:
        """The pre-check of ``recover`` on the target. Writes nothing."""

    def recover(self, migration: Migration, definition: str, note: VmNote) -> None:
        """Define a VM of a dead host on the target and start it, in the power state and with the autostart of the note. The note is part of the definition
        from the first moment, so that a second run finishes what this one began, and settled in the end. Where the start fails, the definition is removed
        again. Raises MoveFailed where the VM is known not to run on the target, and HostUnreachable where that is not known.
        """

    def recoveries(self) -> tuple[RecoveryNote, ...]:
        """The notes about recovered hosts on all hosts that answer, one for each dead host."""

    def write_recovery(self, note: RecoveryNote) -> None:
        """Keep the note with every host that answers, the one that it is about apart."""

    def drop_recovery(self, host: str) -> None:
        """Remove the notes about that host from all hosts that answer."""

    def drop_definition(self, vm: str, host: str) -> Reason | None:
        """Remove the definition of a VM that is shut off on that host; its disks stay. A reason where it is not off (any more), or cannot be removed."""

    def claim(self, claim: Claim, admits: Admission | None = None) -> Reason | None:
        """Make a claim, atomically against other controllers. Stale claims are judged and replaced.

        For kind ``memory``, ``admits`` is called under the host's lock with its fresh load and gives a reason to refuse, or None. Returns None
        where the claim is made, else the reason (``operation_in_progress`` names the holder).
        """

    def renew(self, claims: Sequence[Claim]) -> None:
        """Write a new ``renewed_at`` (now); a claim that is gone is not made again."""

    def release(self, claims: Sequence[Claim]) -> None:
        """Remove claims; one that is gone, or has another owner by now, is left alone."""

    def claims(self, host: str) -> tuple[Claim, ...]:
        """All live claims kept on a host, stale ones left out."""

    def drop_stale_claims(self) -> None:
        """Remove stale claims from all hosts that answer: a run that was killed between two releases leaves some that nobody would ask for again."""

    def set_maintenance(self, host: str, maintenance: Maintenance) -> None:
        """Keep the maintenance note with the host; state ``available`` removes it."""

    def set_pool_maintenance(self, pool: str, maintenance: Maintenance) -> None:
        """Keep the maintenance note with the pool (its id), on every host that has it and answers; state ``available`` removes it. A snapshot shows it in
        ``Pool.maintenance``. Raises InputError for a pool that is on no host, HostUnreachable where it could be kept nowhere.
        """

    def delete_volume(self, volume: Volume) -> None:
        """Delete a volume that is the disk of no VM. Every host that has its pool is asked right before: raises StateConflict (``volume_in_use``) where a VM
        or another volume needs it, HostUnreachable where one of the hosts does not answer, InputError where it is not there.
        """

    def request_stop(self, host: str, by: str) -> None:
        """Leave a stop request with a host, for the controller that drains it."""

    def stop_requested(self, host: str) -> str | None:
        """Who asked to stop the drain of this host, or None."""

    def clear_stop(self, host: str) -> None:
        """Remove the stop request."""
