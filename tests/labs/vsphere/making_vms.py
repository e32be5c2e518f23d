# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a VM of the lab is described when it is made."""

from __future__ import annotations

import re
from typing import Any

from pyVmomi import vim

CONTROLLER_KEY = 1000


def file_stem(name: str) -> str:
    """What the files of a VM of that name are called."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def escaped(name: str) -> str:
    """A name as the API has it, in which percent signs and slashes have to be escaped."""
    return name.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")


def vm_spec(name: str, folder: str, pools: tuple[str, ...], memory_mib: int, disk_gib: int, network: str, thin: bool) -> Any:
    """A VM with a disk in each pool and one network card. All files are in that folder, its own ones in the first pool."""
    adapter = vim.vm.device.ParaVirtualSCSIController(key=CONTROLLER_KEY, busNumber=0, sharedBus="noSharing")
    devices: list[Any] = [adapter, *(_disk(f"{folder}/{file_stem(name)}", index, pool, disk_gib, thin) for index, pool in enumerate(pools)), _nic(network)]
    return vim.vm.ConfigSpec(
        name=escaped(name),
        numCPUs=1,
        memoryMB=memory_mib,
        guestId="otherGuest64",
        version="vmx-14",
        files=vim.vm.FileInfo(vmPathName=f"[{pools[0]}] {folder}/{file_stem(name)}.vmx"),
        deviceChange=[_added(device) for device in devices],
    )


def _added(device: Any) -> Any:
    makes_file = isinstance(device, vim.vm.device.VirtualDisk)
    return vim.vm.device.VirtualDeviceSpec(operation="add", device=device, fileOperation="create" if makes_file else None)


def _disk(file: str, index: int, pool: str, size_gib: int, thin: bool) -> Any:
    path = f"[{pool}] {file}.vmdk" if index == 0 else f"[{pool}] {file}_{index}.vmdk"
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode="persistent", thinProvisioned=thin)
    return vim.vm.device.VirtualDisk(key=-(index + 1), controllerKey=CONTROLLER_KEY, unitNumber=index, capacityInKB=size_gib * 2**20, backing=backing)


def _nic(network: str) -> Any:
    backing = vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network)
    return vim.vm.device.VirtualVmxnet3(key=-100, backing=backing, addressType="generated")
