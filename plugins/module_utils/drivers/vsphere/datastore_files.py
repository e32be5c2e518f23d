# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in datastores: the disks and media that lie there, which of them VMs use, and the tasks of the virtual disk manager."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...model.errors import MigrationError, StateConflict
from ...model.pool import Volume, VolumeKind
from .connection import Link, VCenter
from .errors import fault_reason, fault_text
from .inventory import DatastoreEntry, Inventory
from .library import vim
from .paths import split_path
from .properties import read
from .tasks import wait_for

LIST_SECONDS = 600.0
TASK_SECONDS = 600.0
FIRST_CLASS = "fcd/"
"""The folder in which vCenter keeps first class disks, which its own inventory (and a Kubernetes) knows."""

_VM_PATHS = ("name", "config.hardware.device", "layoutEx.file")
_TYPES = {"thin": "thin", "preallocated": "thick", "eagerZeroedThick": "eager_thick", "thick": "thick"}


@dataclass(frozen=True)
class DiskFile:
    """A disk or medium in a datastore, by its path there, such as ``folder/name.vmdk``. ``capacity_bytes`` is that of a disk, where it is told."""

    path: str
    size_bytes: int | None = None
    capacity_bytes: int | None = None
    format: str = ""


def full_path(store: DatastoreEntry, path: str) -> str:
    """How the API names a file: ``[store] folder/name.vmdk``."""
    return f"[{store.name}] {path}"


def loose_volumes(center: VCenter, inventory: Inventory, pools: Iterable[str]) -> tuple[Volume, ...]:
    """The disks and media in these pools (ids; unknown ones are left out) that no VM uses, sorted by id."""
    found: list[Volume] = []
    for store in (inventory.datastores[pool] for pool in sorted(pools) if pool in inventory.datastores):
        used = users_of(center, store)
        found += [_volume(store, file) for file in files_in(center, store) if file.path not in used]
    return tuple(sorted(found, key=lambda volume: volume.id))


def _volume(store: DatastoreEntry, file: DiskFile) -> Volume:
    is_medium = file.path.lower().endswith(".iso")
    return Volume(
        id=f"{store.id}/{file.path}",
        kind=VolumeKind.ISO if is_medium else VolumeKind.DATA,
        name=file.path,
        path=full_path(store, file.path),
        pool=store.id,
        capacity_bytes=file.capacity_bytes if file.capacity_bytes is not None else file.size_bytes,
        allocated_bytes=file.size_bytes,
        format="iso" if is_medium else file.format,
        read_only=is_medium,
    )


def files_in(center: VCenter, store: DatastoreEntry, folder: str = "") -> tuple[DiskFile, ...]:
    """All disks and media in the datastore, or in that folder of it with those below; none where there is no such folder. One task of its browser."""
    browser = vim().host.DatastoreBrowser
    disks = browser.VmDiskQuery(details=browser.VmDiskQuery.Details(diskType=True, capacityKb=True, thin=True, hardwareVersion=False))
    told = browser.FileInfo.Details(fileType=True, fileSize=True, modification=False)
    spec = browser.SearchSpec(query=[disks, browser.IsoImageQuery()], details=told, matchPattern=["*.vmdk", "*.iso", "*.ISO"])

    def begin(link: Link) -> Any:
        place = read(link, [store.ref], "Datastore", ["browser"])[store.moid]["browser"]
        return place.SearchDatastoreSubFolders_Task(full_path(store, folder).rstrip(), spec)

    task = center.run(f"listing {store.id}", begin)
    fault = wait_for(center, task, f"listing {store.id}", LIST_SECONDS)
    if isinstance(fault, vim().fault.FileNotFound):
        return ()
    if fault is not None:
        raise StateConflict(f"Datastore {store.id} cannot be listed: {fault_text(fault)}.", code=fault_reason(fault).code, hint="See it in vCenter.")
    parts = center.run("reading the list", lambda link: read(link, [task], "Task", ["info.result"]))
    return tuple(_files(next(iter(parts.values()))["info.result"] or ()))


def _files(parts: Iterable[Any]) -> Iterator[DiskFile]:
    for part in parts:
        folder = split_path(str(part.folderPath))[1].strip("/")
        for file in part.file or ():
            path = f"{folder}/{file.path}" if folder else str(file.path)
            capacity = getattr(file, "capacityKb", None)
            thin = getattr(file, "thin", None)
            kind = "thin" if thin else _TYPES.get(str(getattr(file, "diskType", "") or "").rpartition(".")[2], "")
            yield DiskFile(path, file.fileSize, capacity * 1024 if capacity else None, kind)


