# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about how far a VM may go: within its cluster or its zone, as a product's capability has it."""

from __future__ import annotations

from ..model.migration import MigrationType
from ..model.pool import PoolScope, VolumeKind
from .rule import NOTHING, Case, Finding, Findings, lacks
from .volume_case import stays_in_memory


def same_zone(case: Case) -> Findings:
    """Candidates are the hosts of the VM's zone, or of its environment (CSV-06, PCD-01)."""
    return _same(case, "zone", "No move leads out of the zone")


def same_cluster(case: Case) -> Findings:
    """Without storage motion between clusters, or by the product's own rule, candidates are the hosts of the VM's cluster (CSV-06, CSK-05, PCD-02)."""
    return _same(case, "cluster", "The product moves VMs within their cluster only")


def cluster_of_live_moves(case: Case) -> Findings:
    """On KVM a VM that stays in memory moves inside its cluster, unless its host alone changes and all its disks are in pools of the whole zone
    (CSV-06, CSV-07, CSK-05). One that is off, or stopped for its move, is bound by its disks alone.
    """
    if not stays_in_memory(case.vm, case.intent.mode):
        return NOTHING
    if case.intent.type is MigrationType.HOST and _in_zone_pools(case):
        return NOTHING
    return same_cluster(case)


def _in_zone_pools(case: Case) -> bool:
    pools = case.planned.site.pool_by_id
    disks = [volume for volume in case.vm.volumes if volume.kind is not VolumeKind.ISO]
    return all((pool := pools.get(volume.pool or "")) is not None and pool.scope is PoolScope.ZONE for volume in disks)


def _same(case: Case, level: str, why: str) -> Findings:
    vm, host, source = case.vm, case.host, case.source
    here = getattr(source, level) if source is not None else ""
    there = getattr(host, level)
    if not here:
        return lacks(f"site.hosts.{vm.host}.{level}")
    if not there:
        return lacks(f"site.hosts.{host.name}.{level}")
    if here == there:
        return NOTHING
    text = f"VM {vm.name} is in {level} {here}, host {host.name} is in {level} {there}. {why}."
    return (Finding(text, f"Choose a host of {level} {here}."),)
