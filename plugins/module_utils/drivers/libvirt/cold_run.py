# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a VM's move by copying, in a thread of this process: stop, copy, verify, define, start. Each leaves what a second run can end.

What it says of its end is kept for people; where the VM is, ``cold_verify.py`` asks the hosts.
"""

from __future__ import annotations

import contextlib
import time

from ...model.errors import HostUnreachable, MigrationError, StateConflict
from ...model.migration import Mode
from ...model.note import NotePhase
from ...model.progress import Phase
from ...model.request import VerifyCopy
from ...model.vm import PowerState
from .cold_backing import compare_backing
from .cold_copy import copy_and_verify, source_facts, unmark
from .cold_move import ColdJob, ColdMove, Stage, at_stage, our_note, stage_of, way_of, write_stage
from .cold_note import definition_of
from .cold_xml import with_new_places
from .connection import Connection
from .domains import Domain, ask_state, find_domain
from .failures import is_about_connecting
from .library import libvirt
from .media import emptied
from .nics import with_networks
from .stream_copy import CopyControl, VolumeEnd, are_equal
from .threads import start_daemon

STOP_LOOK_SECONDS = 0.2
START_SECONDS = 120.0
ACTIVE = (PowerState.RUNNING.value, PowerState.PAUSED.value)


def begin(move: ColdMove) -> ColdJob:
    """Start the move and return. Raises StateConflict where the VM does not carry this operation's note."""
    move.source.run("looking at the VM's note", lambda connection: require_note(connection, move))
    legs = 2 if move.options.verify_copy is VerifyCopy.READBACK else 1
    job = ColdJob(CopyControl(move.options.copy_cap_mib_s), legs=legs)
    start_daemon(lambda: _carry(move, job), f"vmops-cold-{move.migration.vm}")
    return job


def require_note(connection: Connection, move: ColdMove) -> Domain:
    """The VM on its source. Raises StateConflict where its note is not this operation's any more: then another run has taken it over."""
    domain = find_domain(connection, move.migration.vm)
    found = our_note(domain, move.note)
    if domain is None or found is None or found.phase is not NotePhase.MOVING:
        text = f"{move.migration.vm_name} on {move.source.name} does not carry the note of operation {move.note.operation_id} any more."
        raise StateConflict(text, hint="Another run has taken it over; wait for its end.")
    return domain


def _carry(move: ColdMove, job: ColdJob) -> None:
    try:
        _steps(move, job)
    except MigrationError as error:
        job.message = str(error)
    except libvirt.libvirtError as error:
        job.message = str(error.get_error_message())
    finally:
        job.over.set()


def _steps(move: ColdMove, job: ColdJob) -> None:
    job.length_bytes = sum(source_facts(move, volume).length_bytes for volume in move.note.volumes)
    compare_backing(move, job)
    job.control.require_going()
    move.source.run("preparing the stop", lambda connection: _prepare(connection, move))
    _stop(move, job)
    for volume in move.note.volumes:
        copy_and_verify(move, volume, job)
    job.control.require_going()
    move.source.run("noting the copies", lambda connection: write_stage(connection, move, Stage.COPIED))
    for volume in move.note.volumes:
        move.target.run("releasing the copy", lambda connection, noted=volume: unmark(connection, move, noted))  # type: ignore[misc]
    _switch(move, job)
    if move.note.power_state in ACTIVE:
        _start(move, job)


def _prepare(connection: Connection, move: ColdMove) -> None:
    """From here on the VM may be off because of us; and a reboot of its host must not start it a second time."""
    domain = require_note(connection, move)
    write_stage(connection, move, Stage.STOPPING)
    if domain.autostart():
        domain.setAutostart(0)


def _stop(move: ColdMove, job: ColdJob) -> None:
    """Ask the guest to shut down, wait as long as the options say, then end it; its consent to a downtime was judged before. A paused one cannot answer.

    There is no such consent where it is to be moved while it is off: one that somebody has started since is not stopped, and ``_switch`` refuses it.
    """
    if move.note.power_state not in ACTIVE or move.migration.mode is Mode.OFFLINE:
        return
    until = time.monotonic() + move.options.shutdown_seconds
    job.patient_until = until + START_SECONDS
    if move.source.run("shutting the VM down", lambda connection: _ask_to_shut_down(connection, move)):
        while _is_active(move) and time.monotonic() < until:
            job.control.wait(STOP_LOOK_SECONDS)
    job.control.require_going()
    if _is_active(move):
        move.source.run("ending the VM", lambda connection: _end(connection, move), START_SECONDS)
    job.patient_until = None
    job.stopped_at = time.monotonic()


def _ask_to_shut_down(connection: Connection, move: ColdMove) -> bool:
    """True where it may answer."""
    domain = require_note(connection, move)
    if domain.state()[0] not in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED):
        return False
    with contextlib.suppress(libvirt.libvirtError):  # one without ACPI and agent cannot be asked, or it has just ended
        domain.shutdown()
    return True


