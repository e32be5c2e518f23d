# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site: all that one playbook looks after, as one snapshot in time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .errors import InputError
from .host import Host
from .pool import Pool, Volume
from .reason import Reason
from .vm import AffinityGroup, Vm


@dataclass(frozen=True, slots=True)
class Link:
    """A shared uplink: ``hosts`` behind it share ``bandwidth_mbps`` in each direction for traffic that leaves or enters the group."""

    name: str
    hosts: frozenset[str]
    bandwidth_mbps: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How many migrations may run at once: per host (incoming and outgoing together), per link, per pool.

    A migration takes one unit of each; one that copies disks takes ``storage_migration_units`` of its hosts' (never more than a host has).
    ``hosts``, ``links`` and ``pools`` hold other figures for single ones, by name. Where the defaults come from: docs/limits.md.
    """

    migrations_per_host: int = 4
    migrations_per_link: int = 8
    migrations_per_pool: int = 4
    storage_migration_units: int = 1
    hosts: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)

    def of(self, kind: str, name: str) -> int:
        """The units of one host, link or pool."""
        if kind == "host":
            return self.hosts.get(name, self.migrations_per_host)
        if kind == "link":
            return self.links.get(name, self.migrations_per_link)
        return self.pools.get(name, self.migrations_per_pool)

    def cost(self, kind: str, name: str, *, copies_disks: bool) -> int:
        """How many of them one migration takes."""
        return min(self.storage_migration_units, self.of(kind, name)) if kind == "host" and copies_disks else 1


@dataclass(frozen=True)
class Site:
    """A snapshot of hosts, pools, VMs, links and affinity groups, with the operator's overlay applied.

    ``taken_at`` is in epoch seconds of the driver's clock. ``volumes`` are those that are the disk of no VM, in the pools that were asked for. ``warnings``
    tell what could not be read. The JSON form is ``docs/schema/site.schema.json``; it is what ``site_info`` writes and what the simulator loads.
    """

    driver: str = ""
    profile: str = "generic"
    taken_at: float = 0.0
    hosts: tuple[Host, ...] = ()
    pools: tuple[Pool, ...] = ()
    vms: tuple[Vm, ...] = ()
    links: tuple[Link, ...] = ()
    affinity_groups: tuple[AffinityGroup, ...] = ()
    limits: Limits = field(default_factory=Limits)
    volumes: tuple[Volume, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @cached_property
    def host_by_name(self) -> dict[str, Host]:
        """Hosts by name."""
        return {host.name: host for host in self.hosts}

    @cached_property
    def pool_by_id(self) -> dict[str, Pool]:
        """Pools by id."""
        return {pool.id: pool for pool in self.pools}

    @cached_property
    def vm_by_id(self) -> dict[str, Vm]:
        """VMs by id (UUID or managed object id)."""
        return {vm.id: vm for vm in self.vms}

    @cached_property
    def vms_by_host(self) -> dict[str, tuple[Vm, ...]]:
        """VMs of each host; hosts without any are present with an empty tuple."""
        found: dict[str, list[Vm]] = {host.name: [] for host in self.hosts}
        for vm in self.vms:
            found.setdefault(vm.host, []).append(vm)
        return {name: tuple(vms) for name, vms in found.items()}

    @cached_property
    def groups_by_vm(self) -> dict[str, tuple[AffinityGroup, ...]]:
        """Affinity groups of each VM that is in any."""
        found: dict[str, list[AffinityGroup]] = {}
        for group in self.affinity_groups:
            for vm_id in group.vms:
                found.setdefault(vm_id, []).append(group)
        return {vm_id: tuple(groups) for vm_id, groups in found.items()}

    @cached_property
    def releases_by_cluster(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """What the hosts of each cluster (zone and name) run, as far as it is known: each combination of system and hypervisor once, in order."""
        found: dict[tuple[str, str], set[str]] = {}
        for host in self.hosts:
            if host.os_name and host.os_version and host.hypervisor_version:
                release = f"{host.os_name} {host.os_version} with {host.hypervisor or 'hypervisor'} {host.hypervisor_version}"
                found.setdefault((host.zone, host.cluster), set()).add(release)
        return {cluster: tuple(sorted(releases)) for cluster, releases in found.items()}

    def refreshed(self, part: Site) -> Site:
        """This site with the hosts of a fresher, partial snapshot, their VMs and their pools put in place of the older ones."""
        fresh_hosts, fresh_pools, fresh_vms = part.host_by_name, part.pool_by_id, part.vm_by_id
        kept = tuple(vm for vm in self.vms if vm.host not in fresh_hosts and vm.id not in fresh_vms)
        return dataclasses.replace(
            self,
            taken_at=part.taken_at,
            hosts=tuple(fresh_hosts.get(host.name, host) for host in self.hosts),
            pools=tuple(fresh_pools.get(pool.id, pool) for pool in self.pools),
            vms=kept + part.vms,
        )

    def find_host(self, name: str, option: str) -> Host:
        """The host of that name. Raises InputError (``host_unknown``) that names the option and the known hosts."""
        host = self.host_by_name.get(name)
        if host is None:
            known = ", ".join(sorted(self.host_by_name)[:20]) or "none"
            raise InputError(option, f"host {name!r} is not in the site.", code="host_unknown", hint=f"Known hosts: {known}.")
        return host

    def find_vm(self, wanted: str, option: str) -> Vm:
        """The VM of that id or name, or of that name with the folder before it (``DC1/vm/team-a/web1``).

        Raises InputError (``vm_unknown``, ``vm_ambiguous``: the ids of all that have the name).
        """
        if wanted in self.vm_by_id:
            return self.vm_by_id[wanted]
        named = [vm for vm in self.vms if wanted in (vm.name, f"{vm.folder}/{vm.name}")]
        if not named:
            raise InputError(option, f"VM {wanted!r} was not found on any host that answered.", code="vm_unknown", hint=self._silent_hosts())
        if len(named) > 1:
            listed = ", ".join(f"{vm.id} on {vm.host}" for vm in sorted(named, key=lambda vm: (vm.host, vm.id)))
            raise InputError(option, f"{len(named)} VMs are named {wanted!r}: {listed}.", code="vm_ambiguous", hint="Name the one that you mean by its id.")
        return named[0]

    def _silent_hosts(self) -> str:
        silent = sorted(host.name for host in self.hosts if host.state.value == "unreachable")
        return f"These hosts did not answer: {', '.join(silent)}." if silent else "Give its name or UUID as the hypervisor shows it."
