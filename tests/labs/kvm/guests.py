# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests of the lab: their domain definition, and one guest as a test sees it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from .commands import LabError, wait_until
from .heartbeat import GapWatch, Heartbeat, HeartbeatLog
from .image import BELOW_WORKING_SET_MIB, GuestLoad, count_on_disk

BEAT_TIMEOUT_S = 30.0
STILL_BEATING_S = 3.0
EMULATOR = "/usr/bin/qemu-system-x86_64"
MACHINE = "pc"


@dataclass(frozen=True)
class GuestSpec:
    """What a guest is. nic: name of a libvirt network, or None; pool: `shared` or `local`."""

    name: str
    uuid: str
    memory_mib: int = 64
    load: GuestLoad = field(default_factory=GuestLoad)
    nic: str | None = None
    pool: str = "shared"
    vcpus: int = 1
    disk_mib: int = 4

    def __post_init__(self) -> None:
        least = BELOW_WORKING_SET_MIB + self.load.working_set_mib
        if self.memory_mib < least:
            raise LabError(f"guest {self.name!r}: a working set of {self.load.working_set_mib} MiB needs memory_mib of at least {least}")

    @property
    def file_stem(self) -> str:
        """A file name for any guest name, the same for the same name and UUID only."""
        digest = hashlib.sha256(f"{self.name}\0{self.uuid}".encode()).hexdigest()[:8]
        return f"{re.sub(r'[^A-Za-z0-9-]', '_', self.name)[:40]}-{digest}"

    @property
    def image_name(self) -> str:
        return f"{self.file_stem}.raw"


def domain_xml(spec: GuestSpec, *, image: Path, heartbeat: Path) -> str:
    """The definition of a guest under TCG: no CPU, USB or balloon that a migration would have to care for."""
    domain = ElementTree.Element("domain", type="qemu")
    _add(domain, "name", spec.name)
    _add(domain, "uuid", spec.uuid)
    _add(domain, "memory", str(spec.memory_mib), unit="MiB")
    _add(domain, "vcpu", str(spec.vcpus))
    system = _add(domain, "os")
    _add(system, "type", "hvm", arch="x86_64", machine=MACHINE)
    _add(system, "boot", dev="hd")
    _add(_add(domain, "features"), "acpi")
    _add(domain, "on_poweroff", "destroy")
    _add(domain, "on_crash", "destroy")
    devices = _add(domain, "devices")
    _add(devices, "emulator", EMULATOR)
    disk = _add(devices, "disk", type="file", device="disk")
    _add(disk, "driver", name="qemu", type="raw", cache="none")
    _add(disk, "source", file=str(image))
    _add(disk, "target", dev="hda", bus="ide")
    serial = _add(devices, "serial", type="file")
    _add(serial, "source", path=str(heartbeat), append="on")
    _add(devices, "controller", type="usb", model="none")
    _add(devices, "memballoon", model="none")
    if spec.nic is not None:
        interface = _add(devices, "interface", type="network")
        _add(interface, "source", network=spec.nic)
        _add(interface, "model", type="e1000")
        _add(interface, "rom", enabled="no")
    return ElementTree.tostring(domain, encoding="unicode")


def _add(parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text
    return element


class Guest:
    """A guest that the lab has defined, wherever it is now."""

    def __init__(self, spec: GuestSpec, *, log: HeartbeatLog, watch: GapWatch, image: Path) -> None:
        self.spec = spec
        self.log = log
        self.image = image
        self._watch = watch

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def uuid(self) -> str:
        return self.spec.uuid

    def heartbeat(self) -> Heartbeat | None:
        """Its newest beat, None before the first."""
        return self.log.last()

    def is_beating(self) -> bool:
        """Whether it beats again within three seconds."""
        before = self.heartbeat()
        try:
            wait_until(lambda: self.heartbeat() != before, "", timeout_s=STILL_BEATING_S)
        except LabError:
            return False
        return True

    def wait_beating(self, timeout_s: float = BEAT_TIMEOUT_S) -> Heartbeat:
        """Wait for a beat that is newer than this call, and return it."""
        before = self.heartbeat()
        wait_until(lambda: self.heartbeat() != before, f"a heartbeat of {self.name!r} (see {self.log.path})", timeout_s=timeout_s)
        beat = self.heartbeat()
        if beat is None:
            raise LabError(f"{self.log.path} lost its heartbeats")
        return beat

    def restarts(self) -> int:
        """How often it came up again after the first time; 0 for one that was never restarted, -1 for one that never came up."""
        return len(self.log.boots()) - 1

    def faults(self) -> list[str]:
        """Beats out of order or of another boot: empty for a guest that was moved alive, and ran in one place at a time."""
        return self.log.faults()

    def largest_gap_ms(self) -> float:
        """The longest silence since it was started or since reset_gap."""
        return self._watch.largest_gap_ms(self.log)

    def reset_gap(self) -> None:
        """Measure gaps from now on."""
        self._watch.add(self.log)

    def disk_count(self) -> int:
        """The number of the last write that is in its disk image."""
        return count_on_disk(self.image)
