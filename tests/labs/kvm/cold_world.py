# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of moves by copying share: guests with disks of their own, planned moves, and the world's state afterwards."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
from pathlib import Path

import libvirt
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.note import VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.driver_world import note_of, read_vm, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

QUICK = MoveOptions(shutdown_seconds=0.2)
"""The lab's guest does not react to a shutdown request."""

MIB = 1024 * 1024


def cold_migration(guest: Guest, source: str, target: str, pools: dict[str, tuple[str, str]] | None = None, mode: Mode = Mode.COLD) -> Migration:
    """A planned move; ``pools``: device -> pool ids from and to, for the volumes that change theirs."""
    moves = tuple(VolumeMove(f"{guest.uuid}/{device}", old, new, 1, device) for device, (old, new) in (pools or {}).items())
    kind = MigrationType.HOST if not moves else MigrationType.STORAGE if source == target else MigrationType.HOST_STORAGE
    return Migration(f"move-{guest.uuid}", guest.uuid, guest.name, source, target, kind, mode, volumes=moves)


def local_to_local(guest: Guest, mode: Mode = Mode.COLD) -> Migration:
    """From the own pool of kvm1 to that of kvm2."""
    return cold_migration(guest, "kvm1", "kvm2", {"hda": ("kvm1/local", "kvm2/local")}, mode)


def note_for(driver: LibvirtDriver, guest: Guest, migration: Migration, **changes: object) -> VmNote:
    """The note of a move as the executor makes it."""
    note = note_of(migration, read_vm(driver, guest), migration_type=migration.type.value, mode=migration.mode.value)
    return dataclasses.replace(note, **changes)  # type: ignore[arg-type]


def begin(driver: LibvirtDriver, guest: Guest, migration: Migration, options: MoveOptions = QUICK) -> Job:
    """Check, note, start."""
    assert blocking(driver.check(migration, options)) == ()
    note = driver.write_note(migration, note_for(driver, guest, migration), options)
    return driver.start(migration, note, options)


def move(driver: LibvirtDriver, guest: Guest, migration: Migration, options: MoveOptions = QUICK) -> tuple[Reason, ...]:
    """Move it end to end, and expect it to arrive as it was."""
    job = begin(driver, guest, migration, options)
    last = wait_for_end(driver, job)[-1]
    verification = driver.verify(migration, job.note)
    assert (verification.verdict, verification.reasons, last.message) == (Verdict.ARRIVED, (), "")
    return driver.finish(migration, job.note)


def digest(path: Path) -> str:
    """The content of a file as its checksum."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def allocated(path: Path) -> int:
    """Bytes that a file takes on its file system."""
    return path.stat().st_blocks * 512


def files_in(lab: Lab) -> dict[str, list[str]]:
    """The files of every pool."""
    places = {f"{name}/local": host.pool_folder("local") for name, host in lab.hosts.items()}
    places["shared"] = lab.hosts["kvm1"].pool_folder("shared")
    return {place: names for place, folder in places.items() if (names := sorted(path.name for path in folder.iterdir()))}


def secrets_on(lab: Lab) -> list[str]:
    """All secrets of all hosts: marks and claims that are left."""
    found = []
    for host in lab.hosts.values():
        with host.connection() as connection:
            found += [f"{host.name}: {secret.usageID()}" for secret in connection.listAllSecrets()]
    return found


def random_file(path: Path, *pieces: tuple[int, int], length: int) -> None:
    """A sparse file with random data at (offset, bytes)."""
    with path.open("wb") as file:
        file.truncate(length)
        for offset, size in pieces:
            file.seek(offset)
            file.write(os.urandom(size))


def as_qcow2(lab: Lab, guest: Guest, host: str, *, snapshots: tuple[str, ...] = ()) -> Path:
    """Make the disk of a guest that is off a qcow2 file, with internal snapshots made one after the other; its path on this machine."""
    raw = guest.image
    image = raw.with_suffix(".qcow2")
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(image)], check=True, capture_output=True)
    raw.unlink()
    with lab.hosts[host].connection() as connection:
        connection.storagePoolLookupByName(guest.spec.pool).refresh()
        domain = connection.lookupByUUIDString(guest.uuid)
        xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).replace("type='raw'", "type='qcow2'").replace(raw.name, image.name)
        domain = connection.defineXML(xml)
        for name in snapshots:
            domain.snapshotCreateXML(f"<domainsnapshot><name>{name}</name></domainsnapshot>")
    guest.image = image
    return image


def snapshots_of(lab: Lab, guest: Guest, host: str) -> dict[str, tuple[str, bool]]:
    """Name -> (name of the one it rests on, whether it is the current one)."""
    found = {}
    with lab.hosts[host].connection() as connection:
        for snapshot in connection.lookupByUUIDString(guest.uuid).listAllSnapshots():
            try:
                parent = snapshot.getParent().getName()
            except libvirt.libvirtError:
                parent = ""
            found[snapshot.getName()] = (parent, bool(snapshot.isCurrent()))
    return found


def autostart_of(lab: Lab, guest: Guest, host: str) -> bool:
    """Whether it starts with its host."""
    with lab.hosts[host].connection() as connection:
        return bool(connection.lookupByUUIDString(guest.uuid).autostart())
