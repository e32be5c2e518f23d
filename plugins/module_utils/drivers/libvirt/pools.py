# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage pools: read on each host, then told apart or together over all hosts, and disks assigned to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...model.host import Maintenance, MaintenanceState
from ...model.options import PoolOptions, SiteOptions
from ...model.pool import Pool, PoolScope
from .connection import Connection
from .domain_xml import DiskFacts, Element, parse
from .library import libvirt

_NETWORK_KINDS = ("netfs", "gluster", "rbd", "sheepdog", "iscsi", "iscsi-direct")


@dataclass(frozen=True, slots=True)
class HostPool:
    """A pool as one host has it. ``source`` tells where its data is (an export, a Ceph pool), empty where that cannot be told."""

    name: str
    uuid: str
    kind: str
    path: str
    active: bool
    source: str = ""
    source_name: str = ""
    capacity_bytes: int | None = None
    free_bytes: int | None = None
    maintenance: Maintenance = field(default_factory=Maintenance)


def read_pools(connection: Connection) -> tuple[HostPool, ...]:
    """All pools of a host: two calls, and one for each pool."""
    active = {pool.UUIDString() for pool in connection.raw.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)}
    return tuple(read_pool(pool.XMLDesc(), pool.UUIDString() in active) for pool in connection.raw.listAllStoragePools())


def read_pool(xml: str, active: bool) -> HostPool:
    """A pool's facts from its definition. Format: https://libvirt.org/formatstorage.html."""
    root = parse(xml)
    kind = root.get("type", "")
    return HostPool(
        name=root.findtext("./name", ""),
        uuid=root.findtext("./uuid", ""),
        kind=kind,
        path=root.findtext("./target/path", ""),
        active=active,
        source=_source(kind, root.find("./source")),
        source_name=root.findtext("./source/name", ""),
        capacity_bytes=_size(root, "./capacity") if active else None,
        free_bytes=_size(root, "./available") if active else None,
    )


def _size(root: Element, path: str) -> int | None:
    text = root.findtext(path)
    return int(text) if text else None


def _source(kind: str, source: Element | None) -> str:
    if kind not in _NETWORK_KINDS or source is None:
        return ""
    hosts = ",".join(sorted(f"{host.get('name', '')}{':' + host.get('port') if host.get('port') else ''}" for host in source.iterfind("./host")))
    parts = [source.findtext("./name", "")]
    for path, attribute in (("./dir", "path"), ("./device", "path"), ("./initiator/iqn", "name")):
        element = source.find(path)
        if element is not None and path != "./initiator/iqn":
            parts.append(element.get(attribute, ""))
    return f"{kind}://{hosts}/{'/'.join(part.strip('/') for part in parts if part)}"


