# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""libvirt's own pre-check of a move, right before its start, on both ends. Writes nothing."""

from __future__ import annotations

import dataclasses
import functools
import re
from dataclasses import dataclass
from typing import Any

from ...model.errors import HostUnreachable, MigrationError
from ...model.migration import Migration
from ...model.pool import VolumeKind
from ...model.reason import Reason, blocking, hard, warning
from ...model.request import MoveOptions, Transport
from .capabilities import host_cpu
from .connection import READ_SECONDS, Connection
from .disk_places import in_place
from .domain_needs import Needs, read_needs
from .domain_xml import DiskFacts, DomainFacts, read_domain
from .domains import DomainState, ask_state, find_domain, find_domain_by_name
from .failures import cannot_open_peer
from .library import libvirt
from .migrate import Ends, is_peer_trouble
from .option_check import check_options
from .precheck_needs import unmet_needs
from .snapshots import check_snapshots
from .threads import bounded

PROBE_SECONDS = 40.0
_ASK_AGAIN = re.compile(r"end of file while reading data|broken pipe|connection reset", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Guest:
    name: str
    facts: DomainFacts
    needs: Needs
    state: DomainState
    reasons: tuple[Reason, ...] = ()


def check(ends: Ends, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
    """Every reason against the move that the two hosts tell. Raises HostUnreachable where the source does not answer."""
    guest, reasons = ends.source.run("reading the VM before its move", lambda connection: _look_at_source(connection, migration))
    if guest is None:
        return reasons
    try:
        ends.target.ping()
        versions = {end.name: end.run("asking for libvirt's version", lambda connection: connection.raw.getLibVersion()) for end in (ends.source, ends.target)}
        reasons = guest.reasons + check_options(migration, options, guest.state.power_state, versions)
        look = functools.partial(_look_at_target, ends=ends, migration=migration, guest=guest, eject=options.eject_media)
        reasons += ends.target.run("looking for what the VM needs", look, READ_SECONDS)
    except HostUnreachable as error:
        return (*reasons, hard(error.code, error.message, error.hint))
    if options.transport is Transport.MANAGED:
        text = f"The move of {migration.vm_name} is carried by the controller (transport: managed); if that ends, the move is aborted."
        return (*reasons, warning("managed_transport", text, "Take transport: p2p, once the hosts trust each other."))
    return reasons + _probe_peer(ends, migration)


def _look_at_source(connection: Connection, migration: Migration) -> tuple[_Guest | None, tuple[Reason, ...]]:
    state, domain = ask_state(connection, migration.vm), find_domain(connection, migration.vm)
    if state is None or domain is None or not state.is_active:
        return None, (hard("power_state_changed", f"{migration.vm_name} does not run on {migration.source_host} any more.", "Run the task again."),)
    if state.job is not None:
        text = f"The hypervisor of {migration.source_host} is at work on {migration.vm_name} ({state.job.value})."
        return None, (hard("operation_in_progress", text, "Wait for its end."),)
    xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)
    reasons = check_snapshots(domain, migration)
    if domain.listAllCheckpoints():
        text = f"{migration.vm_name} has checkpoints of incremental backups, which do not come along."
        reasons += (hard("has_checkpoints", text, "Delete them (virsh checkpoint-delete); the next backup is then a full one."),)
    return _Guest(domain.name(), read_domain(xml), read_needs(xml), state, reasons), ()


def _look_at_target(connection: Connection, *, ends: Ends, migration: Migration, guest: _Guest, eject: bool) -> tuple[Reason, ...]:
    return (
        _same_name_or_id(connection, ends, migration, guest)
        + compare_processor(connection, ends, migration, guest.facts)
        + unmet_needs(connection, migration, guest.needs)
        + tuple(reason for disk in guest.facts.disks for reason in _disk_or_medium(connection, ends, migration, disk, eject=eject))
    )


def _same_name_or_id(connection: Connection, ends: Ends, migration: Migration, guest: _Guest) -> tuple[Reason, ...]:
    """libvirt would silently take over a shut-off definition of the same name and UUID."""
    target = ends.target.name
    if find_domain(connection, migration.vm) is not None:
        text = f"{target} has a VM of the same UUID {migration.vm} already."
        return (hard("uuid_on_target", text, f"Find out which of the two is right, and undefine the other (virsh undefine on {target})."),)
    other = find_domain_by_name(connection, guest.name)
    if other is None:
        return ()
    return (hard("name_on_target", f"{target} has another VM named {guest.name} ({other.UUIDString()}).", "Rename one of them, or choose another target."),)


def compare_processor(connection: Connection, ends: Ends, migration: Migration, facts: DomainFacts) -> tuple[Reason, ...]:
    """The destination's libvirt compares the guest's own CPU with what it can offer, and names what it lacks."""
    if not facts.cpu_xml or facts.cpu_mode in ("host-passthrough", "maximum"):
        return _passthrough(connection, ends, migration, facts)
    try:
        compared = connection.raw.compareHypervisorCPU(
            facts.emulator or None, facts.architecture, facts.machine, facts.virt_type, facts.cpu_xml, libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
        )
    except libvirt.libvirtError as error:
        incompatible = error.get_error_code() == libvirt.VIR_ERR_CPU_INCOMPATIBLE
        if incompatible and not facts.cpu_unchecked:
            return (_incompatible(ends, migration, error.get_error_message()),)
        text = f"Whether {ends.target.name} can give {migration.vm_name} its CPU could not be asked: {error.get_error_message()}."
        return (warning("cpu_unproven", text, "libvirt compares them once more when the move starts."),)
    return () if compared != libvirt.VIR_CPU_COMPARE_INCOMPATIBLE else (_incompatible(ends, migration, ""),)


def _incompatible(ends: Ends, migration: Migration, said: str) -> Reason:
    found = re.search(r"required features: (.+)", said)
    lacks = f"lacks features that {migration.vm_name} sees: {found.group(1).rstrip('.')}" if found else f"cannot give {migration.vm_name} its CPU ({said})"
    return hard(
        "cpu_incompatible",
        f"The processor of {ends.target.name} {lacks}.",
        "Choose a host that has them, or give the VM a CPU model that all hosts offer and restart it.",
        ("PCD-09",),
    )


def _passthrough(connection: Connection, ends: Ends, migration: Migration, facts: DomainFacts) -> tuple[Reason, ...]:
    """A guest that sees the source's own processor needs all that the source offers."""
    if facts.cpu_mode not in ("host-passthrough", "maximum"):
        return ()
    own = ends.source.run("reading its processor", lambda link: host_cpu(link, facts.virt_type))[1]
    there = host_cpu(connection, facts.virt_type)[1]
    if own is None or there is None:
        text = f"{migration.vm_name} has the processor of {ends.source.name} itself ({facts.cpu_mode}); that of {ends.target.name} could not be compared."
        return (warning("cpu_unproven", text),)
    missing = sorted(own - there)
    return (_incompatible(ends, migration, f"required features: {', '.join(missing)}"),) if missing else ()


def _disk_or_medium(connection: Connection, ends: Ends, migration: Migration, disk: DiskFacts, *, eject: bool) -> tuple[Reason, ...]:
    """A medium that the destination lacks is no reason against it where it may be taken out."""
    found = _disk(connection, migration, disk)
    return judged_medium(ends, migration, disk, found, eject=eject) if disk.kind is VolumeKind.ISO and blocking(found) else found


def judged_medium(ends: Ends, migration: Migration, disk: DiskFacts, found: tuple[Reason, ...], *, eject: bool) -> tuple[Reason, ...]:
    """What is said of a medium that the destination lacks (``found``), where it may be taken out, and where it may not."""
    if eject:
        text = f"The medium {disk.path} of drive {disk.device} of {migration.vm_name} is not on {ends.target.name} and is taken out for the move."
        return (warning("medium_ejected", text, f"Put it in again once {ends.target.name} has it."),)
    return tuple(dataclasses.replace(reason, hint=f"{reason.hint} Or give eject_media: true, to take it out for the move.") for reason in found)


def _disk(connection: Connection, migration: Migration, disk: DiskFacts) -> tuple[Reason, ...]:
    """A disk that is not copied must be on the destination under the same path: as a volume of one of its active pools."""
    if any(move.volume == f"{migration.vm}/{disk.device}" and (move.moves or move.bytes_to_copy) for move in migration.volumes):
        return ()
    return in_place(connection, migration, disk)


def _probe_peer(ends: Ends, migration: Migration) -> tuple[Reason, ...]:
    """Let the source's daemon open the destination's by asking for a move that libvirt always refuses after it has: offline, with storage.

    Over ssh the answer may be lost when the refusing side closes first; it is asked for once more then, and believed to be well if lost again.
    """
    for attempt in range(2):
        try:
            error = _ask_for_the_impossible(ends, migration)
        except TimeoutError:  # a firewall that drops packets in silence: the source's own try lasts two minutes
            silent = f"it did not answer within {PROBE_SECONDS:g} seconds"
            trouble = cannot_open_peer(ends.source.name, ends.target.name, ends.target.peer_uri, silent)
            return (hard(trouble.code, trouble.message, trouble.hint),)
        if error is None or not is_peer_trouble(error):
            return ()
        said = error.get_error_message() or str(error)
        inconclusive = ends.target.peer_uri.transport == "ssh" and _ASK_AGAIN.search(said)
        if not inconclusive:
            trouble = cannot_open_peer(ends.source.name, ends.target.name, ends.target.peer_uri, said)
            return (hard(trouble.code, trouble.message, trouble.hint),)
        if attempt:
            text = f"Whether {ends.source.name} can open {ends.target.name} ({ends.target.peer_uri.shown}) could not be proven: {said}."
            return (warning("peer_unproven", text),)
    return ()


def _ask_for_the_impossible(ends: Ends, migration: Migration) -> Any:
    connection = ends.source.open()

    def probe() -> Any:
        flags = libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_NON_SHARED_DISK
        try:
            connection.raw.lookupByUUIDString(migration.vm).migrateToURI3(ends.target.peer_uri.text, {}, flags)
        except libvirt.libvirtError as error:
            return error
        raise MigrationError(f"libvirt on {ends.source.name} did what it always refuses: an offline move with storage of {migration.vm_name}.")

    try:
        return bounded(probe, PROBE_SECONDS, "vmops-probe")
    finally:
        connection.close()
