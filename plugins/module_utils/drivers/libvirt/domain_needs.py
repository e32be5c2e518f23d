# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a definition needs of its host besides disks, networks and CPU: emulator, machine, firmware, TPM, secrets, huge pages. Pure: text in, data out."""

from __future__ import annotations

from dataclasses import dataclass

from .domain_xml import Element, parse

_KIB = {"b": 1 / 1024, "bytes": 1 / 1024, "kb": 1000 / 1024, "k": 1, "kib": 1, "m": 1024, "mib": 1024, "g": 1024**2, "gib": 1024**2}


@dataclass(frozen=True, slots=True)
class SecretNeed:
    """A secret of libvirt's, by UUID, or by kind and usage id; ``of`` says whose, for people."""

    of: str
    uuid: str = ""
    kind: str = ""
    usage: str = ""

    def __str__(self) -> str:
        return self.uuid or f"{self.usage} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Needs:
    """``page_kib``: the sizes of huge pages that its memory lies in (0: the host's own size), none for ordinary ones."""

    virt_type: str
    architecture: str
    machine: str
    emulator: str
    memory_kib: int
    loader: str = ""
    tpm_backend: str = ""
    secrets: tuple[SecretNeed, ...] = ()
    page_kib: tuple[int, ...] = ()


def read_needs(xml: str) -> Needs:
    """The needs of one definition."""
    root = parse(xml)
    kind, memory = root.find("./os/type"), root.find("./memory")
    tpm = root.find("./devices/tpm/backend")
    return Needs(
        virt_type=root.get("type", ""),
        architecture=kind.get("arch", "") if kind is not None else "",
        machine=kind.get("machine", "") if kind is not None else "",
        emulator=root.findtext("./devices/emulator", ""),
        memory_kib=_kib(memory.text or "0", memory.get("unit", "KiB")) if memory is not None else 0,
        loader=root.findtext("./os/loader", ""),
        tpm_backend=tpm.get("type", "") if tpm is not None else "",
        secrets=_secrets(root),
        page_kib=_pages(root),
    )


def _secrets(root: Element) -> tuple[SecretNeed, ...]:
    found = []
    for device in root.iterfind("./devices/*"):
        target = device.find("./target")
        of = f"{device.tag} {target.get('dev')}" if target is not None and target.get("dev") else str(device.tag)
        for parent in device.iter():
            if parent.tag == "encryption" and parent.get("secret"):  # a TPM's
                found.append(SecretNeed(of, parent.get("secret")))
            if parent.tag in ("auth", "encryption"):
                found += [
                    SecretNeed(of, secret.get("uuid") or "", secret.get("type") or "", secret.get("usage") or "") for secret in parent.iterfind("./secret")
                ]
    return tuple(dict.fromkeys(found))


def _pages(root: Element) -> tuple[int, ...]:
    pages = root.find("./memoryBacking/hugepages")
    if pages is None:
        return ()
    return tuple(_kib(page.get("size", "0"), page.get("unit", "KiB")) for page in pages.iterfind("./page")) or (0,)


def _kib(text: str, unit: str) -> int:
    return int(int(text) * _KIB.get(unit.lower(), 1))
