# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which volume of a VM goes to which pool: all given, ROOT alone with the rest completed in the same destination cluster, or none given (CSV-14)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..model.host import Host
from ..model.intent import Intent, VolumeFormat
from ..model.migration import DiskCopy, MigrationType, VolumeMove
from ..model.pool import Pool, Volume, VolumeKind
from ..model.reason import Reason, Severity, blocking, hard, warning
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import evaluate_volume
from ..rules.volume_case import VolumeCase, cluster_of
from ..rules.volume_place import class_of
from .copying import disk_copy
from .given_pools import given_pools, preferred
from .space import PlannedSpace

MOST_TRIES = 2000
"""So many assignments of pools are tried for one VM; the first one is right unless pools are nearly full."""


@dataclass(frozen=True, slots=True)
class VolumeMapping:
    """Where each volume of the VM is afterwards, the unmoved ones included (CSH-34), and every reason against it.

    ``staying`` are the volumes that the destination reads where they are. ``pools`` maps the moved ones (ids) to pool ids, ``disk_copy`` says how all of
    them are copied.
    """

    moves: tuple[VolumeMove, ...] = ()
    reasons: tuple[Reason, ...] = ()
    staying: tuple[Volume, ...] = ()
    disk_copy: DiskCopy = DiskCopy.NONE

    @property
    def pools(self) -> dict[str, str]:
        """Pool ids of the volumes that move, by id of the volume."""
        return {move.volume: move.target_pool for move in self.moves if move.target_pool is not None and move.target_pool != move.source_pool}

    @property
    def bytes_to_copy(self) -> int:
        """All that is copied: whole disks (PCD-15)."""
        return sum(move.bytes_to_copy for move in self.moves)

    @property
    def moves_storage(self) -> bool:
        """True where at least one volume changes its pool."""
        return any(move.source_pool != move.target_pool for move in self.moves)


def map_volumes(site: Site, vm: Vm, host: Host, intent: Intent, planned: PlannedSpace | None = None, consents: frozenset[str] = frozenset()) -> VolumeMapping:
    """Maps the volumes of a VM that is on ``host`` afterwards. Its choices leave nothing to chance: most free share first, then the pool's id.

    ``planned`` is what other VMs of the plan take; where nothing forbids the mapping, its own share is added. A mapping that was given is kept to or refused,
    never changed (CSH-20). Raises InputError (``volume_unknown``, ``pool_unknown``, ``mapping_contradictory``).
    """
    mapper = _Mapper(site, vm, host, intent, consents, PlannedSpace() if planned is None else planned.copy())
    found = mapper.map()
    if planned is not None and not blocking(found.reasons):
        for volume_id, pool_id in found.pools.items():
            volume = next(volume for volume in vm.volumes if volume.id == volume_id)
            planned.take(pool_id, mapper.case(volume, site.pool_by_id[pool_id]).needs)
    return found


