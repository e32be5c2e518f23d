# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pre-check of a move by copying, on both ends: everything that would be lost, silently reset or not startable is a reason. Writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from ...model.errors import HostUnreachable
from ...model.migration import Migration, Mode, VolumeMove
from ...model.pool import VolumeKind
from ...model.reason import Reason, blocking, hard
from ...model.request import MoveOptions
from . import partial
from .cold_note import definition_of, device_of
from .cold_xml import Peculiarities, external_memory, peculiarities
from .connection import READ_SECONDS, Connection, Hosts
from .disk_places import in_place, path_of
from .domain_needs import Needs, read_needs
from .domain_xml import DiskFacts, DomainFacts, read_domain
from .domains import Domain, ask_state, find_domain, find_domain_by_name
from .migrate import Ends
from .pools import HostPool
from .precheck import compare_processor, judged_medium
from .precheck_needs import unmet_needs
from .snapshots import check_snapshots
from .volumes import VolumeFacts, describe, find_pool, find_volume, pool_above, users_of


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of a disk's chain: what its host's storage says of it, and the UUID of its pool, which is the same elsewhere where the pool is."""

    facts: VolumeFacts
    pool_uuid: str


@dataclass(frozen=True, slots=True)
class _Guest:
    name: str
    facts: DomainFacts
    odd: Peculiarities
    nvram_pool: str
    nvram_pool_uuid: str
    chains: dict[str, tuple[_Image, ...]]
    needs: Needs


def check(hosts: Hosts, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
    """Every reason against the move that the two hosts tell. Raises HostUnreachable where the source does not answer."""
    guest, reasons = hosts.get(migration.source_host).run("reading the VM before its move", lambda connection: _source(connection, migration), READ_SECONDS)
    if guest is None:
        return reasons
    ends = Ends(hosts.get(migration.source_host), hosts.get(migration.target_host))
    try:
        ends.target.ping()
        return reasons + ends.target.run("looking for what the VM needs", lambda connection: _target(connection, ends, migration, guest, options), READ_SECONDS)
    except HostUnreachable as error:
        return (*reasons, hard(error.code, error.message, error.hint))


def _source(connection: Connection, migration: Migration) -> tuple[_Guest | None, tuple[Reason, ...]]:
    domain = find_domain(connection, migration.vm)
    wrong = _wrong_state(connection, migration, domain)
    if domain is None or wrong:
        return None, wrong
    xml = definition_of(domain)
    facts, odd = read_domain(xml), peculiarities(xml)
    disks = {disk.device: disk for disk in facts.disks}
    moved = {device_of(migration, move): move for move in migration.volumes if move.moves}
    chains = {device: _chain(connection, path_of(connection, disks[device])) for device in moved if device in disks}
    reasons = _kept_state(migration, domain, odd)
    for device, move in moved.items():
        reasons += _volume(connection, migration, move, device, chains.get(device, ()))
    above = pool_above(connection, odd.nvram) if odd.nvram else None
    return _Guest(domain.name(), facts, odd, above.name if above is not None else "", above.uuid if above is not None else "", chains, read_needs(xml)), reasons


def _wrong_state(connection: Connection, migration: Migration, domain: Domain | None) -> tuple[Reason, ...]:
    name, host = migration.vm_name, migration.source_host
    state = ask_state(connection, migration.vm)
    if state is None or domain is None:
        return (hard("power_state_changed", f"{name} is not on {host} any more.", "Run the task again."),)
    if not state.is_active and domain.hasManagedSaveImage(0):
        text = f"{name} has its memory saved on the disk of {host} (managed save), which a move by copying would lose."
        return (hard("managed_save", text, "Start it and move it live or cold, or discard the state (virsh managedsave-remove).", ("PCD-06",)),)
    if state.is_active is not (migration.mode is Mode.COLD):
        text = f"{name} is {state.power_state.value} on {host}; mode {migration.mode.value} is not for that."
        return (hard("power_state_changed", text, "Run the task again.", ("CSV-13",)),)
    if not state.is_persistent:
        text = f"{name} has no definition that outlives it: once stopped, nothing of it is left to be moved."
        return (hard("not_persistent", text, f"On {host}: virsh dumpxml, then virsh define."),)
    if state.job is not None:
        return (hard("operation_in_progress", f"The hypervisor of {host} is at work on {name} ({state.job.value}).", "Wait for its end."),)
    return ()


def _kept_state(migration: Migration, domain: Domain, odd: Peculiarities) -> tuple[Reason, ...]:
    """What is kept beside the disks and does not come along."""
    found: list[Reason] = []
    name, leaves = migration.vm_name, migration.source_host != migration.target_host
    if leaves and odd.has_tpm:
        text = f"{name} has a virtual TPM, whose state libvirt keeps on {migration.source_host} and gives to nobody."
        found.append(hard("tpm_state_not_copied", text, "Move it live, or its storage alone."))
    if domain.listAllCheckpoints(0):
        text = f"{name} has checkpoints of incremental backups, which a move by copying would lose."
        found.append(hard("checkpoints_not_kept", text, "Delete them; the next backup is a full one."))
    found += check_snapshots(domain, migration)
    memory = [path for path in map(external_memory, _snapshot_texts(domain)) if path] if leaves else []
    if memory:
        text = f"A snapshot of {name} keeps its memory in {memory[0]} on {migration.source_host}, which is not copied."
        found.append(hard("snapshot_memory_not_copied", text, "Delete that snapshot, or move the VM live."))
    return tuple(found)


def _snapshot_texts(domain: Domain) -> Iterable[str]:
    return (snapshot.getXMLDesc(0) for snapshot in domain.listAllSnapshots(0))


def _volume(connection: Connection, migration: Migration, move: VolumeMove, device: str, chain: tuple[_Image, ...]) -> tuple[Reason, ...]:
    name = migration.vm_name
    if not chain:
        text = f"Disk {device} of {name} is no volume of a storage pool on {migration.source_host}, through which alone it could be copied."
        return (hard("volume_not_in_pool", text, "Define a storage pool for its folder."),)
    image = chain[0].facts
    found: list[Reason] = []
    if move.format and move.format != image.format:
        text = f"Disk {device} of {name} is {image.format}; a move by copying leaves every byte as it is and cannot make it {move.format}."
        found.append(hard("format_not_changed", text, "Leave the format as it is, or move the running VM live.", ("CAS-47",)))
    if migration.flatten and len(chain) > 1:
        text = f"Disk {device} of {name} rests on {chain[1].facts.path}; a move by copying leaves every byte as it is and cannot flatten it."
        found.append(hard("flatten_not_cold", text, "Move the running VM live with flatten, or without flatten."))
    users = users_of(connection, image.path, migration.vm)
    if users:
        found.append(hard("volume_in_use", f"Disk {device} of {name} is used by {', '.join(users)} as well.", "Move it when it has one user only."))
    return tuple(found)


def _chain(connection: Connection, path: str) -> tuple[_Image, ...]:
    """The images of a disk, the top one first, as far as they are volumes."""
    found: list[_Image] = []
    while path and path not in [image.facts.path for image in found]:
        volume, above = find_volume(connection, path), pool_above(connection, path)
        if volume is None or above is None:
            break
        found.append(_Image(describe(volume), above.uuid))
        path = found[-1].facts.backing
    return tuple(found)


def _target(connection: Connection, ends: Ends, migration: Migration, guest: _Guest, options: MoveOptions) -> tuple[Reason, ...]:
    found: tuple[Reason, ...] = ()
    if ends.source.name != ends.target.name:
        found += _same_name_or_id(connection, migration, guest) + _nvram(connection, migration, guest)
        found += unmet_needs(connection, migration, _without_tpm(guest.needs))
        if guest.facts.cpu_mode == "custom":  # the others are made anew from the processor of the host that starts the VM
            found += compare_processor(connection, ends, migration, guest.facts)
        moved = {device_of(migration, move) for move in migration.volumes if move.moves}
        found += tuple(reason for disk in guest.facts.disks if disk.device not in moved for reason in _unmoved(connection, ends, migration, disk, options))
    for move in migration.volumes:
        if move.moves:
            chain = guest.chains.get(device_of(migration, move), ())
            found += _destination(connection, migration, move, chain) + _backing(connection, migration, device_of(migration, move), chain)
    return found


def _without_tpm(needs: Needs) -> Needs:
    """That a TPM's state stays behind was said already, and more is no help."""
    return dataclasses.replace(needs, tpm_backend="")


