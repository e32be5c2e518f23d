# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of one detached volume's move: the given pool, or the best one that takes it."""

from __future__ import annotations

from ..model.errors import InputError
from ..model.intent import StorageClass, VolumeFormat
from ..model.migration import Migration, MigrationType, Mode, VolumeMove
from ..model.plan import Plan, Unplaced
from ..model.pool import Volume
from ..model.pool_target import PoolTarget
from ..model.reason import hard
from ..model.request import PlanRequest
from ..model.site import Site
from ..rules.volume_place import class_of
from .planner import plan_id
from .pool_targets import find_pool_targets


def plan_volume(site: Site, volume: Volume, request: PlanRequest, target_pool: str = "") -> Plan:
    """One move that is made by one host which reaches both pools (CSV-12), or the reasons of every candidate. Its migration has no VM.

    Without ``target_pool`` the best pool of the volume's own class (or of ``request.intent.new_storage_class``) is taken. Raises InputError
    (``pool_unknown``).
    """
    if target_pool and target_pool not in site.pool_by_id:
        known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
        raise InputError("target_pool", f"pool {target_pool!r} is not in the site.", code="pool_unknown", hint=f"Known pools: {known}.")
    candidates = [
        target for target in find_pool_targets(site, None, volume, request, include_excluded=True) if _wanted(site, volume, request, target, target_pool)
    ]
    best = next((target for target in candidates if target.suitable_for_migration), None)
    name = volume.name or volume.id
    if best is None:
        own = () if candidates else (hard("no_candidate", f"No pool comes into question for volume {name}.", "Name a target pool."),)
        return Plan("", unplaced=(Unplaced(volume.id, name, "", own, {target.pool: target.reasons for target in candidates}),))
    move = VolumeMove(volume.id, volume.pool, best.pool, best.bytes_to_copy, format=_format(request, volume))
    migration = Migration(
        id="m001",
        vm="",
        vm_name=name,
        source_host=best.worker_host,
        target_host=best.worker_host,
        type=MigrationType.STORAGE,
        mode=Mode.OFFLINE,
        volumes=(move,),
        networks_used=best.networks_used,
        network=best.network,
        bytes_to_copy=best.bytes_to_copy,
        expected_seconds=best.expected_seconds,
        why=f"{best.pool} keeps {100 * best.score:.0f} % of its room; {best.worker_host} reaches both pools.",
        warnings=tuple(reason for reason in best.reasons if not reason.blocks),
    )
    seconds = best.expected_seconds
    return Plan(plan_id((migration,)), (migration,), makespan_seconds=seconds, lower_bound_seconds=seconds, bytes_to_copy=best.bytes_to_copy)


def _wanted(site: Site, volume: Volume, request: PlanRequest, target: PoolTarget, target_pool: str) -> bool:
    if target_pool:
        return target.pool == target_pool
    source = site.pool_by_id.get(volume.pool or "")
    given = request.intent.new_storage_class if request.intent is not None else None
    wanted = given or (class_of(source) if source is not None else StorageClass.SHARED)
    return class_of(site.pool_by_id[target.pool]) is wanted


def _format(request: PlanRequest, volume: Volume) -> str:
    wanted = request.intent.volume_format if request.intent is not None else VolumeFormat.SAME
    return "" if wanted is VolumeFormat.SAME or wanted.value == volume.format else wanted.value
