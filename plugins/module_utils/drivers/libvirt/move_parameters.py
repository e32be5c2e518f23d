# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What libvirt is told at the start of a move from host to host: flags and parameters from the move's options, and the words that its note keeps of them."""

from __future__ import annotations

import ipaddress
from typing import Any

from ...model.intent import TimeoutAction
from ...model.note import VmNote
from ...model.request import MoveOptions, Transport
from .connection import HostSession
from .library import libvirt

MAY_SUSPEND = "may_suspend"
ENCRYPTED = "encrypted"
MANAGED = "managed"
MEMORY_CAP = "memory_mib_s="
SPEED_BEFORE = "speed_before_mib_s="
MOST_MIB_S = (2**63 - 1) // (1024 * 1024)
"""No cap, in libvirt's words (QEMU_DOMAIN_MIG_BANDWIDTH_MAX)."""


def stage_of(options: MoveOptions) -> str:
    """The options that another run must know to end this move: kept in its note's ``stage``, because a note cannot be written while the move is under way."""
    words = {
        MAY_SUSPEND: options.on_timeout is TimeoutAction.SUSPEND,
        ENCRYPTED: options.encrypt,
        MANAGED: options.transport is Transport.MANAGED,
    }
    listed = [word for word, applies in words.items() if applies]
    return " ".join(listed + ([f"{MEMORY_CAP}{options.bandwidth_mib_s}"] if options.speed_mib_s else []))


def memory_cap_mib_s(note: VmNote) -> int | None:
    """What the memory may use, where the cap at the start was that of the disks alone; None where one cap holds for both."""
    found = _number_after(MEMORY_CAP, note)
    return None if found is None else found or MOST_MIB_S


def with_speed_before(stage: str, mib_s: int) -> str:
    """The note's stage with the speed that the VM's moves had before: what lifts a cap in the middle of this one stays set if it does not happen."""
    return f"{stage} {SPEED_BEFORE}{mib_s}" if MEMORY_CAP in stage else stage


def speed_before_mib_s(note: VmNote) -> int | None:
    """The speed to be set again on the source; None where it was not touched."""
    return _number_after(SPEED_BEFORE, note)


def _number_after(word: str, note: VmNote) -> int | None:
    found = next((each.removeprefix(word) for each in note.stage.split() if each.startswith(word)), "")
    return int(found) if found.isdecimal() else None


def copy_parameters(options: MoveOptions) -> dict[str, Any]:
    """The cap of a move that copies disks. libvirt takes one at the start, for disks and memory, and another only when the memory's turn has come."""
    return {libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: options.copy_cap_mib_s} if options.speed_mib_s else {}


def has_word(note: VmNote, word: str) -> bool:
    """True where the note's move was started with that."""
    return word in note.stage.split()


def move_flags(persistent: bool, options: MoveOptions, *, is_live: bool = True) -> int:
    """The flags of a move from host to host. One that is not live pauses the guest for the whole of it."""
    flags: int = libvirt.VIR_MIGRATE_LIVE if is_live else 0
    if persistent:
        flags |= libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    if options.transport is Transport.P2P:
        flags |= libvirt.VIR_MIGRATE_PEER2PEER
    if options.auto_converge:
        flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
    if options.post_copy:
        flags |= libvirt.VIR_MIGRATE_POSTCOPY
    if options.encrypt:
        flags |= libvirt.VIR_MIGRATE_TLS
    if options.connections:
        flags |= libvirt.VIR_MIGRATE_PARALLEL
    return flags


def move_parameters(source: HostSession, target: HostSession, options: MoveOptions) -> dict[str, Any]:
    """The parameters of a move from host to host. The bandwidth is set at the start, because libvirt takes no other while it copies disks."""
    parameters = way_parameters(source, target, options.encrypt)
    if options.bandwidth_mib_s:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = options.bandwidth_mib_s
        if options.post_copy:
            parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY] = options.bandwidth_mib_s
    if options.compression:
        parameters[libvirt.VIR_MIGRATE_PARAM_COMPRESSION] = [options.compression]
    if options.connections:
        parameters[libvirt.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS] = options.connections
    return parameters


def way_parameters(source: HostSession, target: HostSession, encrypt: bool) -> dict[str, Any]:
    """Where the guest's memory and disks are sent, and whose certificate is expected there."""
    uri = migration_uri(source.options.migration_address, target.options.migration_address, target.peer_uri.host)
    parameters: dict[str, Any] = {libvirt.VIR_MIGRATE_PARAM_URI: uri}
    if encrypt:
        name = certificate_name(uri, target.peer_uri.host, proven=target.peer_uri.transport == "tls")
        if name:
            parameters[libvirt.VIR_MIGRATE_PARAM_TLS_DESTINATION] = name
    return parameters


def certificate_name(uri: str, peer_host: str, *, proven: bool) -> str:
    """The name that the destination's certificate is expected to have; empty where that is the one in the URI of the move.

    ``proven``: the source's daemon opens the destination's by TLS under ``peer_host``, so that its certificates have this name. Otherwise a name is more
    likely in a certificate than an address of the migration network.
    """
    address = uri.removeprefix("tcp://").strip("[]")
    return peer_host if address != peer_host and (proven or not _is_address(peer_host)) else ""


def migration_uri(source_address: str | None, target_address: str | None, peer_host: str) -> str:
    """Where the guest's memory is sent: to the destination's address on the migration network if both ends have one.

    Else to the name by which others reach its daemon: libvirt would take the name that the destination gives itself, which others often cannot resolve.
    """
    address = target_address if source_address and target_address else peer_host
    return f"tcp://[{address}]" if ":" in address and _is_address(address) else f"tcp://{address}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False  # a name
    return True