def _same_name_or_id(connection: Connection, migration: Migration, guest: _Guest) -> tuple[Reason, ...]:
    target = migration.target_host
    if find_domain(connection, migration.vm) is not None:
        text = f"{target} has a VM of the same UUID {migration.vm} already."
        return (hard("uuid_on_target", text, f"Find out which of the two is right, and undefine the other (virsh undefine on {target})."),)
    other = find_domain_by_name(connection, guest.name)
    if other is None:
        return ()
    return (hard("name_on_target", f"{target} has another VM named {guest.name} ({other.UUIDString()}).", "Rename one of them, or choose another target."),)


def _nvram(connection: Connection, migration: Migration, guest: _Guest) -> tuple[Reason, ...]:
    if not guest.odd.nvram:
        return ()
    pool = find_pool(connection, migration.target_host, guest.nvram_pool) if guest.nvram_pool else None
    if pool is None or not pool.path:
        path, source, target = guest.odd.nvram, migration.source_host, migration.target_host
        text = f"{migration.vm_name} keeps its UEFI variables in {path} on {source}, in no pool that {target} has too."
        return (hard("nvram_not_copied", text, "Define a storage pool of one name for that folder on both hosts, or move the VM live."),)
    if pool.uuid == guest.nvram_pool_uuid:
        return ()
    return _taken(connection, migration, pool, guest.odd.nvram.rpartition("/")[2])


