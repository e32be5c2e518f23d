# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about kinds of storage and of volumes: NFS, RBD, encryption, snapshots, formats; and about what moves at all."""

from __future__ import annotations

from ..model.intent import VolumeFormat
from ..model.migration import MigrationType
from ..model.pool import Pool
from .rule import NOTHING, Case, Finding, Findings, lacks
from .volume_case import VolumeCase
from .volume_place import opening, subject, without_source

NFS_KINDS = frozenset({"nfs", "netfs"})
FILE_KINDS = NFS_KINDS | {"dir", "fs", "gluster", "sharedfs", "smb", "csv", "vmfs", "vsan"}
"""Kinds of pool that hold files: local folder, shared file system, NFS (CAS-47)."""
RBD = "rbd"
KUBERNETES_NODE = "kubernetes_node"
"""The label of VMs that are nodes of a Kubernetes cluster."""


def nfs_only(case: VolumeCase) -> Findings:
    """A live move with storage goes from NFS to NFS; every volume is looked at, not only the first (CSK-02, CSK-03)."""
    if not case.is_online:
        return NOTHING
    if case.source_pool is None:
        return without_source(case, "kind")
    pools = (case.source_pool, case.pool)
    unknown = [pool for pool in pools if not pool.kind]
    if unknown:
        return lacks(f"site.pools.{unknown[0].id}.kind")
    other = [pool for pool in pools if pool.kind not in NFS_KINDS]
    if not other:
        return NOTHING
    named = ", ".join(f"{pool.id} ({pool.kind})" for pool in other)
    text = f"{opening(case)} can move live from NFS to NFS only; not of that kind: {named}."
    return (Finding(text, "Choose an NFS pool, or stop the VM first."),)


def another_host(case: VolumeCase) -> Findings:
    """A running VM's storage moves together with the VM to another host, never on the same one (CSK-03, CSK-04)."""
    if not case.is_online or case.host is None or case.origin is None or case.host.name != case.origin.name:
        return NOTHING
    text = f"{opening(case)} cannot change its pool while the VM runs on the same host {case.host.name}."
    return (Finding(text, "Move the VM with its storage to another host (type host_storage), or stop it first."),)


def rbd_online(case: VolumeCase) -> Findings:
    """An online VM that uses RBD does not change its storage; it may change its host (CAS-14)."""
    if not case.is_online or case.vm is None:
        return NOTHING
    pools = case.site.pool_by_id
    used = sorted({volume.pool for volume in case.vm.volumes if volume.pool and (pool := pools.get(volume.pool)) and pool.kind == RBD})
    if not used:
        unknown = sorted({volume.pool for volume in case.vm.volumes if volume.pool and not ((pool := pools.get(volume.pool)) and pool.kind)})
        return lacks(f"site.pools.{unknown[0]}.kind") if unknown else NOTHING
    text = f"VM {case.vm.name} is online and uses RBD storage ({', '.join(used)}): {subject(case)} cannot change its pool."
    return (Finding(text, "Move the VM by host alone, or stop it first."),)


def encrypted_online(case: VolumeCase) -> Findings:
    """An encrypted disk does not change its storage while the VM is online (CAS-25)."""
    if not (case.is_online and case.volume.encrypted):
        return NOTHING
    return (Finding(f"{opening(case)} is encrypted and its VM is online.", "Move the VM by host alone, or stop it first."),)


def snapshot_kinds(case: VolumeCase) -> Findings:
    """With snapshots only the storage changes, between file systems or between RBD pools of one distributed system (CAS-19)."""
    if case.vm is None or not case.vm.snapshots:
        return NOTHING
    if not case.stays_on_host:
        text = f"VM {case.vm.name} has {case.vm.snapshots} snapshots and cannot change host and storage."
        return (Finding(text, "Delete the snapshots, or move the storage alone (type storage)."),)
    source, pool = case.source_pool, case.pool
    if source is None:
        return without_source(case, "kind")
    for end in (source, pool):
        if not end.kind:
            return lacks(f"site.pools.{end.id}.kind")
    if source.kind in FILE_KINDS and pool.kind in FILE_KINDS:
        return NOTHING
    if source.kind == pool.kind == RBD:
        if source.identity is None or pool.identity is None:
            return lacks(f"site.pools.{(pool if pool.identity is None else source).id}.identity")
        if _system(source) == _system(pool):
            return NOTHING
    text = f"VM {case.vm.name} has {case.vm.snapshots} snapshots: {subject(case)} cannot move from {_named(source)} to {_named(pool)}."
    return (Finding(text, "Choose a pool of the same kind (RBD: of the same distributed system), or delete the snapshots."),)


def _system(pool: Pool) -> str:
    """What an RBD pool's identity says of its cluster: all before the pool's own name (``fsid/pool``, ``rbd://monitors/pool``)."""
    return (pool.identity or "").rpartition("/")[0]


def _named(pool: Pool) -> str:
    return f"{pool.id} ({pool.kind or 'unknown kind'})"


def format_with_backing(case: VolumeCase) -> Findings:
    """A volume with a base image keeps its format, unless it is flattened (CAS-47)."""
    if not (case.changes_format and case.volume.backing) or case.intent.flatten:
        return NOTHING
    wanted = case.intent.volume_format.value
    text = f"{opening(case)} has a base image ({case.volume.backing[0]}), so its format cannot become {wanted}."
    return (Finding(text, "Keep its format (same), or copy its base image into it (flatten)."),)


def format_pool(case: VolumeCase) -> Findings:
    """Another format is possible in a local folder, a shared file system or NFS only (CAS-47)."""
    if case.intent.volume_format is VolumeFormat.SAME or not case.changes_format:
        return NOTHING
    if not case.pool.kind:
        return lacks(f"site.pools.{case.pool.id}.kind")
    if case.pool.kind in FILE_KINDS:
        return NOTHING
    text = f"{opening(case)} cannot become {case.intent.volume_format.value} in pool {_named(case.pool)}."
    return (Finding(text, "Keep its format (same), or choose a pool that holds files."),)


def system_vm_state(case: VolumeCase) -> Findings:
    """A running system VM is given a host, and its pool is found for it; only a stopped one is given a pool (CSV-17, CSV-19)."""
    if case.vm is None or not case.vm.is_system or not case.is_online:
        return NOTHING
    given = case.intent.root_pool or case.intent.volume_pools
    if case.intent.type is MigrationType.HOST_STORAGE and not given:
        return NOTHING
    text = f"System VM {case.vm.name} is running: it is moved to a host, and a pool is found for it; pool {case.pool.id} cannot be given."
    return (Finding(text, "Name a target host without a pool, or stop the system VM first."),)


def kubernetes_cluster(case: Case) -> Findings:
    """A node of a Kubernetes cluster stays in its cluster of hosts (CAS-20)."""
    if KUBERNETES_NODE not in case.vm.labels:
        return NOTHING
    if case.source is None or not case.source.cluster:
        return lacks(f"site.hosts.{case.vm.host}.cluster")
    if not case.host.cluster:
        return lacks(f"site.hosts.{case.host.name}.cluster")
    if case.source.cluster == case.host.cluster:
        return NOTHING
    text = f"VM {case.vm.name} is a Kubernetes node of cluster {case.source.cluster}; host {case.host.name} is in {case.host.cluster}."
    return (Finding(text, "Choose a host of the same cluster."),)
