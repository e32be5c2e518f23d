# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests whose disks are worth copying: linked clones, several disks, known content; and what a test asks of their files afterwards."""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import libvirt
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import DEFAULTS, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.note import VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.commands import run
from tests.labs.kvm.config import POOL_PATHS
from tests.labs.kvm.driver_world import migration_of, note_of, read_vm, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.hosts import Host
from tests.labs.kvm.image import MIB
from tests.labs.kvm.lab import Lab

LOCAL = "/srv/local"
TEMPLATE = "template.qcow2"


@dataclass(frozen=True)
class DataDisk:
    """A second disk: its size, how much of it is written (each with a byte of its own), its format."""

    size_mib: int = 32
    written_mib: int = 4
    format: str = "qcow2"


def guest_with_disks(lab: Lab, name: str, host: str, *, root: str = "raw", data: tuple[DataDisk, ...] = (), start: bool = True, **guest: Any) -> Guest:
    """A guest whose disks are all in the host's local pool: hda boots (raw, qcow2, or a linked clone of the template), hdb and so on hold known data."""
    made = lab.guest(name, host, pool="local", start=False, **guest)
    where, folder = lab.hosts[host], lab.hosts[host].pool_folder("local")
    root_file = _root(where, folder, made.image, root, made.spec.disk_mib)
    files = [(root_file, "raw" if root == "raw" else "qcow2"), *(_data(folder, made.spec.file_stem, number, disk) for number, disk in enumerate(data))]
    with where.connection() as connection:
        connection.storagePoolLookupByName("local").refresh()
        domain = connection.lookupByUUIDString(made.uuid)
        domain = connection.defineXML(_with_disks(domain.XMLDesc(0), files))
        if start:
            domain.create()
    if start:
        made.wait_beating()
        made.reset_gap()
    return made


def _root(host: Host, folder: Path, image: Path, root: str, size_mib: int) -> str:
    if root == "raw":
        return image.name
    file = f"{image.stem}.qcow2"
    if root == "qcow2":
        run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(image), str(folder / file)])
    else:
        if not (folder / TEMPLATE).exists():
            run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(image), str(folder / TEMPLATE)])
            # Data that the guest never writes to, so that only the template has it.
            run(["qemu-io", "-f", "qcow2", "-c", "write -q -P 0x33 1M 1M", str(folder / TEMPLATE)])
        host.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{LOCAL}/{TEMPLATE}", f"{LOCAL}/{file}", f"{size_mib}M"])
    image.unlink()
    return file


def _data(folder: Path, stem: str, number: int, disk: DataDisk) -> tuple[str, str]:
    path = folder / f"{stem}-data{number}.{disk.format}"
    run(["qemu-img", "create", "-q", "-f", disk.format, str(path), f"{disk.size_mib}M"])
    if disk.written_mib:
        run(["qemu-io", "-f", disk.format, "-c", f"write -q -P {0x5A + number} 1M {disk.written_mib}M", str(path)])
    return path.name, disk.format


def _with_disks(xml: str, files: list[tuple[str, str]]) -> str:
    domain = ElementTree.fromstring(xml)
    devices = domain.find("devices")
    assert devices is not None
    for disk in devices.findall("disk"):
        devices.remove(disk)
    for index, (file, kind) in enumerate(files):
        disk = ElementTree.SubElement(devices, "disk", type="file", device="disk")
        ElementTree.SubElement(disk, "driver", name="qemu", type=kind, cache="none")
        ElementTree.SubElement(disk, "source", file=f"{LOCAL}/{file}")
        ElementTree.SubElement(disk, "target", dev=f"hd{'abcd'[index]}", bus="ide")
    return ElementTree.tostring(domain, encoding="unicode")


def extra_pool(host: Host, name: str, *, within: str = "local", uuid: str = "") -> Path:
    """A further pool of files in a folder of its own inside another pool's; gone when the lab is cleared."""
    real = host.pool_folder(within) / name
    real.mkdir(exist_ok=True)
    identity = f"<uuid>{uuid}</uuid>" if uuid else ""
    with host.connection() as connection:
        xml = f"<pool type='dir'><name>{name}</name>{identity}<target><path>{POOL_PATHS[within]}/{name}</path></target></pool>"
        connection.storagePoolDefineXML(xml).create()
    return real


def shared_pools(lab: Lab, *names: str) -> list[Path]:
    """Further pools that all hosts share, as they share ``shared``."""
    uuids = {name: str(uuid.uuid4()) for name in names}
    found = {name: [extra_pool(host, name, within="shared", uuid=uuids[name]) for host in lab.hosts.values()] for name in names}
    return [folders[0] for folders in found.values()]


def relocate(lab: Lab, guest: Guest, host: str, file: str, pool: str) -> None:
    """Put a stopped guest's file into another pool (``shared/name``) by hand, and start the guest."""
    where = lab.hosts[host]
    where.run(["mv", f"{LOCAL}/{file}", f"/srv/{pool}/{file}"])
    with where.connection() as connection:
        for known in connection.listAllStoragePools():
            known.refresh()
        xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        connection.defineXML(xml.replace(f"{LOCAL}/{file}", f"/srv/{pool}/{file}")).create()
    guest.wait_beating()


