# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of storage moves on one host share: guests with data disks, small pools, and the world as it is afterwards."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libvirt
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.config import POOL_PATHS
from tests.labs.kvm.driver_world import note_of, read_vm
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

MIB = 1 << 20
DISK = "<disk type='file' device='disk'><driver name='qemu' type='{format}' cache='none'/><source file='{path}'/><target dev='{device}' bus='ide'/></disk>"


@dataclass(frozen=True)
class DataDisk:
    """A further disk of a guest: ``data_mib`` of noise in ``size_mib``, over ``base`` (path as the host has it, format) if given."""

    device: str = "hdb"
    pool: str = "shared"
    format: str = "raw"
    size_mib: int = 32
    data_mib: int = 8
    base: tuple[str, str] | None = None

    @property
    def path(self) -> str:
        return str(POOL_PATHS[self.pool] / f"data-{self.device}.{self.format}")


def guest_with(lab: Lab, *disks: DataDisk, name: str = "web1") -> Guest:
    """A running guest on kvm1 with its root disk in pool shared and these disks besides."""
    host = lab.hosts["kvm1"]
    guest = lab.guest(name, "kvm1", start=False)
    for disk in disks:
        make_image(lab, disk.path, disk.format, disk.size_mib, disk.data_mib, disk.base)
    with host.connection() as connection:
        for pool in connection.listAllStoragePools():
            pool.refresh()
        domain = connection.lookupByUUIDString(guest.uuid)
        elements = "".join(DISK.format(format=disk.format, path=disk.path, device=disk.device) for disk in disks)
        domain = connection.defineXML(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).replace("<serial", f"{elements}<serial", 1))
        domain.create()
    guest.wait_beating()
    guest.reset_gap()
    return guest


def make_image(lab: Lab, path: str, image_format: str, size_mib: int, data_mib: int, base: tuple[str, str] | None = None) -> None:
    """An image on kvm1 that holds noise in its first ``data_mib``, and nothing behind it."""
    below = ["-b", base[0], "-F", base[1]] if base else []
    lab.hosts["kvm1"].run(["qemu-img", "create", "-q", "-f", image_format, *below, path, f"{size_mib}M"])
    with tempfile.NamedTemporaryFile(dir=lab.folder) as noise:
        noise.write(os.urandom(data_mib * MIB))
        noise.flush()
        if data_mib:
            target = f"driver={image_format},file.driver=file,file.filename={path}"
            lab.hosts["kvm1"].run(["qemu-io", "--image-opts", target, "-c", f"write -s {noise.name} 0 {data_mib}M"])


def on_machine(lab: Lab, path: str, host: str = "kvm1") -> Path:
    """Where a host's file is on this machine."""
    pool = next(name for name, folder in POOL_PATHS.items() if Path(path).is_relative_to(folder))
    return lab.hosts[host].pool_folder(pool) / Path(path).relative_to(POOL_PATHS[pool])


def content(lab: Lab, path: str, image_format: str) -> str:
    """The checksum of what a guest reads from a disk, whatever its format and backing."""
    copy = f"{lab.hosts['kvm1'].folder}/content.raw"
    lab.hosts["kvm1"].run(["qemu-img", "convert", "-U", "-f", image_format, "-O", "raw", path, copy])
    digest = hashlib.sha256(Path(copy).read_bytes()).hexdigest()
    Path(copy).unlink()
    return digest


def files(lab: Lab) -> set[str]:
    """All files in the two pools of kvm1, as it has them."""
    return {str(folder / path.name) for pool, folder in POOL_PATHS.items() for path in lab.hosts["kvm1"].pool_folder(pool).iterdir()}


def allocated_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


def disks_of(lab: Lab, guest: Guest) -> dict[str, str]:
    """Device -> file that the running guest uses; the definition that outlives it must say the same."""
    with lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        found = [_disks(domain.XMLDesc(flags)) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
    assert found[0] == found[1]
    return found[0]


def _disks(xml: str) -> dict[str, str]:
    found = (re.search(r"<source file='([^']+)'.*<target dev='(\w+)'", disk, re.DOTALL) for disk in re.findall(r"<disk .*?</disk>", xml, re.DOTALL))
    return {match[2]: match[1] for match in found if match}


def has_block_job(lab: Lab, guest: Guest) -> bool:
    with lab.hosts["kvm1"].connection() as connection:
        return "<mirror" in connection.lookupByUUIDString(guest.uuid).XMLDesc(0)


def storage_move(guest: Guest, *devices: str, to: str = "kvm1/local", to_format: str = "", copy: DiskCopy = DiskCopy.FULL, mode: Mode = Mode.LIVE) -> Migration:
    """The planned move of these disks of a guest on kvm1 from pool shared."""
    volumes = tuple(VolumeMove(f"{guest.uuid}/{device}", "shared", to, device=device, format=to_format) for device in devices)
    return Migration(f"move-{guest.uuid}", guest.uuid, guest.name, "kvm1", "kvm1", type=MigrationType.STORAGE, mode=mode, volumes=volumes, disk_copy=copy)


def begin(driver: LibvirtDriver, guest: Guest, migration: Migration, options: MoveOptions | None = None) -> Job:
    """Note and start, as the executor does."""
    options = options or MoveOptions()
    note = note_of(migration, read_vm(driver, guest), migration_type=migration.type.value, mode=migration.mode.value)
    note = driver.write_note(migration, note, options)
    return driver.start(migration, note, options)


def expect(driver: LibvirtDriver, job: Job, verdict: Verdict) -> list[str]:
    """The verdict, with nothing against it; then finished or rolled back. Gives the codes of what was told at the end."""
    verification = driver.verify(job.migration, job.note)
    assert verification.verdict is verdict, verification
    settle = driver.finish if verdict is Verdict.ARRIVED else driver.rollback
    return [reason.code for reason in settle(job.migration, job.note)]


@contextmanager
def small_pool(lab: Lab, size_mib: int) -> Iterator[str]:
    """A pool ``small`` of kvm1 alone, on a file system of that size; its folder, as the host has it."""
    host, folder = lab.hosts["kvm1"], "/srv/small"
    host.run(["mkdir", "-p", folder])
    host.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}M", "tmpfs", folder])
    try:
        with host.connection() as connection:
            connection.storagePoolDefineXML(f"<pool type='dir'><name>small</name><target><path>{folder}</path></target></pool>").create()
        yield folder
    finally:
        host.run(["umount", "-l", folder])


def qemu_img_info(lab: Lab, path: str) -> str:
    return lab.hosts["kvm1"].run(["qemu-img", "info", "-U", "--output=json", path])


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL another controller."""
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stdin):
        if stream:
            stream.close()