def user_of(center: VCenter, store: DatastoreEntry, path: str) -> str | None:
    """The VM that has that file. Raises StateConflict (``fact_unknown``) where a VM of the datastore does not tell its files: then nobody may touch one."""
    users, silent = users_of(center, store), _silent_vms(center, store)
    if silent and path not in users:
        text = f"VM {silent[0]} on datastore {store.id} does not tell its files now, so that {full_path(store, path)} may be one of them."
        raise StateConflict(text, code="fact_unknown", hint="Make its host answer, or unregister the VM.")
    return users.get(path)


def _silent_vms(center: VCenter, store: DatastoreEntry) -> list[str]:
    def ask(link: Link) -> list[str]:
        vms = read(link, [store.ref], "Datastore", ["vm"])[store.moid]["vm"] or ()
        entries = read(link, vms, "VirtualMachine", ("name", "config.files.vmPathName")).values()
        return [vm.name for vm in entries if vm["config.files.vmPathName"] is None]

    return center.run(f"reading the VMs of {store.id}", ask)


def users_of(center: VCenter, store: DatastoreEntry) -> dict[str, str]:
    """Name of the VM by the path of each file in that datastore which a VM has: its disks with what they rest on, its media, and what else it calls its own."""

    def ask(link: Link) -> dict[str, str]:
        vms = read(link, [store.ref], "Datastore", ["vm"])[store.moid]["vm"] or ()
        entries = read(link, vms, "VirtualMachine", _VM_PATHS).values()
        return {path: vm.name for vm in entries for path in _paths_of(vm, store)}

    return center.run(f"reading the VMs of {store.id}", ask)


def _paths_of(vm: Any, store: DatastoreEntry) -> Iterator[str]:
    names = [str(file.name) for file in vm["layoutEx.file"] or ()]
    for device in vm["config.hardware.device"] or ():
        backing = device.backing
        while backing is not None:
            names.append(str(getattr(backing, "fileName", "") or ""))
            backing = getattr(backing, "parent", None)
    for name in names:
        datastore, path = split_path(name)
        if datastore == store.name and path:
            yield path


def disk_task(center: VCenter, doing: str, call: Callable[[Any], Any]) -> None:
    """Have the virtual disk manager do something, and wait for it. Raises StateConflict with vCenter's own reason."""
    task = center.run(doing, lambda link: call(link.content.virtualDiskManager), repeat=False)
    fault = wait_for(center, task, doing, TASK_SECONDS)
    if fault is not None:
        code = "volume_in_use" if isinstance(fault, vim().fault.FileLocked) else fault_reason(fault).code
        raise StateConflict(f"{doing} failed: {fault_text(fault)}.", code=code, hint="See the task in vCenter.")


def delete_volume(center: VCenter, inventory: Inventory, volume: Volume) -> None:
    """See ``driver.Driver``. Raises StateConflict (``volume_in_use``, ``volume_kind``) and InputError for a datastore that is not there."""
    store = inventory.datastore(volume.pool or "")
    path = split_path(volume.path)[1]
    refuse_first_class(path, store)
    user = user_of(center, store, path)
    if user is not None:
        raise StateConflict(f"{volume.path} is used by VM {user}.", code="volume_in_use", hint="Take it off the list.")
    if path not in {file.path for file in files_in(center, store, path.rpartition("/")[0])}:
        raise MigrationError(f"{volume.path} is not there any more.", code="volume_missing")
    remove(center, inventory, store, path)


def remove(center: VCenter, inventory: Inventory, store: DatastoreEntry, path: str) -> None:
    """Remove one disk or medium, whatever it is; who calls this knows that nobody needs it."""
    datacenter, name = inventory.datacenter_ref(store), full_path(store, path)
    doing = f"deleting {name}"
    if path.lower().endswith(".vmdk"):
        disk_task(center, doing, lambda disks: disks.DeleteVirtualDisk_Task(name, datacenter))
        return
    task = center.run(doing, lambda link: link.content.fileManager.DeleteDatastoreFile_Task(name, datacenter), repeat=False)
    fault = wait_for(center, task, doing, TASK_SECONDS)
    if fault is not None:
        raise StateConflict(f"{doing} failed: {fault_text(fault)}.", code=fault_reason(fault).code)


def refuse_first_class(path: str, store: DatastoreEntry) -> None:
    """Raises StateConflict (``volume_kind``) for a first class disk: who removes or moves its file behind vCenter's back loses it there."""
    if path.startswith(FIRST_CLASS):
        text = f"{full_path(store, path)} is a first class disk of vCenter's own inventory."
        raise StateConflict(text, code="volume_kind", hint="Move or delete it by the tools that made it, such as Kubernetes' storage driver.")
