# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot of the site: one pass over the leaf properties of everything, and one over the devices of the VMs in scope."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from typing import Any

from ...model.errors import MigrationError
from ...model.options import SiteOptions
from ...model.overlay import apply_overlay
from ...model.reason import Reason, warning
from ...model.site import Site
from ...model.vm import Vm
from ..driver import Scope
from .cluster_rules import automation_of, bound, groups_of, host_rules_of
from .connection import Link, VCenter
from .datastore_files import loose_volumes
from .host_links import LINK_PATHS, limits_of
from .host_notes import ATTRIBUTE
from .host_reader import HOST_PATHS, POOL_PATHS, host_of, pool_of
from .inventory import PLACES, Inventory
from .library import vim
from .properties import Entry, collect, moid_of, read
from .tags import TagReader, Tags
from .vm_notes import text_of
from .vm_reader import FULL_PATHS, LIGHT_PATHS, full_vm, light_vm

WANTS = {**PLACES, "HostSystem": (*HOST_PATHS, *LINK_PATHS), "Datastore": POOL_PATHS, "VirtualMachine": LIGHT_PATHS}
_TASK_PATHS = ("info.state", "info.descriptionId")
MOVING = ("VirtualMachine.relocate", "VirtualMachine.migrate", "Drm.ExecuteVMotionLRO", "Drm.ExecuteVmotionPrivateLRO")
"""Descriptions of the tasks that take a VM to another host or datastore; DRS has words of its own."""


class SnapshotReader:
    """Takes snapshots, and keeps the inventory of the last one for those who only have to find an object."""

    def __init__(self, center: VCenter, options: SiteOptions) -> None:
        self._center = center
        self._options = options
        self._inventory: Inventory | None = None
        self._lock = threading.Lock()
        self._tags = TagReader(center)
        self._tagged: Tags = {}

    def close(self) -> None:
        """Give back what it has opened beside the session."""
        self._tags.close()

    def take(self, scope: Scope) -> Site:
        """A fresh snapshot with the overlay applied."""
        site, inventory = self._center.run("reading the inventory", lambda link: self._read(link, scope))
        with self._lock:
            self._inventory = inventory
        if self._options.vsphere.read_tags:
            site = self._with_tags(site, is_whole=scope.only_hosts is None)
        if scope.volumes_of:
            site = dataclasses.replace(site, volumes=loose_volumes(self._center, inventory, scope.volumes_of))
        return apply_overlay(site, self._options, is_whole=scope.only_hosts is None)

    def _with_tags(self, site: Site, *, is_whole: bool) -> Site:
        """With the tags of hosts, datastores and VMs; they are read anew for the whole site only."""
        if is_whole or not self._tagged:
            try:
                self._tagged = self._tags.read()
            except MigrationError as error:
                told = warning("tags_unread", f"Tags were not read: {error.message}", error.hint)
                return dataclasses.replace(site, warnings=(*site.warnings, told))
        tags, none = self._tagged, frozenset[str]()
        return dataclasses.replace(
            site,
            hosts=tuple(dataclasses.replace(host, tags=host.tags | tags.get(host.id, none)) for host in site.hosts),
            pools=tuple(dataclasses.replace(pool, tags=pool.tags | tags.get(pool.identity or "", none)) for pool in site.pools),
            vms=tuple(dataclasses.replace(vm, labels=vm.labels | tags[vm.id]) if vm.id in tags else vm for vm in site.vms),
        )

    def inventory(self) -> Inventory:
        """The inventory of the last snapshot; read now where there was none yet."""
        with self._lock:
            found = self._inventory
        return found or self.refresh()

    def refresh(self) -> Inventory:
        """The inventory as it is now, without VMs."""
        wants = {kind: paths for kind, paths in WANTS.items() if kind != "VirtualMachine"}
        found = Inventory(self._center.run("reading the inventory", lambda link: _complete(link, collect(link, wants))))
        with self._lock:
            self._inventory = found
        return found

    def _read(self, link: Link, scope: Scope) -> tuple[Site, Inventory]:
        entries = _complete(link, collect(link, WANTS)) if scope.only_hosts is None else self._entries_of(link, scope.only_hosts)
        inventory = Inventory(entries)
        key = attribute_key(link)
        light = {vm.id: vm for entry in inventory.of_kind("VirtualMachine") if (vm := light_vm(entry, inventory)) is not None}
        if scope.only_hosts is not None:
            light = {moid: vm for moid, vm in light.items() if vm.host in scope.only_hosts}
        vms, warnings = self._in_full(link, scope, light, entries, inventory)
        told = [host_of(entry, inventory, key) for entry in inventory.of_kind("HostSystem")]
        hosts = [host for host in told if scope.only_hosts is None or host.name in scope.only_hosts]
        pools = [pool_of(entry, inventory, key) for entry in inventory.of_kind("Datastore")]
        if scope.only_hosts is not None:  # the others were not read
            pools = [pool for pool in pools if any(pool.id in host.pools for host in hosts)]
        if rules := host_rules_of(inventory):
            hosts, vms = bound(rules, hosts, vms)
        site = Site(
            taken_at=time.time(),
            hosts=tuple(sorted(hosts, key=lambda host: host.name)),
            pools=tuple(sorted(pools, key=lambda pool: pool.id)),
            vms=tuple(sorted(vms, key=lambda vm: (vm.host, vm.name, vm.id))),
            affinity_groups=groups_of(inventory),
            limits=limits_of(hosts),
            warnings=(*warnings, *automation_of(inventory)),
        )
        return site, inventory

    def _entries_of(self, link: Link, names: frozenset[str]) -> dict[str, Entry]:
        """What a snapshot of some hosts needs: these hosts, their datastores and VMs afresh, all else as the last reading had it.

        A move asks for its two hosts right before it starts, and must not read ten thousand VMs for that.
        """
        places = self.inventory()
        if not names <= places.hosts.keys():
            places = self.refresh()
        hosts = read(link, (places.host(name).ref for name in sorted(names)), "HostSystem", (*HOST_PATHS, "vm"))
        stores = read(link, (ref for host in hosts.values() for ref in host["datastore"] or ()), "Datastore", POOL_PATHS)
        vms = read(link, (ref for host in hosts.values() for ref in host["vm"] or ()), "VirtualMachine", LIGHT_PATHS)
        known = {moid: dataclasses.replace(host, values={**places.entries[moid].values, **host.values}) for moid, host in hosts.items()}
        return {**places.entries, **known, **stores, **vms}

    @staticmethod
    def _in_full(link: Link, scope: Scope, light: Mapping[str, Vm], entries: Mapping[str, Entry], inventory: Inventory) -> tuple[list[Vm], tuple[Reason, ...]]:
        """All VMs, those in scope with their devices."""
        wanted = [entries[vm.id].ref for vm in light.values() if scope.covers(vm.id, vm.name, vm.host)]
        full = read(link, wanted, "VirtualMachine", FULL_PATHS)
        moving = moving_tasks(link, full)
        vms = [full_vm(vm, full[vm.id], inventory, moving) if vm.id in full else vm for vm in light.values()]
        unread = [vm for vm in vms if vm.detailed and vm.note is None and text_of(full[vm.id]["config.extraConfig"])]
        text = "The note kept with VM {0.name} on {0.host} cannot be read; it is taken for none."
        return vms, tuple(warning("note_unreadable", text.format(vm), "See the VM's advanced parameters.") for vm in unread)


