# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VM of a dead host, defined and started on another one from its kept definition; and the stale definition that the dead one still has.

What is made is proven by the note that is part of the definition from its first moment: a second run meets it and goes on from there. That no other host
runs the VM is the caller's to ask; QEMU's own lock on the images is the last guard, not the first.
"""

from __future__ import annotations

import contextlib
import dataclasses

from ...model.errors import MoveFailed, StateConflict
from ...model.migration import Migration
from ...model.note import VmNote
from ...model.note_states import settled_note
from ...model.reason import Reason, Severity, hard
from ...model.recovery import RECOVERING
from ...model.vm import PowerState
from ..driver import Presence
from .connection import Connection, Hosts
from .definitions import firmware_state, with_note
from .domains import Domain, ask_state, find_domain, find_domain_by_name
from .library import libvirt
from .notes import note_of, put_note
from .pools import read_pools

START_SECONDS = 120.0
BUSY_TRIES = 3
"""How often a domain that is busy is tried: libvirt itself waits 30 seconds for it each time."""


def check_recovery(hosts: Hosts, migration: Migration, definition: str) -> tuple[Reason, ...]:
    """What speaks against defining the VM on its target. Raises MigrationError for a text that is no definition."""
    return hosts.get(migration.target_host).run("checking a recovery", lambda connection: _check(connection, migration, definition))


def recover(hosts: Hosts, migration: Migration, definition: str, note: VmNote) -> None:
    """See ``driver.Driver.recover``."""
    text = with_note(definition, note)
    hosts.get(migration.target_host).run("recovering a VM", lambda connection: _recover_patiently(connection, migration, text, note), START_SECONDS)


def presences(hosts: Hosts, vms: tuple[str, ...]) -> dict[str, tuple[Presence, ...]]:
    """See ``driver.Driver.presences``."""

    def ask(connection: Connection, host: str) -> dict[str, Presence]:
        states = {vm: ask_state(connection, vm) for vm in vms}
        return {vm: Presence(host, state.power_state, state.is_persistent, state.is_incoming) for vm, state in states.items() if state is not None}

    found, _silent = hosts.on_each(hosts.names, lambda session: session.run("asking for VMs", lambda link: ask(link, session.name)))
    return {vm: tuple(answer[vm] for answer in found.values() if vm in answer) for vm in vms}


def drop_definition(connection: Connection, host: str, uuid: str) -> Reason | None:
    """Undefine a domain that is shut off. Its disks, UEFI variables and TPM state are files, which stay; metadata of snapshots and checkpoints goes."""
    state, domain = ask_state(connection, uuid), find_domain(connection, uuid)
    if state is None or domain is None:
        return None
    if state.is_active:
        return hard("leftover_active", f"{domain.name()} is active on {host}; nothing was removed there.", "Shut it down there, if it runs elsewhere too.")
    if state.power_state is PowerState.SAVED:
        return hard("leftover_saved", f"{domain.name()} has a saved state on {host}, which is not thrown away.", "Remove it with virsh managedsave-remove.")
    flags = libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    domain.undefineFlags(flags)
    return None


def _check(connection: Connection, migration: Migration, definition: str) -> tuple[Reason, ...]:
    target, name = migration.target_host, migration.vm_name
    found = []
    same = find_domain_by_name(connection, name)
    if find_domain(connection, migration.vm) is not None:
        found.append(hard("already_defined", f"{target} has a definition of {name} ({migration.vm}) already.", "Find out whose it is, and undefine it."))
    elif same is not None:
        found.append(hard("name_taken", f"{target} has another VM named {name} ({same.UUIDString()}).", "Rename one of them."))
    state = firmware_state(definition)
    paths = [pool.path.rstrip("/") + "/" for pool in read_pools(connection) if pool.active and pool.path]
    if state.nvram_path and not any(state.nvram_path.startswith(path) for path in paths):
        found.append(_lost("nvram_not_copied", f"The UEFI variables of {name} ({state.nvram_path}) were on {migration.source_host}, in no pool of {target}."))
    if state.has_emulated_tpm:
        found.append(_lost("tpm_state_not_copied", f"The state of the TPM of {name} was on {migration.source_host}."))
    return tuple(found)


def _lost(code: str, text: str) -> Reason:
    hint = "With the consent allow_firmware_reset it starts with new ones; it may not boot, or ask for recovery keys."
    return Reason(code, Severity.SOFT, text, hint, overridable="allow_firmware_reset")


def _recover_patiently(connection: Connection, migration: Migration, text: str, note: VmNote) -> None:
    """A run that was killed may have left its start of the VM under way, which holds the domain until it ends."""
    for _try in range(BUSY_TRIES - 1):
        try:
            return _recover(connection, migration, text, note)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_TIMEOUT:
                raise
    return _recover(connection, migration, text, note)


def _recover(connection: Connection, migration: Migration, text: str, note: VmNote) -> None:
    domain = find_domain(connection, migration.vm)
    if domain is None:
        domain = connection.raw.defineXML(text)
    elif not _is_of(domain, note):
        raise StateConflict(f"{migration.target_host} has a definition of {migration.vm_name} that this recovery did not make; it was left alone.")
    if not domain.isActive():
        _start(domain, migration, note)
    if bool(domain.autostart()) != note.autostart:
        domain.setAutostart(int(note.autostart))
    settled = settled_note(note, migration.target_host)
    put_note(domain, dataclasses.replace(settled, stage="") if settled else None)


def _start(domain: Domain, migration: Migration, note: VmNote) -> None:
    try:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if note.power_state == PowerState.PAUSED.value else 0)
    except libvirt.libvirtError as error:
        with contextlib.suppress(libvirt.libvirtError):
            if domain.isActive():
                return
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
        text = f"{migration.target_host} could not start {migration.vm_name}: {error.get_error_message()}."
        raise MoveFailed(text, code=_code(error.get_error_message()), hint="Nothing of it is left there.") from None


def _code(message: str) -> str:
    """QEMU refuses an image that another QEMU holds, wherever that one runs: on storage that carries locks, the surest sign that the VM still lives."""
    return "disk_in_use" if 'Failed to get "write" lock' in message or "is another process using the image" in message.lower() else "start_failed"


def _is_of(domain: Domain, note: VmNote) -> bool:
    found = note_of(domain)
    return found is not None and (found.source, found.stage) == (note.source, RECOVERING)
