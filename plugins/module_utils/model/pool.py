# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage pools and the volumes that live in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from .host import Maintenance


class PoolScope(StrEnum):
    """Who can mount the pool: one host (local), the hosts of a cluster, or all hosts of a zone."""

    HOST = "host"
    CLUSTER = "cluster"
    ZONE = "zone"


class VolumeKind(StrEnum):
    """``root`` boots the VM; ``data`` are its other disks; ``iso`` is removable read-only media."""

    ROOT = "root"
    DATA = "data"
    ISO = "iso"


@dataclass(frozen=True, slots=True)
class Pool:
    """A storage pool.

    ``id`` is unique in the site (``kvm1/local`` for one that belongs to a host), ``name`` is the hypervisor's own. ``identity`` tells pools on
    several hosts apart or together (export, file-system id, datastore id); None: sharing cannot be inferred from facts. ``group`` is the cluster of datastores
    that it belongs to (vSphere: datastore cluster): whoever names that as a target gets one of its pools.
    ``closed_because``: why the hypervisor itself lets nothing new in (read-only, in a maintenance mode of its own); empty where it does.
    """

    id: str
    name: str
    kind: str = ""
    scope: PoolScope = PoolScope.HOST
    zone: str = ""
    pod: str = ""
    cluster: str = ""
    identity: str | None = None
    path: str = ""
    active: bool = True
    maintenance: Maintenance = field(default_factory=Maintenance)
    capacity_bytes: int | None = None
    free_bytes: int | None = None
    tags: frozenset[str] = frozenset()
    group: str = ""
    closed_because: str = ""

    @property
    def is_local(self) -> bool:
        """True where only one host can reach it."""
        return self.scope is PoolScope.HOST


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk of a VM.

    ``pool`` is the id of its pool, None for a disk outside any pool. ``device`` is the VM's name for it (``vda``). ``backing`` is the chain of
    images below it, nearest first.
    """

    id: str
    kind: VolumeKind = VolumeKind.DATA
    name: str = ""
    device: str = ""
    path: str = ""
    pool: str | None = None
    capacity_bytes: int | None = None
    allocated_bytes: int | None = None
    format: str = ""
    bus: str = ""
    cache_mode: str = ""
    backing: tuple[str, ...] = ()
    encrypted: bool = False
    read_only: bool = False
    shareable: bool = False
    tags: frozenset[str] = frozenset()
