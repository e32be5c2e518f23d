# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is where in the inventory, as managed objects: hosts with their cluster, resource pool and mounts; datastores by the id that a site gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...model.errors import InputError, StateConflict
from .paths import plain_name, split_path
from .properties import Entry, Wants, moid_of

PLACES: Wants = {
    "Datacenter": ("name", "parent", "vmFolder"),
    "Folder": ("name", "parent"),
    "StoragePod": ("name", "parent"),
    "ComputeResource": ("name", "parent", "resourcePool", "configurationEx", "summary.currentEVCModeKey"),
    "Network": ("name",),
}
"""What tells where things stand; read with every snapshot."""


@dataclass(frozen=True)
class DatastoreEntry:
    """A datastore. ``id`` is its name in the site: its own name, or DATACENTER/NAME where several have it."""

    id: str
    moid: str
    name: str
    ref: Any
    datacenter: str


@dataclass(frozen=True)
class HostEntry:
    """A host. ``resource_pool`` is the root pool of its cluster, ``vm_folder`` the root of its datacenter's VMs, ``datastores`` its mounts by id,
    ``networks`` what it offers by name.
    """

    name: str
    moid: str
    ref: Any
    cluster: str
    datacenter: str
    resource_pool: Any
    vm_folder: Any
    datastores: Mapping[str, DatastoreEntry]
    networks: Mapping[str, Any]