class PoolMap:
    """Which pool of which host is which pool of the site.

    A pool is shared when its source is on the network and the same on several hosts, when it has one UUID on several hosts, or when the overlay
    says so (``scope`` or ``identity``); any other belongs to its host alone. ``seen`` are the pools of every host that was ever read, so that a partial
    snapshot judges like a full one.
    """

    def __init__(self, seen: Mapping[str, tuple[HostPool, ...]], options: SiteOptions) -> None:
        self._options = options
        self._groups: dict[str, list[tuple[str, HostPool]]] = defaultdict(list)
        self._keys: dict[tuple[str, str], str] = {}
        uuids: dict[str, int] = defaultdict(int)
        for pools in seen.values():
            for pool in pools:
                uuids[pool.uuid] += 1
        for host in sorted(seen):
            for pool in seen[host]:
                key = self._key(host, pool, uuids[pool.uuid] > 1)
                self._groups[key].append((host, pool))
                self._keys[host, pool.uuid] = key
        self._ids = self._name_groups()

    def pool_id(self, host: str, pool: HostPool) -> str:
        """The site's id of a host's pool."""
        return self._ids[self._keys[host, pool.uuid]]

    def pool_on(self, host: str, pool_id: str) -> HostPool | None:
        """What a host has of the site's pool of that id; None where it has none."""
        key = next((key for key, known in self._ids.items() if known == pool_id), None)
        return next((pool for name, pool in self._groups.get(key or "", ()) if name == host), None)

    def pools_on(self, host: str) -> tuple[HostPool, ...]:
        """All pools of a host."""
        return tuple(pool for members in self._groups.values() for name, pool in members if name == host)

    def same_storage(self, host: str, pool: HostPool, other: str) -> tuple[HostPool, ...]:
        """The pools of another host that may hold the same files, wherever it mounts them: of one id, one UUID or one source on the network.

        None where the operator says that the pool is of its host alone (``scope: host``).
        """
        if self.is_declared_local(host, pool):
            return ()
        own = self.pool_id(host, pool)

        def is_same(there: HostPool) -> bool:
            return there.uuid == pool.uuid or bool(pool.source and there.source == pool.source) or self.pool_id(other, there) == own

        return tuple(filter(is_same, self.pools_on(other)))

    def is_declared_local(self, host: str, pool: HostPool) -> bool:
        """True where the operator says that the pool is of its host alone."""
        options = self._own_options(host, pool)
        return options is not None and options.scope is PoolScope.HOST

    def is_proven(self, host: str, pool: HostPool) -> bool:
        """True where the data's place on the network tells which pool it is. A UUID, a name or an operator's word are copied with a definition (PCD-14)."""
        return self._keys[host, pool.uuid].startswith("source ")

    def pools(self, hosts: frozenset[str]) -> tuple[Pool, ...]:
        """The site's pools that any of these hosts has, sorted by id."""
        found = []
        for key, members in self._groups.items():
            here = [member for member in members if member[0] in hosts]
            if here:
                found.append(self._pool(key, here, members))
        return tuple(sorted(found, key=lambda pool: pool.id))

    def pool_of(self, pools: tuple[HostPool, ...], disk: DiskFacts) -> HostPool | None:
        """The pool of a host that a disk is in: by name, by the longest path above it, or by the network source's name."""
        if disk.pool:
            return next((pool for pool in pools if pool.name == disk.pool), None)
        if disk.is_on_host:
            above = [pool for pool in pools if pool.active and pool.path and disk.path.startswith(pool.path.rstrip("/") + "/")]
            return max(above, key=lambda pool: len(pool.path), default=None)
        by_protocol = {"rbd": "rbd", "gluster": "gluster"}
        kind, first = by_protocol.get(disk.protocol), disk.path.partition("/")[0]
        return next((pool for pool in pools if kind and pool.active and pool.kind == kind and pool.source_name == first), None)

    def _key(self, host: str, pool: HostPool, has_twin: bool) -> str:
        own = self._own_options(host, pool)
        if self.is_declared_local(host, pool):
            return f"local {host} {pool.uuid}"
        if own and own.identity:
            return f"identity {own.identity}"
        if pool.source:
            return f"source {pool.source} {pool.path}"
        if has_twin:
            return f"uuid {pool.uuid}"
        if own and own.scope:
            return f"declared {pool.name}"
        return f"local {host} {pool.uuid}"

    def _own_options(self, host: str, pool: HostPool) -> PoolOptions | None:
        return self._options.pools.get(f"{host}/{pool.name}") or self._options.pools.get(pool.name)

    def _name_groups(self) -> dict[str, str]:
        """Ids: ``host/name`` for a host's own pool, the name for a shared one; two shared ones of one name are told apart by their identity."""
        names: dict[str, list[str]] = defaultdict(list)
        for key, members in self._groups.items():
            if not key.startswith("local "):
                names[members[0][1].name].append(key)
        ids = {key: f"{members[0][0]}/{members[0][1].name}" for key, members in self._groups.items() if key.startswith("local ")}
        for name, keys in names.items():
            ids.update({key: name if len(keys) == 1 else f"{name} ({key})" for key in keys})
        return ids

    def _pool(self, key: str, here: list[tuple[str, HostPool]], members: list[tuple[str, HostPool]]) -> Pool:
        first = here[0][1]
        kind, _space, identity = key.partition(" ")
        sizes = [pool for _host, pool in here if pool.active and pool.capacity_bytes is not None]
        placed = [self._options.hosts.get(host) for host, _pool in members]
        clusters = {host.cluster or "" for host in placed if host}
        local = kind == "local"
        home = self._options.hosts.get(here[0][0])
        return Pool(
            id=self._ids[key],
            name=first.name,
            kind=first.kind,
            scope=PoolScope.HOST if local else PoolScope.CLUSTER if len(clusters) <= 1 else PoolScope.ZONE,
            zone=(home.zone if home else None) or "",
            pod=((home.pod if home else None) or "") if local or len(clusters) <= 1 else "",
            cluster=((home.cluster if home else None) or "") if local or len(clusters) <= 1 else "",
            identity=None if kind == "declared" else f"{here[0][0]}:{first.uuid}" if local else identity,
            path=first.path,
            active=any(pool.active for _host, pool in here),
            capacity_bytes=max((pool.capacity_bytes or 0 for pool in sizes), default=None),
            free_bytes=min((pool.free_bytes or 0 for pool in sizes), default=None),
            maintenance=maintenance_of(pool.maintenance for _host, pool in here),
        )


def maintenance_of(notes: Iterable[Maintenance]) -> Maintenance:
    """What holds for a pool by the notes of all its hosts: one that closes it counts, however many lack it (they were silent when it was written, or got the
    pool since), and of several the last. A host that was silent when the pool was opened keeps it closed until it is opened again.
    """
    closing = [note for note in notes if note.state is not MaintenanceState.AVAILABLE]
    return max(closing, key=lambda note: note.since, default=Maintenance())
