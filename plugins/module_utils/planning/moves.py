# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns places and a time line into migrations: what each one copies, over which way, why there, and where to next if it fails."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from ..model.host import Host
from ..model.intent import Intent
from ..model.migration import DiskCopy, Migration, VolumeMove
from ..model.reason import Reason, warning
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.evaluate import refuses
from ..rules.network import mapped_networks
from ..rules.planned import PlannedSite
from ..rules.rule import About
from .advice import advice
from .against import all_reasons_at
from .candidates import Allowed, candidates
from .copies import Copies
from .durations import MAX_ROUNDS
from .jobs import Job, Slot
from .networks import slow_link
from .ranking import RankedHosts, preference
from .storage_part import vm_reasons
from .timetable import type_of_move

NEXT_TARGETS = 4
LOOKED_AT = 64
"""So many hosts, by preference, are asked for a next target; more would only make large plans slow."""


def volume_moves(vm: Vm) -> tuple[VolumeMove, ...]:
    """A move by host leaves every volume where it is."""
    return tuple(VolumeMove(volume.id, volume.pool, volume.pool, device=volume.device) for volume in vm.volumes)


class Moves:
    """Makes the migrations of one plan. Its planned state has every VM on both ends, as at the worst moment of the plan."""

    def __init__(self, site: Site, request: PlanRequest, host_of: Mapping[str, str], copies: Copies, allowed: Allowed) -> None:
        self._site, self._request, self._host_of, self._copies = site, request, host_of, copies
        self.planned = PlannedSite(site, frozenset(host_of), request.avoid_hosts)
        for vm_id, target in host_of.items():
            self.planned.hold(vm_id, target)
        self._allowed = allowed
        self._ranked = RankedHosts(self.planned, candidates(site, request))

    def migration(self, job: Job, slot: Slot, number: str) -> Migration:
        """The migration of a job that has its slot."""
        vm = job.vm
        target = self._site.host_by_name[job.target]
        course = job.at(slot.bandwidth_mbps)
        intent, part = self._request.of(vm.id).intent or Intent(), self._copies.part_of.get(vm.id)
        others = self._next_targets(vm, target)
        return Migration(
            id=number,
            vm=vm.id,
            vm_name=vm.name,
            source_host=job.source,
            target_host=job.target,
            type=type_of_move(intent, part),
            mode=intent.mode,
            memory_mib=vm.memory_mib,
            volumes=volume_moves(vm) if part is None else part.moves,
            disk_copy=DiskCopy.NONE if part is None else part.disk_copy,
            flatten=intent.flatten,
            network_map={} if job.target == job.source else mapped_networks(vm, intent.network_map),
            networks_used=job.route.networks_used,
            network=job.route.network,
            links=job.route.links,
            bytes_to_copy=course.bytes,
            bandwidth_mbps=round(slot.bandwidth_mbps, 1),
            expected_seconds=round(slot.end - slot.start, 1),
            expected_start_seconds=round(slot.start, 1),
            expected_downtime_ms=round(course.downtime_ms, 1),
            next_targets=tuple(host.name for host in others),
            why=self._why(vm, target, others),
            warnings=self._warnings(vm, target, job, course.seconds) + (() if course.converges else (may_not_converge(vm, slot.bandwidth_mbps),)),
        )

    def _warnings(self, vm: Vm, target: Host, job: Job, seconds: float) -> tuple[Reason, ...]:
        request, part = self._request.of(vm.id), self._copies.part_of.get(vm.id)
        # Alone, as it is found too: what the rest of the plan takes from its pools was counted when the volumes were mapped.
        found = vm_reasons(self._site, vm, request) + all_reasons_at(self.planned, vm, target, request, part)
        found += slow_link(vm, job.route, job.disk_bytes) + advice(request.intent, vm, target, self._site, seconds, request.capabilities)
        return tuple(reason for reason in found if not reason.blocks)

    def _next_targets(self, vm: Vm, target: Host) -> list[Host]:
        looked_at = itertools.islice(self._ranked.best_first(vm.memory_mib), LOOKED_AT)
        good = (host for host in looked_at if host.name not in (target.name, vm.host) and self._suits(vm, host))
        return list(itertools.islice(good, NEXT_TARGETS))

    def _suits(self, vm: Vm, host: Host) -> bool:
        consents = self._request.consents
        if not self._allowed.may_go(vm, host, consents):
            return False
        return not refuses(self.planned, vm, host, self._site.profile, consents, About.PLANNED_STATE)

    def _why(self, vm: Vm, target: Host, others: list[Host]) -> str:
        if target.name == vm.host:
            return self._why_pools(vm)
        share = self._share(target, 0)
        if not others:
            return f"{target.name} is the only host that can take it as the plan stands; {share} of its memory stays free."
        second = others[0]
        if preference(target, self.planned.memory_free_mib(target.name), 0) <= preference(second, self.planned.memory_free_mib(second.name), vm.memory_mib):
            return f"{target.name} keeps {share} of its memory free, {second.name} as next best {self._share(second, vm.memory_mib)}."
        text = f"{target.name} keeps {share} of its memory free; {second.name} would keep {self._share(second, vm.memory_mib)}"
        return f"{text}, but is left for others of the plan."

    def _why_pools(self, vm: Vm) -> str:
        moves = [move for move in self._copies.part_of[vm.id].moves if move.moves]
        return "; ".join(f"{move.device or move.volume} goes to {move.target_pool}" for move in moves) + "."

    def _share(self, host: Host, memory_mib: int) -> str:
        share = -preference(host, self.planned.memory_free_mib(host.name), memory_mib)[0]
        return f"{100 * share:.0f} %" if host.memory_mib else "an unknown share"


def may_not_converge(vm: Vm, bandwidth_mbps: float) -> Reason:
    """The guest rewrites its memory faster than the way can carry it."""
    text = (
        f"VM {vm.name} rewrites {vm.dirty_rate_mib_s or 0:.0f} MiB/s, too much for {bandwidth_mbps:.0f} Mbit/s: "
        f"its move may not end by itself (estimated with {MAX_ROUNDS} rounds)."
    )
    return warning("may_not_converge", text, "Use auto_converge, a larger max_downtime_ms, fewer moves at once, or move it at a quiet hour.")
