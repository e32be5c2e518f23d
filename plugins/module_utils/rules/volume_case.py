# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A question about one volume and one pool, and the space that the volume needs there."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.host import Host
from ..model.intent import Intent, VolumeFormat
from ..model.migration import MigrationType, Mode
from ..model.pool import Pool, PoolScope, Volume
from ..model.site import Site
from ..model.vm import Vm

ONLINE_MODES = frozenset({Mode.LIVE, Mode.SUSPENDED})
"""Modes that keep the guest in memory (CAS-52: a suspended one is not off)."""

FORMAT_CHANGE_FACTOR = 2
"""A volume whose format changes needs room for both forms (CAS-17)."""


@dataclass(frozen=True, slots=True)
class Space:
    """Space needed in a pool. ``strictly``: more than so many bytes must be free (CAS-16), else exactly so many are enough (CAS-17)."""

    needed_bytes: int = 0
    strictly: bool = False

    def __add__(self, other: Space) -> Space:
        """Both together, over volumes and VMs."""
        return Space(self.needed_bytes + other.needed_bytes, self.strictly or other.strictly)

    def fits_into(self, free_bytes: int) -> bool:
        """True where so much free space is enough."""
        return free_bytes > self.needed_bytes if self.strictly else free_bytes >= self.needed_bytes


@dataclass(frozen=True, slots=True)
class VolumeCase:
    """May this volume go to this pool, the VM being on ``host`` afterwards?

    ``vm`` is None for a detached volume; ``host`` is then one that could do the copying, None where there is none. ``origin`` is the VM's present host,
    ``source_pool`` None for a volume outside any pool. ``taken`` is what others of the plan need in the pool.
    """

    site: Site
    vm: Vm | None
    volume: Volume
    source_pool: Pool | None
    pool: Pool
    origin: Host | None
    host: Host | None
    intent: Intent
    taken: Space = Space()

    @property
    def is_online(self) -> bool:
        """True where the guest runs, or waits in memory, while its volume moves."""
        return self.vm is not None and stays_in_memory(self.vm, self.intent.mode)

    @property
    def stays_on_host(self) -> bool:
        """True where only the storage changes."""
        return self.intent.type is MigrationType.STORAGE

    @property
    def changes_format(self) -> bool:
        """True where the volume gets another format than it has; an unknown one counts as another."""
        wanted = self.intent.volume_format
        return wanted is not VolumeFormat.SAME and self.volume.format != wanted.value

    @property
    def needs(self) -> Space | None:
        """What the volume needs in the pool; None where its size is unknown."""
        size_bytes = self.volume.capacity_bytes
        if size_bytes is None:
            return None
        return Space(FORMAT_CHANGE_FACTOR * size_bytes) if self.changes_format else Space(size_bytes, strictly=True)


def stays_in_memory(vm: Vm, mode: Mode) -> bool:
    """True where the guest runs, or waits in memory, during a move in that mode."""
    return vm.is_active and mode in ONLINE_MODES


def home_of(site: Site, pool: Pool) -> Host | None:
    """The host that a local pool belongs to."""
    if not pool.is_local:
        return None
    named = site.host_by_name.get(pool.id.rpartition("/")[0])
    return named or next((host for host in sorted(site.hosts, key=lambda host: host.name) if pool.id in host.pools), None)


def cluster_of(site: Site, pool: Pool) -> str:
    """The cluster that a pool belongs to; empty for one of a whole zone, or where it is unknown."""
    if pool.scope is PoolScope.ZONE:
        return ""
    home = home_of(site, pool)
    return pool.cluster or (home.cluster if home else "")


def pod_of(site: Site, pool: Pool) -> str:
    """The pod that a pool belongs to; empty for one of a whole zone, or where it is unknown."""
    if pool.scope is PoolScope.ZONE:
        return ""
    home = home_of(site, pool)
    return pool.pod or (home.pod if home else "")
