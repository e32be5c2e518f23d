# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A domain's definition (libvirt's XML) as facts. Pure: text in, dataclasses out. Format: https://libvirt.org/formatdomain.html."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...model.pool import VolumeKind
from ...model.vm import Nic
from .host_devices import host_devices
from .library import SafeElementTree
from .note_text import NAMESPACE

Element = Any

MANAGERS = {
    "http://openstack.org/xmlns/libvirt/nova/1.x": "nova",
    "http://openstack.org/xmlns/libvirt/nova/1.0": "nova",
    "http://openstack.org/xmlns/libvirt/nova/1.1": "nova",
    "http://ovirt.org/vm/1.0": "ovirt",
    "http://ovirt.org/vm/tune/1.0": "ovirt",
    "http://kubevirt.io": "kubevirt",
    "http://harvesterhci.io": "harvester",
    "http://opennebula.org/xmlns/libvirt/1.0": "opennebula",
}
_BLOCK_MEDIA = {"disk": VolumeKind.DATA, "lun": VolumeKind.DATA, "cdrom": VolumeKind.ISO, "floppy": VolumeKind.ISO}


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A disk with a medium. ``path`` is a file or device on the host, or a network source's name; ``pool`` is named by disks of type ``volume`` only.

    ``backing_format``: of the nearest image below. ``mirror_path``: where a block job copies the disk to (empty: nowhere); ``mirror_ready``: all is
    there, and what the guest writes goes to both.
    """

    device: str
    kind: VolumeKind
    type: str
    path: str
    protocol: str = ""
    pool: str = ""
    format: str = ""
    bus: str = ""
    cache_mode: str = ""
    backing: tuple[str, ...] = ()
    backing_format: str = ""
    encrypted: bool = False
    read_only: bool = False
    shareable: bool = False
    startup_optional: bool = False
    has_block_job: bool = False
    mirror_path: str = ""
    mirror_ready: bool = False

    @property
    def is_on_host(self) -> bool:
        """True for a file or device that the host must see under the same path."""
        return self.type in ("file", "block", "dir") and self.path.startswith("/")


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What a definition says. ``cpu_xml`` is its ``<cpu>`` element (empty: none), ``note_text`` the text of our own metadata (None: none).

    ``cpu_unchecked``: the operator told libvirt not to compare the CPU with the host's, so the definition may ask for more than the guest was given.
    """

    uuid: str
    name: str
    virt_type: str
    architecture: str
    machine: str
    emulator: str
    cpu_mode: str = ""
    cpu_model: str | None = None
    cpu_xml: str = ""
    cpu_unchecked: bool = False
    disks: tuple[DiskFacts, ...] = ()
    nics: tuple[Nic, ...] = ()
    host_devices: tuple[str, ...] = ()
    note_text: str | None = None
    managed_by: str = ""


def read_domain(xml: str) -> DomainFacts:
    """The facts of one definition, active or not."""
    root = parse(xml)
    kind = root.find("./os/type")
    cpu = root.find("./cpu")
    note = root.find(f"./metadata/{{{NAMESPACE}}}migration")
    return DomainFacts(
        uuid=root.findtext("./uuid", ""),
        name=root.findtext("./name", ""),
        virt_type=root.get("type", ""),
        architecture=kind.get("arch", "") if kind is not None else "",
        machine=kind.get("machine", "") if kind is not None else "",
        emulator=root.findtext("./devices/emulator", ""),
        cpu_mode=_cpu_mode(cpu),
        cpu_model=cpu.findtext("./model") if cpu is not None else None,
        cpu_xml=to_text(cpu) if cpu is not None else "",
        cpu_unchecked=cpu is not None and cpu.get("check") == "none",
        disks=_disks(root),
        nics=tuple(_nic(interface) for interface in root.iterfind("./devices/interface")),
        host_devices=host_devices(root),
        note_text=(note.text or "") if note is not None else None,
        managed_by=_manager(root),
    )


def parse(xml: str) -> Element:
    """The root element of a document that came from a hypervisor."""
    return SafeElementTree.fromstring(xml)


def to_text(element: Element) -> str:
    """An element as XML again."""
    text: str = SafeElementTree.tostring(element, encoding="unicode")
    return text


