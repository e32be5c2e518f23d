# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes kept with VMs, read and written on their hosts."""

from __future__ import annotations

from ...model.errors import StateConflict
from ...model.note import VmNote
from .domain_xml import parse
from .domains import Domain, running_job
from .failures import is_missing
from .library import libvirt
from .note_text import NAMESPACE, PREFIX, note_element, read_note


def note_of(domain: Domain) -> VmNote | None:
    """The note of a domain, None for none. Can be read while a migration runs."""
    try:
        text = parse(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0)).text
    except libvirt.libvirtError as error:
        if is_missing(error):
            return None
        raise
    return read_note(text or "")


def put_note(domain: Domain, note: VmNote | None) -> None:
    """Write the note, or remove it (None). Raises StateConflict where a job runs on the domain: libvirt would block half a minute and then refuse."""
    active, persistent = bool(domain.isActive()), bool(domain.isPersistent())
    if active and running_job(domain) is not None:
        raise StateConflict(f"{domain.name()}: another operation of the hypervisor runs on it, so that no note can be written.", hint="Wait for its end.")
    flags = (libvirt.VIR_DOMAIN_AFFECT_LIVE if active else 0) | (libvirt.VIR_DOMAIN_AFFECT_CONFIG if persistent else 0)
    element = note_element(note) if note else None
    try:
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, element, PREFIX if note else None, NAMESPACE, flags)
    except libvirt.libvirtError as error:
        if note is None and is_missing(error):
            return
        raise
