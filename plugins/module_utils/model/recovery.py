# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recovery of the VMs of a dead host: the definitions kept for it, and the note that outlives it on the other hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .host import Maintenance, MaintenanceState
from .site import Site

FORM = 1
"""Raised when an older file of definitions cannot be read any more."""


RECOVER = "recover"
"""The ``migration_type`` in the note of a recovered VM."""

RECOVERING = "recovering"
"""The ``stage`` in that note from before the VM is defined until it runs and has its autostart back."""


@dataclass(frozen=True)
class Definitions:
    """What ``site_info`` keeps for the day on which a host is dead: the whole site, and the hypervisor's own definition of each VM, without secrets.

    ``texts`` are the definitions by VM id, in the form of the driver ``site.driver``. ``taken_at`` says by host when its part was read (epoch seconds): a
    host that did not answer since keeps what was known of it.
    """

    site: Site
    texts: Mapping[str, str]
    taken_at: Mapping[str, float] = field(default_factory=dict)
    form: int = FORM


@dataclass(frozen=True, slots=True)
class RecoveredVm:
    """A VM of a dead host, and the host that it was recovered to."""

    id: str
    name: str
    target: str


@dataclass(frozen=True, slots=True)
class RecoveryNote:
    """Kept with every other host before the first VM of the dead ``host`` is started elsewhere, until its stale definitions are removed.

    ``vms`` are all that were to be recovered, whatever became of each: that is asked of the hypervisors. ``by`` acted, ``fenced_by`` vouched for the host's
    death; ``since`` is in epoch seconds.
    """

    host: str
    vms: tuple[RecoveredVm, ...] = ()
    by: str = ""
    fenced_by: str = ""
    why: str = ""
    since: float = 0.0
    operation_id: str = ""

    def joined(self, other: RecoveryNote) -> RecoveryNote:
        """Both notes about one host as one: a second run recovers only what the first one left, and hosts may have missed either."""
        newest = self if self.since >= other.since else other
        vms = {vm.id: vm for note in sorted((self, other), key=lambda note: note.since) for vm in note.vms}
        return RecoveryNote(self.host, tuple(vms.values()), newest.by, newest.fenced_by, newest.why, newest.since, newest.operation_id)


def closed_by(maintenance: Maintenance, note: RecoveryNote | None) -> Maintenance:
    """The condition of a host whose VMs were recovered elsewhere: closed until its stale definitions are removed, whatever it says itself."""
    if note is None or maintenance.state is not MaintenanceState.AVAILABLE:
        return maintenance
    why = f"its VMs were recovered elsewhere{f' ({note.why})' if note.why else ''}; it may have stale definitions of them"
    return Maintenance(MaintenanceState.MAINTENANCE, note.by, why, note.since, note.operation_id)