def _unmoved(connection: Connection, ends: Ends, migration: Migration, disk: DiskFacts, options: MoveOptions) -> tuple[Reason, ...]:
    """A disk that is not copied must be at the target under the same path; a medium that is not may be taken out."""
    found = in_place(connection, migration, disk)
    return judged_medium(ends, migration, disk, found, eject=options.eject_media) if disk.kind is VolumeKind.ISO and blocking(found) else found


def _destination(connection: Connection, migration: Migration, move: VolumeMove, chain: tuple[_Image, ...]) -> tuple[Reason, ...]:
    """The pool is there, and has room for a file of that name."""
    pool = find_pool(connection, migration.target_host, move.target_pool or "")
    if pool is None or not pool.path:
        return (hard("pool_not_on_host", f"Pool {move.target_pool} is not active on {migration.target_host}, or has no folder.", "Start it there."),)
    if not chain:
        return ()
    return _taken(connection, migration, pool, chain[0].facts.name)


def _taken(connection: Connection, migration: Migration, pool: HostPool, name: str) -> tuple[Reason, ...]:
    """Nobody has a file of that name; what a dead controller left of the same is no hindrance."""
    path = f"{pool.path.rstrip('/')}/{name}"
    mark = partial.find(connection, pool.name, path)
    if find_volume(connection, path) is None or (mark is not None and partial.is_dead(mark, migration.vm) and not partial.is_proven(mark)):
        return ()
    text = f"Pool {pool.name} of {migration.target_host} has a volume {name} already."
    return (hard("volume_exists", text, "Rename or remove one of the two, or choose another pool."),)


def _backing(connection: Connection, migration: Migration, device: str, chain: tuple[_Image, ...]) -> tuple[Reason, ...]:
    """What a linked clone rests on is at the target under the same path: the same file, or by its sizes an equal one (its content is compared in the move).

    libvirt would start the VM over a missing or another template only to lose, or mix up, its data.
    """
    for image in chain[1:]:
        there, above = find_volume(connection, image.facts.path), pool_above(connection, image.facts.path)
        if there is None or above is None:
            text = f"Disk {device} of {migration.vm_name} rests on {image.facts.path}, which {migration.target_host} does not have."
            return (hard("backing_missing", text, "Copy the template there under the same path first, or move the VM live with flatten.", ("CSK-15",)),)
        facts = describe(there)
        if above.uuid != image.pool_uuid and (facts.length_bytes, facts.format) != (image.facts.length_bytes, image.facts.format):
            text = f"Disk {device} of {migration.vm_name} rests on {image.facts.path}, and {migration.target_host} has another file of that name."
            return (hard("backing_differs", text, "Make the two files equal, or move the VM live with flatten.", ("CSK-15",)),)
    broken = chain[-1].facts if chain else None
    if broken is not None and broken.backing:
        text = f"Disk {device} of {migration.vm_name} rests on {broken.backing}, which is no volume of a pool on {migration.source_host}."
        return (hard("backing_unproven", text, "Define a storage pool for its folder on both hosts.", ("CSK-15",)),)
    return ()
