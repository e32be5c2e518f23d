# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ties a VM to the machine that it runs on: devices of the host, and others that QEMU cannot send along. Pure.

Which devices block a migration: libvirt's qemuMigrationSrcIsAllowed (host devices, shared memory, vDPA, virtiofs, passed-through TPM and input).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Element = Any


def host_devices(root: Element) -> tuple[str, ...]:
    """One text per device, such as ``pci 0000:3b:00.0``, in the order of the definition."""
    devices = root.find("./devices")
    return tuple(_all(devices)) if devices is not None else ()


def _all(devices: Element) -> Iterator[str]:
    for element in devices:
        match element.tag:
            case "hostdev":
                yield _hostdev(element)
            case "interface" if element.get("type") in ("hostdev", "vdpa"):
                yield f"{'NIC ' if element.get('type') == 'hostdev' else 'vdpa '}{_interface(element)}"
            case "shmem" if element.get("role") != "master":
                yield f"shmem {element.get('name', '')}".strip()
            case "filesystem":
                yield _filesystem(element)
            case "tpm" if _backend(element) == "passthrough":
                yield "tpm passthrough"
            case "input" if element.get("type") in ("passthrough", "evdev"):
                yield f"input {_attribute(element, './source', 'evdev', 'dev')}".strip()
            case "memory" if element.get("model") in ("nvdimm", "virtio-pmem", "sgx-epc"):
                yield f"memory {element.get('model')} {element.findtext('./source/path', '')}".strip()
            case "disk" if element.get("type") in ("nvme", "vhostuser", "vhostvdpa"):
                yield f"disk {element.get('type')} {_attribute(element, './target', 'dev')}".strip()
            case "serial" | "parallel" | "console" if element.get("type") == "dev":
                yield f"{element.tag} {_attribute(element, './source', 'path')}".strip()


def _hostdev(element: Element) -> str:
    kind = element.get("type") or element.get("mode") or "device"
    if kind == "pci":
        return f"pci {_pci(element.find('./source/address'))}"
    if kind == "usb":
        return f"usb {_usb(element)}"
    if kind == "mdev":
        return f"mdev {_attribute(element, './source/address', 'uuid')}"
    if kind == "scsi_host":
        return f"scsi_host {_attribute(element, './source', 'wwpn')}".strip()
    if kind == "scsi":
        return f"scsi {_attribute(element, './source/adapter', 'name') or _attribute(element, './source', 'name')}".strip()
    return str(kind)


def _pci(address: Element | None) -> str:
    if address is None:
        return ""
    domain, bus, slot, function = (int(address.get(name) or "0", 0) for name in ("domain", "bus", "slot", "function"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _usb(element: Element) -> str:
    vendor, product = _attribute(element, "./source/vendor", "id"), _attribute(element, "./source/product", "id")
    if vendor:
        return f"{vendor.removeprefix('0x')}:{product.removeprefix('0x')}"
    address = element.find("./source/address")
    return f"bus {address.get('bus')} device {address.get('device')}" if address is not None else ""


def _interface(element: Element) -> str:
    address = element.find("./source/address")
    if address is not None and address.get("type") == "pci":
        return _pci(address)
    return _attribute(element, "./source", "dev", "network") or _attribute(element, "./mac", "address")


def _filesystem(element: Element) -> str:
    driver = _attribute(element, "./driver", "type")
    return f"filesystem {'virtiofs' if driver == 'virtiofs' else '9p'} {_attribute(element, './target', 'dir')}".strip()


def _backend(element: Element) -> str:
    return _attribute(element, "./backend", "type")


def _attribute(element: Element, path: str, *names: str) -> str:
    found = element.find(path)
    if found is None:
        return ""
    return next((value for name in names if (value := found.get(name))), "")
