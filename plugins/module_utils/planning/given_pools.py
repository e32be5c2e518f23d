# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pools that an operator gave for a VM's volumes, resolved and checked for contradictions."""

from __future__ import annotations

from ..model.errors import InputError
from ..model.host import Host, MaintenanceState
from ..model.intent import Intent
from ..model.pool import Pool, Volume, VolumeKind
from ..model.site import Site
from ..model.vm import Vm


def given_pools(site: Site, vm: Vm, host: Host, intent: Intent) -> dict[str, str]:
    """Pool ids by id of the volume, for a VM that is on ``host`` afterwards. ``root_pool`` is for ROOT alone, for every volume with ``single_pool`` (CSV-16).
    Where a cluster of datastores is named, one of its pools is chosen.

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
    found = _members(site, vm, host, found, single=intent.single_pool)
    asked_for = {"target_pool": intent.root_pool} | {f"volume_pools.{named}": pool for named, pool in sorted(intent.volume_pools.items())}
    for option, pool in asked_for.items():
        if pool and pool not in site.pool_by_id and not group_of(site, pool):
            known = ", ".join(sorted({*site.pool_by_id, *(pool.group for pool in site.pools if pool.group)})[:20]) or "none"
            raise InputError(option, f"pool {pool!r} is not in the site.", code="pool_unknown", hint=f"Known pools: {known}.")
    return found


def group_of(site: Site, name: str) -> tuple[Pool, ...]:
    """The pools of the cluster of datastores with that name; none where there is no such cluster."""
    return tuple(pool for pool in site.pools if pool.group == name) if name else ()


def _members(site: Site, vm: Vm, host: Host, given: dict[str, str], *, single: bool) -> dict[str, str]:
    """With a pool in the place of every cluster of datastores: the one where the volume is, if the host reaches it, else the one with the most free share.
    With ``single`` one and the same for all.
    """
    now = {volume.id: volume.pool for volume in vm.volumes}
    found: dict[str, str] = {}
    chosen: dict[str, str] = {}
    for volume, name in given.items():
        members = () if name in site.pool_by_id else group_of(site, name)
        open_here = [pool for pool in members if pool.id in host.pools and _is_open(pool)]
        if not members:
            found[volume] = name
            continue
        at_home = next((pool.id for pool in open_here if pool.id == now.get(volume)), None)
        member = at_home or min(open_here or members, key=preferred).id
        found[volume] = chosen.setdefault(name, member) if single else member
    return found


def _is_open(pool: Pool) -> bool:
    return pool.active and not pool.closed_because and pool.maintenance.state is MaintenanceState.AVAILABLE


def preferred(pool: Pool, taken_bytes: int = 0) -> tuple[float, str]:
    """The key to sort pools by: free share after what is planned (unknown counts as none), then id."""
    if not pool.capacity_bytes or pool.free_bytes is None:
        return (1.0, pool.id)
    return (-(pool.free_bytes - taken_bytes) / pool.capacity_bytes, pool.id)


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