class _Mapper:
    def __init__(self, site: Site, vm: Vm, host: Host, intent: Intent, consents: frozenset[str], space: PlannedSpace) -> None:
        self._site, self._vm, self._host, self._intent, self._consents, self._space = site, vm, host, intent, consents, space
        self._origin = site.host_by_name.get(vm.host)
        self._given = given_pools(site, vm, host, intent)
        clusters = {cluster_of(site, site.pool_by_id[pool]) for pool in self._given.values()} - {""}
        self._clusters = sorted(clusters)
        self._cluster = self._clusters[0] if self._clusters else host.cluster

    def map(self) -> VolumeMapping:
        """The whole answer."""
        chosen: dict[str, str] = {}
        reasons: list[Reason] = [*self._spanning(), *self._left_behind()]
        for volume in self._vm.volumes:
            if volume.id in self._given:
                pool = self._site.pool_by_id[self._given[volume.id]]
                chosen[volume.id] = pool.id
                if pool.id != volume.pool or not self._may_stay(volume):
                    reasons.extend(self._judged(volume, pool))
                    self._space.take(pool.id, self.case(volume, pool).needs)
        free = [volume for volume in self._vm.volumes if volume.id not in chosen and not self._may_stay(volume)]
        assigned, refusals = self._assign(free)
        for volume_id, pool in assigned.items():
            volume = next(volume for volume in free if volume.id == volume_id)
            chosen[volume_id] = pool.id
            reasons.extend(reason for reason in self._judged(volume, pool) if not reason.blocks)
        moved = (volume for volume in self._vm.volumes if chosen.get(volume.id, volume.pool) != volume.pool)
        copy = disk_copy(moved, flatten=self._intent.flatten)
        return VolumeMapping(self._moves(chosen), (*reasons, *refusals), self._staying(chosen, free), copy)

    def case(self, volume: Volume, pool: Pool) -> VolumeCase:
        """The question about that volume and that pool, with what is planned there."""
        source = None if volume.pool is None else self._site.pool_by_id.get(volume.pool)
        taken = self._space.taken_in(pool.id)
        return VolumeCase(self._site, self._vm, volume, source, pool, self._origin, self._host, self._intent, taken)

    def _judged(self, volume: Volume, pool: Pool) -> tuple[Reason, ...]:
        return evaluate_volume(self.case(volume, pool), self._site.profile, self._consents)

    def _spanning(self) -> tuple[Reason, ...]:
        if len(self._clusters) < 2 or self._intent.planned_pools:
            return ()
        text = f"The pools given for VM {self._vm.name} are in {len(self._clusters)} clusters: {', '.join(self._clusters)}."
        return (hard("mapping_spans_clusters", text, "Give pools of one cluster, or of the whole zone.", ("CSV-14",)),)

    def _left_behind(self) -> Iterator[Reason]:
        """Where every volume is to move and none was given a pool, one that has none to be moved out of is told, never passed over."""
        if not self._stays_asked() or self._intent.volume:
            return
        for volume in self._vm.volumes:
            if volume.kind is VolumeKind.ISO or volume.pool in self._site.pool_by_id:
                continue
            what = f"Volume {volume.name or volume.device or volume.id} of VM {self._vm.name}"
            if volume.pool is None:
                text = f"{what} ({volume.path or volume.id}) is in no storage pool, so its storage cannot be changed."
                yield hard("volume_not_in_pool", text, "Define a pool for its folder, or name the volumes that are to move (volume_pools).")
            else:
                text = f"{what} stays where it is: its pool {volume.pool} is not known."
                yield warning("fact_unknown", text, f"Give site.pools.{volume.pool} in the overlay.")

    def _may_stay(self, volume: Volume) -> bool:
        """A volume that nobody mapped stays where the destination reaches it, and where it is of the destination cluster (CSV-14)."""
        intent = self._intent
        if volume.kind is VolumeKind.ISO:
            return True
        if intent.volume:
            return intent.volume not in (volume.id, volume.device)
        if volume.pool is None or volume.pool not in self._site.pool_by_id:
            return volume.id not in self._given
        if volume.pool in intent.leave_pools:
            return False
        if volume.id not in self._given and self._stays_asked():
            return False
        if self._clusters and cluster_of(self._site, self._site.pool_by_id[volume.pool]) not in ("", self._cluster):
            return False
        return self._stopped_elsewhere() or volume.pool in self._host.pools

    def _stays_asked(self) -> bool:
        """True where only the storage is to change and no pool was given: then every volume moves."""
        return self._host.name == self._vm.host and not self._given and not self._intent.leave_pools

    def _stopped_elsewhere(self) -> bool:
        return self._host.name == self._vm.host and self._cluster != self._host.cluster

    def _candidates(self, volume: Volume) -> list[Pool]:
        """Pools of the destination cluster, or of its zone, that take the volume in its class, the best first."""
        source = None if volume.pool is None else self._site.pool_by_id.get(volume.pool)
        if source is None:
            return []
        wanted = self._intent.new_storage_class or class_of(source)
        found = []
        anywhere = self._intent.type is MigrationType.STORAGE and not self._vm.is_active
        for pool in self._site.pools:
            if pool.id in self._intent.leave_pools or (pool.id not in self._host.pools and not anywhere):
                continue
            if self._intent.target_pools and pool.id not in self._intent.target_pools:
                continue
            if pool.id == volume.pool or class_of(pool) is not wanted or cluster_of(self._site, pool) not in ("", self._cluster):
                continue
            if not blocking(self._judged(volume, pool)):
                found.append(pool)
        return sorted(found, key=preferred)

    def _assign(self, free: list[Volume]) -> tuple[dict[str, Pool], list[Reason]]:
        options = {volume.id: self._candidates(volume) for volume in free}
        refusals = [self._no_pool(volume) for volume in free if not options[volume.id]]
        placed = sorted((volume for volume in free if options[volume.id]), key=lambda volume: (-(volume.capacity_bytes or 0), volume.id))
        found = next(self._assignments(placed, options, self._space, [MOST_TRIES]), None)
        if found is None:
            return {}, refusals + [self._no_pool(volume, together=True) for volume in placed]
        for volume_id, pool in found.items():
            volume = next(volume for volume in placed if volume.id == volume_id)
            self._space.take(pool.id, self.case(volume, pool).needs)
        return found, refusals

    def _assignments(self, volumes: list[Volume], options: Mapping[str, list[Pool]], space: PlannedSpace, tries: list[int]) -> Iterator[dict[str, Pool]]:
        """Every way to give each volume one of its pools, such that all fit together; the largest volume chooses first."""
        if not volumes:
            yield {}
            return
        volume, rest = volumes[0], volumes[1:]
        for pool in sorted(options[volume.id], key=lambda pool: preferred(pool, space.taken_in(pool.id).needed_bytes)):
            tries[0] -= 1
            if tries[0] < 0:
                return
            case = dataclasses.replace(self.case(volume, pool), taken=space.taken_in(pool.id))
            if blocking(evaluate_volume(case, self._site.profile, self._consents)):
                continue
            after = space.copy()
            after.take(pool.id, case.needs)
            for others in self._assignments(rest, options, after, tries):
                yield {volume.id: pool, **others}

    def _no_pool(self, volume: Volume, *, together: bool = False) -> Reason:
        source = None if volume.pool is None else self._site.pool_by_id.get(volume.pool)
        what = f"Volume {volume.name or volume.device or volume.id} of VM {self._vm.name}"
        where = f"cluster {self._cluster}" if self._cluster else "reach"
        wanted = (self._intent.new_storage_class or class_of(source)).value if source else "suitable"
        if together:
            text = f"{what} has pools on host {self._host.name}, but not all volumes that must move fit into them together."
        else:
            text = f"{what} finds no {wanted} pool in {where} of host {self._host.name} that takes it{self._why(volume)}."
        hint = "Free or mount a pool there, map the volume, or choose another host."
        return Reason("no_pool_for_volume", Severity.HARD, text, hint, "", ("CSV-14", "CSH-10"))

    def _why(self, volume: Volume) -> str:
        found: list[str] = []
        for pool in sorted(self._site.pools, key=lambda pool: pool.id):
            if pool.id != volume.pool and pool.id in self._host.pools:
                codes = [reason.code for reason in blocking(self._judged(volume, pool))]
                if codes:
                    found.append(f"{pool.id} {', '.join(codes)}")
        return f" ({'; '.join(found[:5])})" if found else ""

    def _moves(self, chosen: Mapping[str, str]) -> tuple[VolumeMove, ...]:
        found = []
        for volume in self._vm.volumes:
            target = chosen.get(volume.id, volume.pool)
            copied = 0 if target == volume.pool else volume.capacity_bytes or 0
            found.append(VolumeMove(volume.id, volume.pool, target, copied, volume.device, self._format_after(volume) if target != volume.pool else ""))
        return tuple(found)

    def _format_after(self, volume: Volume) -> str:
        """The format where it changes (CAS-48), empty where it stays."""
        wanted = self._intent.volume_format
        return "" if wanted is VolumeFormat.SAME or wanted.value == volume.format else wanted.value

    def _staying(self, chosen: Mapping[str, str], free: list[Volume]) -> tuple[Volume, ...]:
        unplaced = {volume.id for volume in free}
        return tuple(volume for volume in self._vm.volumes if volume.id not in unplaced and chosen.get(volume.id, volume.pool) == volume.pool)