# ------------------------------------------------------------ moving


def storage_move(
    driver: LibvirtDriver,
    guest: Guest,
    source: str,
    target: str,
    *,
    pools: Mapping[str, str] | None = None,
    formats: Mapping[str, str] | None = None,
    flatten: bool = False,
    mode: Mode = Mode.LIVE,
) -> Migration:
    """The move of a guest with its disks: all into the target's local pool, or those that ``pools`` names by device."""
    vm = read_vm(driver, guest)
    wanted = pools if pools is not None else {volume.device: f"{target}/local" for volume in vm.volumes}
    moves = tuple(
        VolumeMove(
            volume.id,
            volume.pool,
            wanted.get(volume.device, volume.pool),
            bytes_to_copy=(volume.capacity_bytes or 0) if volume.device in wanted else 0,
            device=volume.device,
            format=(formats or {}).get(volume.device, ""),
        )
        for volume in vm.volumes
    )
    linked = any(volume.backing and volume.device in wanted for volume in vm.volumes) and not flatten
    copy = DiskCopy.INCREMENTAL if linked else DiskCopy.FULL
    plain = migration_of(guest, source, target)
    return dataclasses.replace(plain, type=MigrationType.HOST_STORAGE, mode=mode, volumes=moves, disk_copy=copy, flatten=flatten)


def note_for(driver: LibvirtDriver, guest: Guest, migration: Migration, options: MoveOptions = DEFAULTS, **changes: object) -> VmNote:
    """The note of that move, written and completed by the driver."""
    note = note_of(migration, read_vm(driver, guest), migration_type=migration.type.value, mode=migration.mode.value, **changes)
    return driver.write_note(migration, note, options)


def move_with_storage(driver: LibvirtDriver, guest: Guest, migration: Migration, options: MoveOptions | None = None, warns: tuple[str, ...] = ()) -> VmNote:
    """Move it end to end as the executor does, and expect it to arrive with nothing to say (but those warnings of the check)."""
    options = options or MoveOptions()
    assert tuple(reason.code for reason in driver.check(migration, options)) == warns
    note = note_for(driver, guest, migration)
    last = wait_for_end(driver, driver.start(migration, note, options))[-1]
    verification = driver.verify(migration, note)
    assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ()), last.message
    assert driver.finish(migration, note) == ()
    return note


# ------------------------------------------------------------ the state of the world


def files_of(host: Host) -> set[str]:
    """Names of all files in the host's local pool and the folders in it."""
    return {path.name for path in host.pool_folder("local").rglob("*") if path.is_file()}


def secrets_of(host: Host) -> list[str]:
    """Usage ids of all texts kept with a host."""
    with host.connection() as connection:
        return sorted(secret.usageID() for secret in connection.listAllSecrets())


def content_of(lab: Lab, host: str, path: str, kind: str) -> str:
    """SHA-256 of what a guest sees of a disk, its chain included: read by the host, where all paths of the chain are right."""
    whole = lab.folder / "content.raw"
    lab.hosts[host].run(["qemu-img", "convert", "-U", "-f", kind, "-O", "raw", path, str(whole)])
    try:
        return run(["sha256sum", str(whole)]).split()[0]
    finally:
        whole.unlink()


def contents(lab: Lab, guest: Guest, host: str) -> dict[str, str]:
    """The content of every disk of a guest that does not write now, by device."""
    with lab.hosts[host].connection() as connection:
        disks = ElementTree.fromstring(connection.lookupByUUIDString(guest.uuid).XMLDesc(0)).findall("devices/disk")
    found = {}
    for disk in disks:
        target, source, driver = disk.find("target"), disk.find("source"), disk.find("driver")
        assert target is not None
        assert source is not None
        assert driver is not None
        found[target.get("dev", "")] = content_of(lab, host, source.get("file", ""), driver.get("type", ""))
    return found


def pause(lab: Lab, guest: Guest, host: str) -> None:
    """Pause it, so that its disks can be compared."""
    with lab.hosts[host].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).suspend()


def image_info(lab: Lab, host: str, path: str) -> dict[str, Any]:
    """What qemu-img says of an image."""
    found: dict[str, Any] = json.loads(lab.hosts[host].run(["qemu-img", "info", "-U", "--output=json", path]))
    return found


def allocated_mib(path: Path) -> float:
    """What a file takes on its disk."""
    return path.stat().st_blocks * 512 / MIB


def put_template(lab: Lab, source: str, target: str) -> None:
    """The same template on another host, as an operator would have put it there."""
    shutil.copyfile(lab.hosts[source].pool_folder("local") / TEMPLATE, lab.hosts[target].pool_folder("local") / TEMPLATE)
    with lab.hosts[target].connection() as connection:
        connection.storagePoolLookupByName("local").refresh()
