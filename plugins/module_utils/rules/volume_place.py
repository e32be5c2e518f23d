# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about a volume's new pool: reached by the right host, open, of the right class, with the right tags, with room."""

from __future__ import annotations

from ..model.host import HostState, MaintenanceState
from ..model.intent import StorageClass
from ..model.migration import MigrationType
from ..model.pool import Pool, PoolScope
from .rule import NOTHING, Finding, Findings, lacks
from .storage import described
from .volume_case import VolumeCase, cluster_of, pod_of


def subject(case: VolumeCase) -> str:
    """The words for the volume in messages."""
    return f"{described(case.volume)} of VM {case.vm.name}" if case.vm else f"detached {described(case.volume)}"


def opening(case: VolumeCase) -> str:
    """The same words at the beginning of a sentence."""
    text = subject(case)
    return text[0].upper() + text[1:]


def _fact(case: VolumeCase, name: str) -> str:
    owner = f"site.vms.{case.vm.name}.volumes" if case.vm else "site.volumes"
    return f"{owner}.{case.volume.device or case.volume.id}.{name}"


def without_source(case: VolumeCase, name: str) -> Findings:
    """That a fact of the volume's present pool is not known, where the site does not hold that pool; nothing for a volume outside any pool."""
    if case.source_pool is not None or case.volume.pool is None:
        return NOTHING
    return lacks(f"site.pools.{case.volume.pool}.{name}")


def mounted(case: VolumeCase, *, anywhere_when_off: bool = True) -> Findings:
    """The pool must be mounted and active on the host that the VM is on afterwards (CSV-03, CSK-08, CAS-09, CAS-10, CAS-29, CAS-30).

    ``anywhere_when_off``: for a VM that is off and stays off while its storage alone changes, any host that answers will do (CSV-13); one that is stopped
    for a cold move is started again on its host.
    """
    host, pool = case.host, case.pool
    if host is None or (pool.id in host.pools and pool.active):
        return NOTHING
    stopped = case.stays_on_host and (case.vm is None or not case.vm.is_active)
    if pool.active and anywhere_when_off and stopped and any(pool.id in other.pools and other.state is HostState.UP for other in case.site.hosts):
        return NOTHING
    text = f"Pool {pool.id}, meant for {subject(case)}, is not mounted or not active on host {host.name}."
    return (Finding(text, f"Mount and start it on {host.name}, or choose another pool."),)


def worker(case: VolumeCase) -> Findings:
    """A detached volume is copied by a host that reaches both pools, never over a third store (CSV-12)."""
    if case.vm is not None or case.host is not None:
        return NOTHING
    source = case.source_pool.id if case.source_pool else "its present place"
    text = f"No host that answers reaches both {source} and pool {case.pool.id} to copy {subject(case)}."
    return (Finding(text, "Mount both pools on one host, or choose another pool."),)


def open_to_volumes(case: VolumeCase) -> Findings:
    """The pool must not be in maintenance, nor be prepared for it."""
    note = case.pool.maintenance
    if note.state is MaintenanceState.AVAILABLE:
        return NOTHING
    why = f" ({note.why})" if note.why else ""
    return (Finding(f"Pool {case.pool.id} is in maintenance{why}, so {subject(case)} cannot go there.", "End its maintenance, or choose another pool."),)


def written_to(case: VolumeCase) -> Findings:
    """The hypervisor itself must let new files into the pool: not mounted read-only, in no maintenance mode of its own."""
    why = case.pool.closed_because
    if not why:
        return NOTHING
    return (Finding(f"Pool {case.pool.id} takes nothing new, so {subject(case)} cannot go there: {why}.", "Mend that, or choose another pool."),)


def in_a_pool(case: VolumeCase) -> Findings:
    """A disk outside any pool has no pool to be moved out of; a move by host, over a proven shared path, stays allowed."""
    if case.source_pool is not None or case.volume.pool is not None:
        return NOTHING
    text = f"{opening(case)} ({case.volume.path or case.volume.id}) is in no storage pool."
    return (Finding(text, "Define a pool for its folder, or move the VM by host alone."),)


def class_kept(case: VolumeCase) -> Findings:
    """A local volume stays local and a shared one shared, unless its declared class is changed with it (CSH-11, CSH-12, CSH-21)."""
    source, pool = case.source_pool, case.pool
    if source is None:
        return without_source(case, "scope")
    if source.is_local is pool.is_local or case.intent.new_storage_class is class_of(pool):
        return NOTHING
    text = f"{opening(case)} is in {class_of(source).value} storage ({source.id}), pool {pool.id} is {class_of(pool).value}."
    return (Finding(text, f"Choose a {class_of(source).value} pool, or change the class with it (new_storage_class: {class_of(pool).value})."),)