def _end(connection: Connection, move: ColdMove) -> None:
    domain = require_note(connection, move)
    try:
        # Gracefully: QEMU writes what it still holds for the disks. One that does not end so is left running, and the move fails.
        domain.destroyFlags(libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    except libvirt.libvirtError:
        if domain.isActive():
            raise


def _is_active(move: ColdMove) -> bool:
    state = move.source.run("asking the VM's state", lambda connection: ask_state(connection, move.migration.vm))
    if state is None:
        raise StateConflict(f"VM {move.migration.vm_name} is not on {move.source.name} any more.")
    return state.is_active


def _switch(move: ColdMove, job: ColdJob) -> None:
    """The point of no return."""
    job.phase = Phase.SWITCHING
    xml = move.source.run("reading the definition", lambda connection: _off_definition(connection, move))
    ways = move.target.run("looking at the copies", lambda link: tuple(way_of(link, move.note, volume) for volume in move.note.volumes))
    new = with_networks(emptied(with_new_places(xml, ways, at_stage(move.note, Stage.SWITCHED)), move.note), move.migration.network_map)
    # Asked as late as can be: a run that took us for dead and rolled back has removed the note.
    move.source.run("looking at the VM's note", lambda connection: _off_definition(connection, move))
    job.commit()
    try:
        move.target.run("defining the VM at its new place", lambda connection: _define(connection, new), repeat=False)
    except MigrationError:
        job.is_committed = False
        raise


def _off_definition(connection: Connection, move: ColdMove) -> str:
    domain = require_note(connection, move)
    if domain.isActive():
        raise StateConflict(f"{move.migration.vm_name} was started on {move.source.name} during its move.", code="source_changed")
    if domain.hasManagedSaveImage(0):
        raise StateConflict(f"The memory of {move.migration.vm_name} was saved on {move.source.name} during its move.", code="managed_save")
    return definition_of(domain)


def _define(connection: Connection, xml: str) -> None:
    connection.raw.defineXML(xml)


def _start(move: ColdMove, job: ColdJob) -> None:
    """Start it at its new place. Where the target cannot, it never ran there, so that its source is as good as it was: the switch is taken back."""
    job.patient_until = time.monotonic() + START_SECONDS
    try:
        move.target.run("starting the VM", lambda connection: start_at_target(connection, move), START_SECONDS, repeat=False)
    except HostUnreachable:
        raise  # it may be starting all the same: who asks later finds out
    except MigrationError:
        with contextlib.suppress(MigrationError):  # what is told is why it did not start; where it is, verify asks
            if take_back(move):
                job.is_committed = False
        raise
    job.started_at = time.monotonic()


def start_at_target(connection: Connection, move: ColdMove) -> None:
    """Start the switched VM, once: never where it has run here already, and never while it runs on its source."""
    domain = find_domain(connection, move.migration.vm)
    found = our_note(domain, move.note)
    if domain is None or found is None or stage_of(found) not in (Stage.SWITCHED, Stage.STARTING):
        return
    if not domain.isActive() and not has_run(domain, move):
        if move.changes_host:
            state = move.source.run("asking the VM's state", lambda link: ask_state(link, move.migration.vm))
            if state is not None and state.is_active:
                raise StateConflict(f"{move.migration.vm_name} was started on {move.source.name} during its move.", code="source_changed")
        _start_noted(connection, move, domain, stage_of(found))
    write_stage(connection, move, Stage.STARTED)


def _start_noted(connection: Connection, move: ColdMove, domain: Domain, stage: Stage) -> None:
    """Noted before it is done: from the start on what the guest writes is here alone. Only a start that is seen to fail is as good as none."""
    write_stage(connection, move, Stage.STARTING)
    paused = move.note.power_state == PowerState.PAUSED.value
    try:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)
    except libvirt.libvirtError as error:
        if stage is Stage.SWITCHED and not is_about_connecting(error) and not domain.isActive() and not has_run(domain, move):
            write_stage(connection, move, Stage.SWITCHED)
        raise


def has_run(domain: Domain, move: ColdMove) -> bool:
    """True where a switched VM that is off has run on its new host, by the reason that libvirt gives for its being off.

    On one and the same host that reason is of its stop before the copy; there the stage alone tells.
    """
    state, reason = domain.state()
    return move.changes_host and (state != libvirt.VIR_DOMAIN_SHUTOFF or reason not in (libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN, libvirt.VIR_DOMAIN_SHUTOFF_FAILED))


def take_back(move: ColdMove) -> bool:
    """Undo the switch of a VM that never ran at its new place, or wrote nothing there; False where it may have, so that it stays there."""
    found = move.target.run("looking at the VM's note", lambda connection: our_note(find_domain(connection, move.migration.vm), move.note))
    if found is not None and stage_of(found) is Stage.STARTING and not _are_untouched(move):
        return False
    return move.target.run("taking the switch back", lambda connection: _take_back(connection, move))


def _are_untouched(move: ColdMove) -> bool:
    """True where every copy is still equal to its source. A run that died in the moment of the start leaves open whether the VM ran; its disks tell."""
    control = CopyControl()
    ends = [(VolumeEnd(move.source, volume.source_path), VolumeEnd(move.target, volume.target_path)) for volume in move.note.volumes]
    return all(are_equal(here, there, control) for here, there in ends)


def _take_back(connection: Connection, move: ColdMove) -> bool:
    domain = find_domain(connection, move.migration.vm)
    found = our_note(domain, move.note)
    if domain is None or found is None or stage_of(found) not in (Stage.SWITCHED, Stage.STARTING) or domain.isActive() or has_run(domain, move):
        return False
    if move.changes_host:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
    else:
        ways = tuple(way_of(connection, move.note, volume, back=True) for volume in move.note.volumes)
        connection.raw.defineXML(with_new_places(definition_of(domain), ways, at_stage(found, Stage.COPIED)))
    return True
