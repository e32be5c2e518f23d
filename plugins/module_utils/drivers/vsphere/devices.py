# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A VM's virtual devices as the model's volumes, networks and devices of its host. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...model.pool import Volume, VolumeKind
from ...model.vm import Nic
from .inventory import DatastoreEntry
from .library import vim
from .paths import plain_name
from .properties import moid_of

_BUSES = (("VirtualSCSIController", "scsi"), ("VirtualIDEController", "ide"), ("VirtualSATAController", "sata"), ("VirtualNVMEController", "nvme"))


def disks_of(devices: Iterable[Any]) -> list[Any]:
    """The virtual disks, in the order of their place: controller's key, then unit."""
    kind = vim().vm.device.VirtualDisk
    return sorted((one for one in devices if isinstance(one, kind)), key=lambda disk: (disk.controllerKey or 0, disk.unitNumber or 0, disk.key))


HOME = "home"
"""What a VM's own files are called where no disk of it lies on their datastore, so that they have a way of their own."""


def volumes_of(vm: str, vmx: str, home: DatastoreEntry | None, devices: Iterable[Any], stores: Mapping[str, DatastoreEntry]) -> tuple[Volume, ...]:
    """The disks and the media from datastores of the VM with that id; ``stores`` are all datastores by managed object id. The first disk is its root.

    Its own files (``vmx`` on ``home``) go where the disk beside them goes. Where there is none they count as a volume of no size, so that they are planned
    for, and keep their datastore in use.
    """
    listed = list(devices)
    controllers = {one.key: one for one in listed}
    disks = [_disk(vm, disk, index, controllers, stores) for index, disk in enumerate(disks_of(listed))]
    media = [one for one in listed if isinstance(one, vim().vm.device.VirtualCdrom) and getattr(one.backing, "datastore", None) is not None]
    found = (*disks, *(_medium(vm, one, controllers, stores) for one in media))
    if home is None or home.id in {disk.pool for disk in disks}:
        return found
    return (*found, Volume(f"{vm}/{HOME}", VolumeKind.DATA, vmx.rpartition("/")[2], HOME, vmx, home.id, 0, 0))


def _disk(vm: str, disk: Any, index: int, controllers: Mapping[int, Any], stores: Mapping[str, DatastoreEntry]) -> Volume:
    backing = disk.backing
    path = str(getattr(backing, "fileName", "") or "")
    pool = _pool(backing, stores)
    capacity = disk.capacityInBytes or (disk.capacityInKB or 0) * 1024
    return Volume(
        id=f"{vm}/{disk.key}",
        kind=VolumeKind.ROOT if index == 0 else VolumeKind.DATA,
        name=path.rpartition("/")[2],
        device=_place(disk, controllers),
        path=path,
        pool=pool,
        capacity_bytes=capacity,
        allocated_bytes=None if getattr(backing, "thinProvisioned", False) else capacity,
        format=format_of(backing),
        bus=_place(disk, controllers).rstrip("0123456789:"),
        backing=tuple(_parents(backing)),
        shareable=getattr(backing, "sharing", "") == "sharingMultiWriter",
    )


def _medium(vm: str, cdrom: Any, controllers: Mapping[int, Any], stores: Mapping[str, DatastoreEntry]) -> Volume:
    path = str(cdrom.backing.fileName or "")
    return Volume(
        id=f"{vm}/{cdrom.key}",
        kind=VolumeKind.ISO,
        name=path.rpartition("/")[2],
        device=_place(cdrom, controllers),
        path=path,
        pool=_pool(cdrom.backing, stores),
        format="iso",
        read_only=True,
    )


def format_of(backing: Any) -> str:
    """How a disk's file is made: ``thin``, ``thick`` or ``eager_thick``; ``rdm`` for a LUN that is passed on, empty where nothing tells."""
    if "RawDiskMapping" in backing.__class__.__name__:
        return "rdm"
    thin = getattr(backing, "thinProvisioned", None)
    if thin is None:
        return ""
    return "thin" if thin else "eager_thick" if getattr(backing, "eagerlyScrub", False) else "thick"


def _pool(backing: Any, stores: Mapping[str, DatastoreEntry]) -> str | None:
    store = getattr(backing, "datastore", None)
    found = stores.get(moid_of(store)) if store is not None else None
    return found.id if found else None


def _parents(backing: Any) -> Iterable[str]:
    parent = getattr(backing, "parent", None)
    while parent is not None:
        yield str(parent.fileName)
        parent = getattr(parent, "parent", None)


def _place(device: Any, controllers: Mapping[int, Any]) -> str:
    """Where a device is plugged in, such as ``scsi0:1``."""
    controller = controllers.get(device.controllerKey)
    kinds = vim().vm.device
    bus = next((name for kind, name in _BUSES if controller is not None and isinstance(controller, getattr(kinds, kind))), "disk")
    number = controller.busNumber if controller is not None else 0
    return f"{bus}{number}:{device.unitNumber or 0}"


def nics_of(devices: Iterable[Any], portgroups: Mapping[str, str]) -> tuple[Nic, ...]:
    """The network cards; ``portgroups`` are names of distributed port groups by their key, which is their managed object id."""
    cards = [one for one in devices if isinstance(one, vim().vm.device.VirtualEthernetCard)]
    return tuple(
        Nic(str(card.macAddress or ""), *network_of(card.backing, portgroups), card.__class__.__name__.rpartition("Virtual")[2].lower()) for card in cards
    )


def network_of(backing: Any, portgroups: Mapping[str, str]) -> tuple[str, str]:
    """Name and kind of the network behind a card."""
    port = getattr(backing, "port", None)
    if port is not None:
        return portgroups.get(str(port.portgroupKey), str(port.portgroupKey)), "dvs"
    return plain_name(str(getattr(backing, "deviceName", "") or "")), "network"


def host_devices_of(devices: Iterable[Any]) -> tuple[str, ...]:
    """Names of devices that bind the VM to its host: passed-through PCI and USB devices, and drives of the host itself."""
    kinds = vim().vm.device
    bound = (kinds.VirtualPCIPassthrough, kinds.VirtualSCSIPassthrough)
    return tuple(_label(one) for one in devices if isinstance(one, bound) or _uses_host(one))


def _uses_host(device: Any) -> bool:
    backing = device.backing
    kinds = vim().vm.device
    if isinstance(device, kinds.VirtualUSB):
        return isinstance(backing, kinds.VirtualUSB.USBBackingInfo)
    own_drive = isinstance(device, kinds.VirtualCdrom | kinds.VirtualFloppy) and isinstance(backing, kinds.VirtualDevice.DeviceBackingInfo)
    return own_drive and bool(device.connectable and device.connectable.connected)


def _label(device: Any) -> str:
    info = device.deviceInfo
    return str(info.label) if info is not None else f"device {device.key}"