def _complete(link: Link, entries: dict[str, Entry]) -> dict[str, Entry]:
    """With datastores that hosts mount and the view did not show, as those in a cluster of datastores, and with that. Nothing is asked where all are there."""
    mounted = {moid_of(ref): ref for entry in entries.values() if entry.kind == "HostSystem" for ref in entry["datastore"] or ()}
    stores = read(link, [ref for moid, ref in mounted.items() if moid not in entries], "Datastore", POOL_PATHS)
    parents = {moid_of(store["parent"]): store["parent"] for store in stores.values() if store["parent"] is not None}
    pods = [ref for moid, ref in parents.items() if moid not in entries and isinstance(ref, vim().StoragePod)]
    return {**entries, **stores, **read(link, pods, "StoragePod", PLACES["StoragePod"])}


def moving_tasks(link: Link, vms: Mapping[str, Entry]) -> dict[str, Any]:
    """The running tasks that move one of these VMs (read with ``recentTask``), by its id."""
    owners = {moid_of(task): (moid, task) for moid, entry in vms.items() for task in entry["recentTask"] or ()}
    states = read(link, (task for _moid, task in owners.values()), "Task", _TASK_PATHS)
    running = [task for task, entry in states.items() if str(entry["info.state"]) in ("running", "queued") and entry["info.descriptionId"] in MOVING]
    return {owners[task][0]: owners[task][1] for task in running}


def attribute_key(link: Link) -> int | None:
    """The key of the custom attribute that this collection keeps things in; None where it was not made yet, or the server (a single host) has none."""
    manager = link.content.customFieldsManager
    if manager is None:
        return None
    fields = next(iter(read(link, [manager], "CustomFieldsManager", ["field"]).values()))["field"] or ()
    kinds = (None, vim().ManagedEntity)
    return next((int(field.key) for field in fields if field.name == ATTRIBUTE and field.managedObjectType in kinds), None)
