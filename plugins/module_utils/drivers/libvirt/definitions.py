# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions of VMs as texts that outlive their host: read for safekeeping, and made ready to be defined on another host."""

from __future__ import annotations

from dataclasses import dataclass

from ...model.errors import MigrationError
from ...model.note import VmNote
from .connection import Connection
from .domain_xml import Element, parse, to_text
from .failures import is_missing
from .library import SafeElementTree, libvirt
from .note_text import NAMESPACE, note_element


def read_definitions(connection: Connection) -> dict[str, str]:
    """The definition of every domain of a host by UUID, as it would be started next; passwords are left out (no ``VIR_DOMAIN_XML_SECURE``)."""
    found = {}
    for domain in connection.raw.listAllDomains():
        try:
            found[domain.UUIDString()] = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        except libvirt.libvirtError as error:
            if not is_missing(error):
                raise
    return found


def with_note(text: str, note: VmNote) -> str:
    """The definition with this note in place of any other. Raises MigrationError (``definition_invalid``) for a text that is no definition."""
    root = _root(text)
    metadata = root.find("./metadata")
    if metadata is None:
        metadata = root.makeelement("metadata", {})
        root.append(metadata)
    tag = f"{{{NAMESPACE}}}migration"
    for old in metadata.findall(f"./{tag}"):
        metadata.remove(old)
    element = metadata.makeelement(tag, {})
    element.text = SafeElementTree.fromstring(note_element(note)).text
    metadata.append(element)
    return to_text(root)


@dataclass(frozen=True, slots=True)
class FirmwareState:
    """What a VM keeps beside its disks: the path of its UEFI variables (empty: none), and whether it has a TPM that QEMU's host emulates."""

    nvram_path: str = ""
    has_emulated_tpm: bool = False


def firmware_state(text: str) -> FirmwareState:
    """What the definition says of state that is kept on the host. Raises as ``with_note``."""
    root = _root(text)
    nvram = root.find("./os/nvram")
    path = "" if nvram is None else (nvram.text or "").strip() or "a file that its host chose"
    return FirmwareState(path, root.find("./devices/tpm/backend[@type='emulator']") is not None)


def _root(text: str) -> Element:
    try:
        root = parse(text)
    except (SafeElementTree.ParseError, ValueError) as error:  # defusedxml refuses entities by a ValueError
        raise MigrationError(f"The kept definition is no XML: {error}.", code="definition_invalid", hint="Take an older file of definitions.") from None
    if root.tag != "domain":
        raise MigrationError(f"The kept definition is no domain but {root.tag!r}.", code="definition_invalid", hint="Take an older file of definitions.")
    return root
