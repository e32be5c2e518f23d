# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose the volumes of a pool are: a pure look at a snapshot that lists the pools' volumes."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.pool import Pool, Volume, VolumeKind
from ..model.pool_content import Owner, PoolContent
from ..model.site import Site
from ..model.vm import Vm


def contents_of(site: Site, pools: frozenset[str]) -> tuple[PoolContent, ...]:
    """Everything that is in these pools (ids), by pool and volume. ``site`` must list their volumes (``Scope.volumes_of``) and every VM in full detail.

    VMs of hosts that do not answer are not known: who needs a whole answer must know that all hosts of the pools answer.
    """
    found: dict[tuple[str, str], PoolContent] = {}
    for content in (*_disks(site, pools), *_below_disks(site, pools), *_loose(site, pools)):
        key = (content.pool, content.path or content.volume)
        known = found.get(key)
        found[key] = content if known is None else _joined(known, content)
    return tuple(sorted(found.values(), key=lambda content: (content.pool, content.volume)))


def pool_of_image(site: Site, host: str, image: str) -> str | None:
    """The pool (id) of an image that another one rests on: named by its volume's id, or by its path as that host has it."""
    known = site.host_by_name.get(host)
    here = [pool for pool in site.pools if known is None or pool.id in known.pools]
    holding = [pool for pool in here if image.startswith(f"{pool.id}/") or (pool.path and image.startswith(f"{pool.path.rstrip('/')}/"))]
    return max(holding, key=lambda pool: len(pool.path), default=_NO_POOL).id or None


_NO_POOL = Pool("", "")


def _joined(one: PoolContent, other: PoolContent) -> PoolContent:
    """One volume seen twice: a shared disk or medium of several VMs, or a template that is a disk, too."""
    first = one if one.owner is Owner.VM or other.owner is not Owner.VM else other
    if first.owner is Owner.ORPHAN and other.owner is not Owner.ORPHAN:
        first = other
    return PoolContent(
        first.pool,
        first.volume,
        first.name,
        first.owner,
        first.path,
        one.size_bytes if one.size_bytes is not None else other.size_bytes,
        tuple(sorted({*one.vms, *other.vms})),
        tuple(sorted({*one.volumes, *other.volumes})),
    )


def _disks(site: Site, pools: frozenset[str]) -> Iterator[PoolContent]:
    for vm in site.vms:
        for volume in vm.volumes:
            if volume.pool in pools:
                owner = Owner.ISO if volume.kind is VolumeKind.ISO else Owner.VM
                yield _content(volume, owner, (vm.name,))


def _below_disks(site: Site, pools: frozenset[str]) -> Iterator[PoolContent]:
    """Images that the disks of VMs rest on, wherever these disks are."""
    for vm in site.vms:
        for volume in vm.volumes:
            for image in volume.backing:
                pool = _below(site, vm, image)
                if pool in pools:
                    yield PoolContent(pool, image, image.rpartition("/")[2], Owner.TEMPLATE, _path(site, image), vms=(vm.name,))


def _below(site: Site, vm: Vm, image: str) -> str:
    return pool_of_image(site, vm.host, image) or ""


def _path(site: Site, image: str) -> str:
    """The path by which the same image is listed, where it is listed by an id here."""
    return next((volume.path for volume in site.volumes if volume.id == image and volume.path), image)


def _loose(site: Site, pools: frozenset[str]) -> Iterator[PoolContent]:
    for volume in site.volumes:
        if volume.pool not in pools:
            continue
        resting = tuple(sorted(other.id for other in site.volumes if other.id != volume.id and {volume.id, volume.path} & set(other.backing)))
        medium = volume.kind is VolumeKind.ISO or volume.format == "iso" or volume.name.lower().endswith(".iso")
        owner = Owner.ISO if medium else Owner.TEMPLATE if resting else Owner.ORPHAN
        yield _content(volume, owner, (), resting)


def _content(volume: Volume, owner: Owner, vms: tuple[str, ...], volumes: tuple[str, ...] = ()) -> PoolContent:
    size = volume.capacity_bytes if volume.allocated_bytes is None else volume.allocated_bytes
    name = volume.name or volume.device or volume.id
    return PoolContent(volume.pool or "", volume.id, name, owner, volume.path, size, vms, volumes)