def _cpu_mode(cpu: Element | None) -> str:
    if cpu is None:
        return ""
    mode: str = cpu.get("mode") or ("custom" if cpu.find("./model") is not None else "")
    return mode


def _disks(root: Element) -> tuple[DiskFacts, ...]:
    elements = [disk for disk in root.iterfind("./devices/disk") if disk.find("./source") is not None]
    boot = _boot_disk(elements)
    return tuple(_disk(disk, disk is boot) for disk in elements)


def _boot_disk(disks: list[Element]) -> Element | None:
    """The disk that boots the VM: the lowest boot order, else the first real disk."""
    real = [disk for disk in disks if disk.get("device", "disk") in ("disk", "lun")]
    ordered = [disk for disk in real if disk.find("./boot") is not None]
    if ordered:
        return min(ordered, key=lambda disk: int(disk.find("./boot").get("order", "0")))
    return real[0] if real else None


def _disk(disk: Element, boots: bool) -> DiskFacts:
    source, driver, target = disk.find("./source"), disk.find("./driver"), disk.find("./target")
    mirror, copied_to = disk.find("./mirror"), disk.find("./mirror/source")
    kind = _BLOCK_MEDIA.get(disk.get("device", "disk"), VolumeKind.DATA)
    return DiskFacts(
        device=target.get("dev", "") if target is not None else "",
        kind=VolumeKind.ROOT if boots else kind,
        type=disk.get("type", "file"),
        path=_path(source),
        protocol=source.get("protocol", ""),
        pool=source.get("pool", ""),
        format=driver.get("type", "") if driver is not None else "",
        bus=target.get("bus", "") if target is not None else "",
        cache_mode=driver.get("cache", "") if driver is not None else "",
        backing=_backing(disk),
        backing_format=_format(disk.find("./backingStore/format")),
        encrypted=disk.find("./encryption") is not None or source.find("./encryption") is not None,
        read_only=disk.find("./readonly") is not None,
        shareable=disk.find("./shareable") is not None,
        startup_optional=source.get("startupPolicy") in ("optional", "requisite"),
        has_block_job=mirror is not None,
        mirror_path=_path(copied_to) if copied_to is not None else "",
        mirror_ready=mirror is not None and mirror.get("ready") == "yes",
    )


def _path(source: Element) -> str:
    for name in ("file", "dev", "dir", "name", "volume"):
        path: str | None = source.get(name)
        if path:
            return path
    return ""


def _format(element: Element | None) -> str:
    return element.get("type", "") if element is not None else ""


def _backing(disk: Element) -> tuple[str, ...]:
    """The chain of images below the disk, nearest first, as far as the definition shows it (that of an active VM shows all)."""
    chain = []
    store = disk.find("./backingStore")
    while store is not None:
        source = store.find("./source")
        if source is not None:
            chain.append(_path(source))
        store = store.find("./backingStore")
    return tuple(chain)


def _nic(interface: Element) -> Nic:
    """A network interface. An active VM's shows ``bridge`` although it was defined by a libvirt network: the network is what the destination must have."""
    source, model, mac = interface.find("./source"), interface.find("./model"), interface.find("./mac")
    kind, name = interface.get("type", ""), ""
    if source is not None:
        if source.get("network"):
            kind, name = "network", source.get("network")
        else:
            name = source.get("bridge") or source.get("dev") or source.get("path") or ""
    port = interface.find("./virtualport")
    if kind == "bridge" and port is not None and port.get("type") == "openvswitch":
        kind = "ovs"
    return Nic(
        mac=mac.get("address", "") if mac is not None else "",
        network=name,
        kind=kind,
        model=model.get("type", "") if model is not None else "",
    )


def _manager(root: Element) -> str:
    metadata = root.find("./metadata")
    for element in metadata if metadata is not None else ():
        namespace = str(element.tag).partition("}")[0].lstrip("{")
        if namespace in MANAGERS:
            return MANAGERS[namespace]
    product = next((entry.text or "" for entry in root.iterfind("./sysinfo/system/entry") if entry.get("name") == "product"), "")
    return "cloudstack" if "CloudStack" in product else ""
