# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two clusters with NFS and local pools, and short ways to ask where volumes may go.

Cluster c1 (pod p1): hosts kvm1, kvm2, pools nfs-a, nfs-b; cluster c2 (pod p2): host far, pool nfs-c; every host has a local pool; nfs-z is of the whole zone.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm
from ansible_collections.vmops.migration.plugins.module_utils.planning.mapping import VolumeMapping, map_volumes
from ansible_collections.vmops.migration.plugins.module_utils.planning.space import PlannedSpace

from tests.unit.rules.world import host as fit_host
from tests.unit.rules.world import web

GIB = 2**30
TIB = 2**40
ONLINE = (Mode.LIVE, Mode.SUSPENDED)
"""Modes that keep the guest in memory, so that what is said of online moves holds in both."""


def pool(name: str, **facts: object) -> Pool:
    """An NFS pool of cluster c1 with plenty of room."""
    usual: dict[str, object] = {
        "kind": "netfs",
        "scope": PoolScope.CLUSTER,
        "zone": "z1",
        "pod": "p1",
        "cluster": "c1",
        "identity": f"nfs://filer/{name}",
        "path": f"/pools/{name}",
        "capacity_bytes": 2 * TIB,
        "free_bytes": TIB,
    }
    return Pool(id=name, name=name, **(usual | facts))  # type: ignore[arg-type]


def local(host: str) -> Pool:
    """A host's own folder."""
    return Pool(f"{host}/local", "local", kind="dir", scope=PoolScope.HOST, path="/srv", capacity_bytes=2 * TIB, free_bytes=TIB)


def root(where: str | None = "nfs-a", **facts: object) -> Volume:
    """A ROOT volume of 10 GiB."""
    return Volume("root", VolumeKind.ROOT, device="vda", path="/x/root", pool=where, capacity_bytes=10 * GIB, format="qcow2", **facts)  # type: ignore[arg-type]


def data(where: str | None = "nfs-a", name: str = "data", **facts: object) -> Volume:
    """A DATA volume of 20 GiB."""
    usual: dict[str, object] = {"capacity_bytes": 20 * GIB, "format": "qcow2"}
    return Volume(name, VolumeKind.DATA, device=f"v-{name}", path=f"/x/{name}", pool=where, **(usual | facts))  # type: ignore[arg-type]


def vm(*volumes: Volume, **facts: object) -> Vm:
    """The VM ``web`` on kvm1 with these volumes."""
    return web(volumes=volumes or (root(),), **facts)


def site(subject: Vm, profile: str = "generic", **pools: dict[str, object] | None) -> Site:
    """The two clusters; ``pools`` change facts of pools by name with ``_`` for ``-``, or take the pool away (None)."""
    hosts: tuple[Host, ...] = (
        fit_host("kvm1", pools=frozenset({"nfs-a", "nfs-b", "nfs-z", "kvm1/local"})),
        fit_host("kvm2", pools=frozenset({"nfs-a", "nfs-b", "nfs-z", "kvm2/local"})),
        fit_host("far", pod="p2", cluster="c2", pools=frozenset({"nfs-c", "nfs-z", "far/local"})),
    )
    named = {
        "nfs_a": pool("nfs-a"),
        "nfs_b": pool("nfs-b"),
        "nfs_c": pool("nfs-c", pod="p2", cluster="c2"),
        "nfs_z": pool("nfs-z", scope=PoolScope.ZONE, pod="", cluster="", free_bytes=GIB),
        "kvm1_local": local("kvm1"),
        "kvm2_local": local("kvm2"),
        "far_local": local("far"),
    }
    for name, facts in pools.items():
        if facts is None:
            gone = named.pop(name).id
            hosts = tuple(dataclasses.replace(host, pools=host.pools - {gone}) for host in hosts)
        else:
            named[name] = dataclasses.replace(named[name], **facts)  # type: ignore[arg-type]
    return Site(driver="simulator", profile=profile, hosts=hosts, pools=tuple(named.values()), vms=(subject,))


def with_storage(**wanted: object) -> Intent:
    """VM and storage go to another host."""
    return Intent(type=MigrationType.HOST_STORAGE, **wanted)  # type: ignore[arg-type]


def storage_only(**wanted: object) -> Intent:
    """The storage alone changes."""
    return Intent(type=MigrationType.STORAGE, **wanted)  # type: ignore[arg-type]


def stopped(**wanted: object) -> Intent:
    """The storage of a stopped VM changes."""
    return storage_only(mode=Mode.OFFLINE, **wanted)


def mapped(world: Site, intent: Intent, target: str = "", planned: PlannedSpace | None = None) -> VolumeMapping:
    """Where the volumes of the site's first VM would go; ``target`` is its own host unless said."""
    subject = world.vms[0]
    return map_volumes(world, subject, world.host_by_name[target or subject.host], intent, planned)


def refusals(found: VolumeMapping) -> dict[str, Reason]:
    """What forbids the mapping, by code."""
    return {reason.code: reason for reason in blocking(found.reasons)}
