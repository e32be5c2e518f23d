# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pools that an operator gave for a VM's volumes, resolved and checked for contradictions."""

from __future__ import annotations

from ..model.errors import InputError
from ..model.intent import Intent
from ..model.pool import Volume, VolumeKind
from ..model.site import Site
from ..model.vm import Vm


def given_pools(site: Site, vm: Vm, intent: Intent) -> dict[str, str]:
    """Pool ids by id of the volume. ``root_pool`` is for ROOT alone, for every volume with ``single_pool`` (CSV-16).

    Raises InputError: ``volume_unknown``, ``pool_unknown`` (CSV-17), ``mapping_contradictory``.
    """
    if intent.planned_pools:
        return {volume: pool for volume, pool in intent.planned_pools.items() if pool in site.pool_by_id}
    found: dict[str, str] = {}
    for named, pool in sorted(intent.volume_pools.items()):
        volume = find_volume(vm, named)
        if intent.volume not in ("", volume.id, volume.device):
            raise _contradiction(vm, f"volume {intent.volume} alone is to move, and {volume.id} is given a pool (CSH-16)")
        if found.setdefault(volume.id, pool) != pool:
            raise _contradiction(vm, f"volume {volume.id} is given to {found[volume.id]} and to {pool}")
    if intent.root_pool:
        for volume in _aimed_at(vm, intent):
            if found.setdefault(volume.id, intent.root_pool) != intent.root_pool:
                raise _contradiction(vm, f"volume {volume.id} is given to {found[volume.id]}, the target pool is {intent.root_pool}")
    asked_for = {"target_pool": intent.root_pool} | {f"volume_pools.{named}": pool for named, pool in sorted(intent.volume_pools.items())}
    for option, pool in asked_for.items():
        if pool and pool not in site.pool_by_id:
            known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
            raise InputError(option, f"pool {pool!r} is not in the site.", code="pool_unknown", hint=f"Known pools: {known}.")
    return found


def find_volume(vm: Vm, named: str) -> Volume:
    """The volume of that id or device. Raises InputError (``volume_unknown``)."""
    for volume in vm.volumes:
        if named in (volume.id, volume.device) and named:
            return volume
    known = ", ".join(volume.device or volume.id for volume in vm.volumes) or "none"
    raise InputError("volume_pools", f"VM {vm.name} has no volume {named!r}.", code="volume_unknown", hint=f"Its volumes: {known}.")


def _aimed_at(vm: Vm, intent: Intent) -> list[Volume]:
    disks = [volume for volume in vm.volumes if volume.kind is not VolumeKind.ISO]
    if intent.single_pool:
        return disks
    if intent.volume:
        return [find_volume(vm, intent.volume)]
    roots = [volume for volume in disks if volume.kind is VolumeKind.ROOT]
    if not roots:
        raise InputError("target_pool", f"VM {vm.name} has no ROOT volume.", code="volume_unknown", hint="Map its volumes one by one (volume_pools).")
    return roots[:1]


def _contradiction(vm: Vm, what: str) -> InputError:
    return InputError("volume_pools", f"the mapping of VM {vm.name} contradicts itself: {what}.", code="mapping_contradictory", hint="Give each volume once.")