class Inventory:
    """The places of one reading, by name and by id."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._paths: dict[str, str] = {}
        self.datastores = {one.id: one for one in self._datastores()}
        self.hosts = {one.name: one for one in self._hosts()}

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """What was read of all that is no VM, by managed object id."""
        return {moid: entry for moid, entry in self._entries.items() if entry.kind != "VirtualMachine"}

    @cached_property
    def portgroups(self) -> Mapping[str, str]:
        """Names of distributed port groups by their key, which is their managed object id."""
        return {entry.moid: entry.name for entry in self.of_kind("DistributedVirtualPortgroup")}

    @cached_property
    def host_by_moid(self) -> Mapping[str, HostEntry]:
        """Hosts by managed object id."""
        return {host.moid: host for host in self.hosts.values()}

    @cached_property
    def datastore_by_moid(self) -> Mapping[str, DatastoreEntry]:
        """Datastores by managed object id."""
        return {store.moid: store for store in self.datastores.values()}

    @cached_property
    def dead_mounts(self) -> frozenset[tuple[str, str]]:
        """Managed object ids of host and datastore where the host has the datastore in its list and does not reach it now."""
        return frozenset(
            (moid_of(mount.key), entry.moid)
            for entry in self.of_kind("Datastore")
            for mount in entry["host"] or ()
            if mount.mountInfo.accessible is False or mount.mountInfo.mounted is False
        )

    def host(self, name: str) -> HostEntry:
        """The host of that name. Raises InputError (``host_unknown``)."""
        found = self.hosts.get(name)
        if found is None:
            hint = f"Known hosts: {', '.join(sorted(self.hosts)[:20]) or 'none'}."
            raise InputError("host", f"host {name!r} is not in the inventory.", code="host_unknown", hint=hint)
        return found

    def datastore(self, pool: str) -> DatastoreEntry:
        """The datastore of that id. Raises InputError (``pool_unknown``)."""
        found = self.datastores.get(pool)
        if found is None:
            hint = f"Known datastores: {', '.join(sorted(self.datastores)[:20]) or 'none'}."
            raise InputError("pool", f"datastore {pool!r} is not in the inventory.", code="pool_unknown", hint=hint)
        return found

    def datastore_of(self, backing: Any) -> DatastoreEntry:
        """The datastore of a disk's backing. Raises StateConflict for a disk on none, and for a datastore that is newer than this reading."""
        ref = getattr(backing, "datastore", None)
        found = self.datastore_by_moid.get(moid_of(ref)) if ref is not None else None
        if found is None:
            text = f"Disk {getattr(backing, 'fileName', '') or 'without a file'} is on no datastore of the inventory."
            raise StateConflict(text, code="pool_unknown", hint="Run the task again; it reads the inventory anew.")
        return found

    def home_of(self, vmx: str, host: str) -> DatastoreEntry | None:
        """The datastore of a VM's own files, by their path and the host that it is on; None for one that this host does not mount."""
        name = split_path(vmx)[0]
        return next((store for store in self.hosts[host].datastores.values() if store.name == name), None) if host in self.hosts else None

    def of_kind(self, *kinds: str) -> Iterable[Entry]:
        """What was read of all objects of these types."""
        return (entry for entry in self._entries.values() if entry.kind in kinds)

    def compute_of(self, host: Entry) -> Entry | None:
        """The cluster that a host is in, or the compute resource that it is alone."""
        parent = host["parent"]
        return self._entries.get(moid_of(parent)) if parent is not None else None

    def datacenter_of(self, entry: Entry | None) -> Entry | None:
        """The datacenter that something stands in; None on a single ESXi host that does not tell."""
        while entry is not None and entry.kind != "Datacenter":
            parent = entry["parent"]
            entry = self._entries.get(moid_of(parent)) if parent is not None else None
        return entry

    def datacenter_ref(self, store: DatastoreEntry) -> Any:
        """The datacenter of a datastore, which calls about files want to know; None on a single ESXi host."""
        found = self.datacenter_of(self._entries.get(store.moid))
        return found.ref if found is not None else None

    def group_of(self, store: Entry) -> str:
        """The name of the datastore cluster that a datastore is in; empty for none."""
        parent = self._entries.get(moid_of(store["parent"])) if store["parent"] is not None else None
        return parent.name if parent is not None and parent.kind == "StoragePod" else ""

    def datacenter_path(self, store: DatastoreEntry) -> str:
        """The same by the names of its folders, as the datastore's files are asked for over HTTP: ``folder/datacenter``."""
        found = self.datacenter_of(self._entries.get(store.moid))
        return self._path(found.moid) if found is not None else ""

    def folder_of(self, entry: Entry) -> str:
        """The folder that something stands in, with those above it: ``datacenter/vm/team-a``. Empty where it stands in none."""
        return plain_name(self._path(moid_of(entry["parent"]))) if entry["parent"] is not None else ""

    def _path(self, moid: str) -> str:
        known = self._paths.get(moid)
        if known is None:
            entry = self._entries.get(moid)
            if entry is None or entry["parent"] is None:  # the root folder has a name that paths leave out
                known = ""
            else:
                above = self._path(moid_of(entry["parent"]))
                known = f"{above}/{entry['name']}" if above else str(entry["name"])
            self._paths[moid] = known
        return known

    def _datastores(self) -> Iterable[DatastoreEntry]:
        found = [(entry, _name_of(self.datacenter_of(entry))) for entry in self.of_kind("Datastore")]
        used = Counter(str(entry["name"]) for entry, _datacenter in found)
        for entry, datacenter in found:
            name = str(entry["name"])
            yield DatastoreEntry(f"{datacenter}/{name}" if used[name] > 1 else name, entry.moid, name, entry.ref, datacenter)

    def _hosts(self) -> Iterable[HostEntry]:
        stores = {store.moid: store for store in self.datastores.values()}
        for entry in self.of_kind("HostSystem"):
            compute = self.compute_of(entry)
            datacenter = self.datacenter_of(compute)
            mounted = [stores[moid_of(ref)] for ref in entry["datastore"] or () if moid_of(ref) in stores]
            networks = [self._entries[moid_of(ref)] for ref in entry["network"] or () if moid_of(ref) in self._entries]
            yield HostEntry(
                name=str(entry["name"]),
                moid=entry.moid,
                ref=entry.ref,
                cluster=compute.name if compute else "",
                datacenter=_name_of(datacenter),
                resource_pool=compute["resourcePool"] if compute else None,
                vm_folder=datacenter["vmFolder"] if datacenter else None,
                datastores={store.id: store for store in mounted},
                networks={network.name: network.ref for network in networks},
            )


def _name_of(entry: Entry | None) -> str:
    return entry.name if entry is not None else ""
