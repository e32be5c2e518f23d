# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting a detached volume of a simulated world."""

from __future__ import annotations

import dataclasses

from ...model.errors import InputError, StateConflict
from ...model.pool import Volume
from .engine import Draft


def delete(draft: Draft, volume: Volume) -> None:
    """See ``driver.Driver.delete_volume``."""
    moment = draft.moment
    if volume.id not in moment.loose_volumes:
        raise InputError("volume", f"No detached volume {volume.id!r} is in this world.", code="volume_unknown", hint="Take a fresh snapshot.")
    for host in moment.world.site.hosts:
        if volume.pool in host.pools:
            moment.require(host.name)
    names = {volume.id, volume.path} - {""}
    disks = [(vm.name, disk) for vm in moment.world.site.vms for disk in moment.volumes(vm.id)]
    disks += [(other.id, other) for other in moment.loose_volumes.values() if other.id != volume.id]
    users = sorted({owner for owner, disk in disks if names & {disk.id, *disk.backing}})
    if users or volume.id in moment.active_moves:
        text = f"{volume.id} is not deleted: {', '.join(users) or 'a copy that is being made'} needs it."
        raise StateConflict(text, code="volume_in_use", hint="Take it off the list.")
    original = next(each.id for each in moment.world.site.volumes if draft.state.volumes.get(each.id, each).id == volume.id)
    draft.state = dataclasses.replace(draft.state, deleted=draft.state.deleted | {original})