def class_of(pool: Pool) -> StorageClass:
    """Local or shared."""
    return StorageClass.LOCAL if pool.is_local else StorageClass.SHARED


def local_live(case: VolumeCase) -> Findings:
    """While the VM runs on its host, a volume neither leaves local storage nor comes to it (CSH-05, CSH-07, CSH-22)."""
    if not (case.is_online and case.stays_on_host):
        return NOTHING
    if case.source_pool is None and not case.pool.is_local:
        return without_source(case, "scope")
    local = [pool for pool in (case.source_pool, case.pool) if pool is not None and pool.is_local]
    if not local:
        return NOTHING
    text = f"Pool {local[0].id} is local: {subject(case)} cannot move from {case.volume.pool} to {case.pool.id} while its VM runs on the same host."
    return (Finding(text, "Move the VM with its storage to another host (type host_storage), or stop the VM first."),)


def tags(case: VolumeCase) -> Findings:
    """What the volume requires is a subset of what the pool offers (CloudStack's tag table; CSH-14)."""
    missing = sorted(case.volume.tags - case.pool.tags)
    if not missing:
        return NOTHING
    text = f"{opening(case)} requires storage tags that pool {case.pool.id} does not offer: {', '.join(missing)}."
    return (Finding(text, f"Tag the pool (site.pools.{case.pool.id}.tags), or choose another."),)


def room(case: VolumeCase) -> Findings:
    """All that the plan brings there must fit: strictly more free than the volumes' sizes (CAS-16), twice the size where a format changes (CAS-17)."""
    needs, free_bytes = case.needs, case.pool.free_bytes
    if needs is None:
        return lacks(_fact(case, "capacity_bytes"))
    if free_bytes is None:
        return lacks(f"site.pools.{case.pool.id}.free_bytes")
    together = case.taken + needs
    if together.fits_into(free_bytes):
        return NOTHING
    others = f" besides {case.taken.needed_bytes} bytes planned already" if case.taken.needed_bytes else ""
    limit = "more than" if together.strictly else "at least"
    text = f"{opening(case)} needs {needs.needed_bytes} bytes in pool {case.pool.id}{others}; {free_bytes} are free, {limit} the sum must be."
    return (Finding(text, "Free space there, or choose another pool."),)


def pod_of_system_vm(case: VolumeCase) -> Findings:
    """A system VM's volumes stay in its pod; no option overrides that. A pool of the whole zone has no pod (CSV-08, CSV-10)."""
    if case.vm is None or not case.vm.is_system or case.pool.scope is PoolScope.ZONE:
        return NOTHING
    if case.origin is None or not case.origin.pod:
        return lacks(f"site.hosts.{case.vm.host}.pod")
    pod = pod_of(case.site, case.pool)
    if not pod:
        return lacks(f"site.pools.{case.pool.id}.pod")
    if pod == case.origin.pod:
        return NOTHING
    text = f"System VM {case.vm.name} ({case.vm.kind.value}) belongs to pod {case.origin.pod}; pool {case.pool.id} is in pod {pod}."
    return (Finding(text, f"Choose a pool of pod {case.origin.pod}, or one of the whole zone."),)


def host_in_cluster(case: VolumeCase) -> Findings:
    """A running VM moves with its storage inside its cluster only (CSK-03, CSK-05)."""
    if not case.is_online or case.intent.type is not MigrationType.HOST_STORAGE or case.origin is None or case.host is None:
        return NOTHING
    for end in (case.origin, case.host):
        if not end.cluster:
            return lacks(f"site.hosts.{end.name}.cluster")
    if case.origin.cluster == case.host.cluster:
        return NOTHING
    text = f"Host {case.host.name} is in cluster {case.host.cluster}, host {case.origin.name} in cluster {case.origin.cluster}."
    return (Finding(text, "Choose a host of the same cluster, or stop the VM first."),)


def pool_in_cluster(case: VolumeCase) -> Findings:
    """While the VM runs on its host, its volumes move between pools of its cluster only; a pool of the whole zone belongs to every cluster (CSH-06)."""
    if not (case.is_online and case.stays_on_host) or case.host is None or case.pool.scope is PoolScope.ZONE:
        return NOTHING
    cluster = cluster_of(case.site, case.pool)
    if not cluster:
        return lacks(f"site.pools.{case.pool.id}.cluster")
    if not case.host.cluster:
        return lacks(f"site.hosts.{case.host.name}.cluster")
    if cluster == case.host.cluster:
        return NOTHING
    text = f"Pool {case.pool.id} is in cluster {cluster}, {subject(case)} in cluster {case.host.cluster}."
    return (Finding(text, "Choose a pool of the same cluster, or move the VM with its storage (type host_storage)."),)
