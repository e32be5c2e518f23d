# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The definitions of a VM's snapshots: libvirt moves no VM that has any, so they are written into its note, taken off, and put back on the other side.

Only the definitions: what a snapshot holds is in the disks, which stay where they are. Every step may be repeated, from the note alone.
"""

from __future__ import annotations

from ...model.errors import StateConflict
from ...model.migration import Migration, Mode
from ...model.note import VmNote
from ...model.reason import Reason, hard, warning
from .domain_xml import parse
from .domains import Domain
from .library import libvirt

MOST_BYTES = 1024 * 1024
"""As much as a note may hold of them: libvirt's messages carry four times as much, and a note's quotation marks are doubled (measured with 9.0)."""


def read_snapshots(domain: Domain) -> tuple[tuple[str, ...], str]:
    """The definitions of all snapshots, parents first, and the name of the current one. Without passwords, because anybody may read a note."""
    found = domain.listAllSnapshots(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)
    current = domain.snapshotCurrent().getName() if found and domain.hasCurrentSnapshot() else ""
    return tuple(snapshot.getXMLDesc(0) for snapshot in found), current


def check_snapshots(domain: Domain, migration: Migration) -> tuple[Reason, ...]:
    """Reasons against a move with the snapshots that the VM has. Where disks are copied, what the snapshots hold would not be: libvirt mirrors the present."""
    found = domain.listAllSnapshots(0)
    if not found:
        return ()
    if migration.mode in (Mode.LIVE, Mode.SUSPENDED) and any(volume.moves for volume in migration.volumes):
        text = f"VM {migration.vm_name} has {len(found)} snapshots, whose contents a live copy of its disks leaves behind."
        return (hard("has_snapshots", text, "Move the host alone, move it cold, or delete the snapshots."),)
    if sum(len(snapshot.getXMLDesc(0)) for snapshot in found) > MOST_BYTES:
        text = f"The definitions of the {len(found)} snapshots of VM {migration.vm_name} are larger than a note can hold ({MOST_BYTES // 1024} KiB)."
        return (hard("has_snapshots", text, "Delete snapshots that are not needed any more."),)
    secret = [snapshot.getName() for snapshot in found if _has_password(snapshot.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE))]
    if secret:
        text = f"The console's password in these snapshots of VM {migration.vm_name} does not come along: {', '.join(secret)}."
        return (warning("snapshot_password", text, "Set it anew after going back to one of them."),)
    return ()


def take_off(domain: Domain, note: VmNote) -> None:
    """Remove the definitions that the note holds, children first. Raises StateConflict where there is one that it does not hold."""
    noted = set(note.snapshots)
    found = domain.listAllSnapshots(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)
    for snapshot in found:
        if snapshot.getXMLDesc(0) not in noted:
            text = f"VM {domain.name()} has got snapshot {snapshot.getName()} in this moment."
            raise StateConflict(text, hint="Run the task again.")
    for snapshot in reversed(found):
        snapshot.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)


def put_back(domain: Domain, note: VmNote) -> None:
    """Define the snapshots that the note holds and the domain lacks, parents first, with the current one as it was."""
    there = set(domain.snapshotListNames(0)) if note.snapshots else set()
    missing = [xml for xml in note.snapshots if name_of(xml) not in there]
    for xml in missing:
        _redefine(domain, xml, note)
    if note.current_snapshot and not domain.hasCurrentSnapshot():
        for xml in note.snapshots:
            if name_of(xml) == note.current_snapshot:
                _redefine(domain, xml, note)


def _redefine(domain: Domain, xml: str, note: VmNote) -> None:
    current: int = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT if name_of(xml) == note.current_snapshot else 0
    domain.snapshotCreateXML(xml, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | current)


def name_of(xml: str) -> str:
    """The name in a snapshot's definition."""
    name: str = parse(xml).findtext("./name", "")
    return name


def _has_password(xml: str) -> bool:
    return any(graphics.get("passwd") for graphics in parse(xml).iter("graphics"))
