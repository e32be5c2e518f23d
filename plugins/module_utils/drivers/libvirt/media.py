# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media of CD and floppy drives that the destination does not have: taken out for the move where that is asked for, put back if it fails."""

from __future__ import annotations

from ...model.errors import StateConflict
from ...model.note import VmNote
from ...model.pool import VolumeKind
from .connection import READ_SECONDS, Connection, HostSession
from .disk_places import Place, place_of
from .domain_xml import Element, parse, read_domain, to_text
from .domains import Domain
from .library import libvirt

_DRIVES = ("cdrom", "floppy")


def missing_media(xml: str, target: HostSession) -> tuple[str, ...]:
    """The drives (libvirt's XML) of a definition whose medium the destination is known to lack: what the check says is taken out, and nothing else."""
    media = {disk.device: disk for disk in read_domain(xml).disks if disk.kind is VolumeKind.ISO}
    drives = [drive for drive in _drives(xml) if _device(drive) in media]
    if not drives:
        return ()

    def look(connection: Connection) -> tuple[str, ...]:
        return tuple(to_text(drive) for drive in drives if place_of(connection, media[_device(drive)]) is Place.MISSING)

    return target.run("looking for the VM's media", look, READ_SECONDS)


def emptied(xml: str, note: VmNote) -> str:
    """The definition of a VM with the drives empty that the note names."""
    if not note.ejected:
        return xml
    root, media = parse(xml), {(_device(drive), _path(drive)) for drive in map(parse, note.ejected)}
    for disk in root.iterfind("./devices/disk"):
        if disk.get("device") in _DRIVES and (_device(disk), _path(disk)) in media:
            disk.remove(disk.find("./source"))
    return to_text(root)


def take_out(domain: Domain, note: VmNote) -> None:
    """Empty the drives that the note names. Raises StateConflict where the guest does not let go."""
    for xml in note.ejected:
        drive = parse(xml)
        device, path = _device(drive), _path(drive)
        if all(_path(disk) != path for disk in _drives(domain.XMLDesc(0)) if _device(disk) == device):
            continue
        source = drive.find("./source")
        drive.remove(source)
        try:
            domain.updateDeviceFlags(to_text(drive), _flags(domain))
        except libvirt.libvirtError as error:
            text = f"The medium {path} of drive {device} of VM {domain.name()} cannot be taken out: {error.get_error_message()}."
            raise StateConflict(text, hint="Eject it in the guest, or copy it to the target host.") from None


def put_in(domain: Domain, note: VmNote) -> None:
    """Put the media back into drives that are empty."""
    empty = {_device(disk) for disk in _drives(domain.XMLDesc(0)) if not _path(disk)}
    for xml in note.ejected:
        if _device(parse(xml)) in empty:
            domain.updateDeviceFlags(xml, _flags(domain))


def paths_of(note: VmNote) -> frozenset[str]:
    """The paths of the media that the note names."""
    return frozenset(_path(parse(xml)) for xml in note.ejected)


def _flags(domain: Domain) -> int:
    live: int = libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0
    return live | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0)


def _drives(xml: str) -> list[Element]:
    return [disk for disk in parse(xml).iterfind("./devices/disk") if disk.get("device") in _DRIVES]


def _path(disk: Element) -> str:
    """As ``DiskFacts.path`` has it: of a medium that is named by its pool, the volume's name. Empty for a drive without one."""
    source = disk.find("./source")
    return (source.get("file") or source.get("dev") or source.get("volume") or "") if source is not None else ""


def _device(disk: Element) -> str:
    target = disk.find("./target")
    return target.get("dev", "") if target is not None else ""
