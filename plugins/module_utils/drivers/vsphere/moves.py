# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves of VMs by vCenter's relocation: one task each, live or at rest, by host, by storage or both."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ...model.errors import HostUnreachable, MoveFailed, StateConflict
from ...model.migration import Migration, MigrationType, Mode, VolumeMove
from ...model.note import VmNote
from ...model.progress import Phase, Progress
from ...model.reason import Reason
from ...model.request import MoveOptions
from ...model.vm import PowerState
from ..driver import InFlight, Job, Verification
from .connection import Link, VCenter
from .errors import fault_text, is_logged_out
from .inventory import Inventory
from .library import vim, vmodl
from .power import STOPPED_MODES
from .precheck import check, find_vm, spec_of
from .properties import moid_of
from .relocate_spec import noted_volumes
from .settle import drop_home, finish, put_note, roll_back
from .snapshot import moving_tasks
from .stopped import RelocateJob, StopControl, StopSteps
from .task_watch import TaskWatch
from .tasks import TaskState
from .verify import verify


class Moves:
    """The contract's methods about one move. ``inventory_of`` gives where hosts and datastores are."""

    def __init__(self, center: VCenter, inventory_of: Callable[[], Inventory]) -> None:
        self._center = center
        self._watch = TaskWatch(center)
        self._inventory_of = inventory_of

    def close(self) -> None:
        """Watch no more; what is under way goes on."""
        self._watch.close()

    def check(self, migration: Migration) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return check(self._center, self._inventory_of(), migration)

    def write_note(self, migration: Migration, note: VmNote) -> VmNote:
        """See ``driver.Driver``. The note is completed with the disks that move."""
        vm = self._center.run("reading the VM", lambda link: find_vm(link, migration.vm, migration.vm_name))
        whole = dataclasses.replace(note, volumes=noted_volumes(migration, str(vm["config.files.vmPathName"]), vm["config.hardware.device"] or ()))
        put_note(self._center, migration.vm, migration.vm_name, whole)
        return whole

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> RelocateJob:
        """Begin. A guest that has to be stopped is stopped in a thread of its own, which then begins the relocation."""
        if migration.mode not in STOPPED_MODES or note.power_state != PowerState.RUNNING.value:
            return RelocateJob(self._relocate(migration))
        job = RelocateJob(None, StopControl())
        relocate, abort = functools.partial(self._relocate, migration), functools.partial(self._abort, name=migration.vm_name)
        steps = StopSteps(self._center, migration, note, options.shutdown_seconds, relocate, abort)
        threading.Thread(target=steps.carry, args=(job,), name=f"vmops-stop-{migration.vm}", daemon=True).start()
        return job

    def _relocate(self, migration: Migration) -> Any:
        """The task. Where the connection breaks during the call, the VM's own tasks are asked whether it was begun; it is never begun twice."""

        def begin(link: Link) -> Any:
            vm = find_vm(link, migration.vm, migration.vm_name)
            spec = spec_of(link, migration, vm, self._inventory_of())
            try:
                return vm.ref.RelocateVM_Task(spec)
            except vim().fault.TaskInProgress:
                text = f"Another task of vCenter works on {migration.vm_name}."
                raise StateConflict(text, code="operation_in_progress", hint="Wait for its end.") from None
            except vmodl().MethodFault as fault:
                if is_logged_out(fault):
                    raise  # the session is renewed, and the call made then
                raise _refused(migration, fault) from None

        try:
            return self._center.run(f"starting the move of {migration.vm_name}", begin, repeat=False)
        except HostUnreachable:
            task = self._task_of(migration.vm)
            if task is None:
                raise
            return task

    def _task_of(self, moid: str) -> Any:
        def look(link: Link) -> Any:
            return moving_tasks(link, {moid: find_vm(link, moid, moid)}).get(moid)

        return self._center.run("looking for the move's task", look)

    def adopt(self, found: InFlight, note: VmNote) -> tuple[Migration, RelocateJob]:
        """The migration of a note, and its running task; None where it has ended by now."""
        return migration_of(found, note), RelocateJob(self._task_of(found.vm))

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """As the thread that watches the tasks knows it; no call."""
        tasks = [_handle(job).task for job in jobs]
        states = self._watch.states_of([task for task in tasks if task is not None])
        return tuple(_progress(job, states[moid_of(task)]) if task is not None else _before_the_task(job) for job, task in zip(jobs, tasks, strict=True))

    def cancel(self, job: Job) -> None:
        """Raises StateConflict where the task has ended, or cannot be cancelled any more."""
        handle = _handle(job)
        handle.give_up()
        if handle.task is not None:
            self._abort(handle, job.migration.vm_name)
        elif handle.stop is None:
            raise _too_late(job.migration.vm_name)
        # else the thread that stops the guest ends at its next step

    def _abort(self, handle: RelocateJob, name: str) -> None:
        def ask(_link: Link) -> None:
            try:
                handle.task.CancelTask()
            except (vim().fault.InvalidState, vmodl().fault.NotSupported, vmodl().fault.ManagedObjectNotFound):
                raise _too_late(name) from None

        self._center.run(f"cancelling the move of {name}", ask)

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """See ``driver.Driver``."""
        return verify(self._center, self._inventory_of(), migration, note)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return finish(self._center, migration, note)

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return roll_back(self._center, migration, note)

    def drop_home(self, vm: str, host: str) -> None:
        """See ``driver.Driver``."""
        drop_home(self._center, self._inventory_of(), vm, host)


def migration_of(found: InFlight, note: VmNote) -> Migration:
    """The migration that a note tells of."""
    volumes = tuple(
        VolumeMove(f"{found.vm}/{volume.device}", volume.source_pool or None, volume.target_pool or None, format=volume.format) for volume in note.volumes
    )
    return Migration(
        f"adopted-{found.vm}",
        found.vm,
        found.vm_name,
        note.source,
        note.target,
        type=MigrationType(note.migration_type),
        mode=Mode(note.mode),
        memory_mib=found.memory_mib,
        volumes=volumes,
    )


def _refused(migration: Migration, fault: Any) -> MoveFailed:
    return MoveFailed(f"vCenter does not begin the move of {migration.vm_name}: {fault_text(fault)}.")


def _too_late(name: str) -> StateConflict:
    return StateConflict(f"The move of {name} cannot be cancelled any more.")


def _handle(job: Job) -> RelocateJob:
    if not isinstance(job.handle, RelocateJob):
        raise TypeError("this job was not made by the vSphere driver")
    return job.handle


def _before_the_task(job: Job) -> Progress:
    """While a guest is being stopped there is no task yet; an adopted move without one was over before it could be seen."""
    handle = _handle(job)
    stop = handle.stop
    over = stop is None or (stop.over.is_set() and handle.task is None)
    phase = Phase.UNKNOWN if over else Phase.PREPARING
    return Progress(job.migration.id, phase, is_measured=False, ended=over, message=stop.message if stop is not None else "", at=time.time())


def _progress(job: Job, state: TaskState) -> Progress:
    """vCenter tells whole percents and no bytes."""
    message = fault_text(state.fault) if state.fault is not None else ""
    phase = Phase.COPYING if not state.ended else Phase.UNKNOWN
    return Progress(job.migration.id, phase, state.percent, is_measured=False, ended=state.ended, message=message, at=time.time())
