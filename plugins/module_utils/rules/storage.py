# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the VM's disks: can the destination reach every one of them."""

from __future__ import annotations

from ..model.pool import Pool, Volume, VolumeKind
from .rule import NOTHING, Case, Finding, Findings


def described(volume: Volume) -> str:
    """The words for a volume in messages."""
    name = volume.name or volume.path or volume.id
    return f"ISO image {name}" if volume.kind is VolumeKind.ISO else f"disk {volume.device or name}"


def volumes_in_pools(case: Case) -> list[tuple[Volume, str, Pool | None]]:
    """The volumes that live in a pool, with the pool's id and facts (None where the site does not hold the pool)."""
    pools = case.planned.site.pool_by_id
    return [(volume, volume.pool, pools.get(volume.pool)) for volume in case.vm.volumes if volume.pool is not None]


def pool_mounted(case: Case) -> Findings:
    """Every shared pool that the VM's disks are in must be mounted and active on the destination (CAS-06, CSK-08)."""
    return tuple(
        Finding(
            f"Pool {pool_id} with {described(volume)} of VM {case.vm.name} is not mounted or not active on host {case.host.name}.",
            f"Mount and start the pool on {case.host.name}, or eject the image."
            if volume.kind is VolumeKind.ISO
            else f"Mount and start it on {case.host.name}.",
        )
        for volume, pool_id, pool in volumes_in_pools(case)
        if pool_id not in case.host.pools and not (pool and pool.is_local)
    )


def local(case: Case) -> Findings:
    """A disk in a pool of one host can only come along with its storage (CAS-06: change host is for shared pools only)."""
    found = [(volume, pool_id) for volume, pool_id, pool in volumes_in_pools(case) if pool and pool.is_local and pool_id not in case.host.pools]
    if not found:
        return NOTHING
    return tuple(
        Finding(
            f"VM {case.vm.name} has {described(volume)} in pool {pool_id}, which only host {case.vm.host} reaches.",
            "Eject the image."
            if volume.kind is VolumeKind.ISO
            else "It can only move together with its storage (type host_storage), or after its disk was moved to a shared pool.",
        )
        for volume, pool_id in found
    )


def in_a_pool(case: Case) -> Findings:
    """A disk outside any pool may be shared or not: nothing can prove that the destination would open the same one."""
    loose = [volume for volume in case.vm.volumes if volume.pool is None and (volume.path or volume.kind is not VolumeKind.ISO)]
    if not loose:
        return NOTHING
    proven = tuple(pool.path.rstrip("/") + "/" for pool in case.planned.site.pools if pool.path and _is_proven(pool) and pool.id in case.host.pools)
    return tuple(
        Finding(
            f"{described(volume).capitalize()} of VM {case.vm.name} ({volume.path or volume.id}) is in no storage pool of host {case.vm.host}.",
            "Eject the image."
            if volume.kind is VolumeKind.ISO
            else "Define a pool for its folder on both hosts, or consent if you know that both see the same file.",
        )
        for volume in loose
        if not volume.path.startswith(proven)
    )


def sharing_proven(case: Case) -> Findings:
    """A pool that both hosts mount under one name may still be two (PCD-14): without an identity, sharing rests on the overlay's word."""
    mounted = {pool_id: pool for _volume, pool_id, pool in volumes_in_pools(case) if pool_id in case.host.pools}
    unknown = tuple(Finding("", unknown=f"site.pools.{pool_id}.scope") for pool_id, pool in sorted(mounted.items()) if pool is None)
    return unknown + tuple(
        Finding(
            f"That pool {pool_id} is the same storage on host {case.vm.host} and host {case.host.name} is declared, not proven.",
            f"Give site.pools.{pool_id}.identity (export, file-system id), or make sure of it.",
        )
        for pool_id, pool in sorted(mounted.items())
        if pool and not pool.is_local and not _is_proven(pool)
    )


def _is_proven(pool: Pool) -> bool:
    """One identity seen from several hosts is one storage."""
    return pool.identity is not None and not pool.is_local
