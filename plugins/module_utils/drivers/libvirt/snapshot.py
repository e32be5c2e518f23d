# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot of the site: all hosts read at once, then told together as one ``Site``."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...model.errors import InputError, MigrationError
from ...model.host import Host, HostNetwork, HostState, Maintenance
from ...model.options import HostOptions, SiteOptions
from ...model.overlay import apply_overlay
from ...model.reason import Reason, warning
from ...model.recovery import RecoveryNote, closed_by
from ...model.site import Site
from ...model.vm import Vm
from ..driver import Scope
from .capabilities import guest_features, host_cpu
from .connection import READ_SECONDS, Connection, Hosts, HostSession
from .host_reader import RawHost, RawVm, read_host
from .loose_volumes import loose_volumes
from .pools import HostPool, PoolMap, read_pools
from .recovery_notes import joined
from .vm_facts import GuestCpu, build_vm

Cpus = Mapping[str, "tuple[str | None, frozenset[str] | None]"]


@dataclass(frozen=True)
class _Reading:
    """What all hosts of one snapshot said, or why they did not."""

    hosts: Mapping[str, RawHost]
    errors: Mapping[str, MigrationError]

    @cached_property
    def recoveries(self) -> Mapping[str, RecoveryNote]:
        """What the hosts that answered keep about hosts that died, by the name of those."""
        return joined(note for host in self.hosts.values() for note in host.recoveries)

    @property
    def virt_type(self) -> str:
        """The kind of guest that most VMs in scope are (kvm or qemu); without any, the best that the hosts offer."""
        used = Counter(vm.facts.virt_type for host in self.hosts.values() for vm in host.vms if vm.facts)
        if used:
            return max(sorted(used), key=lambda kind: used[kind])
        offered = {kind for host in self.hosts.values() for kind in host.capabilities.virt_types}
        return "kvm" if "kvm" in offered or not offered else sorted(offered)[0]


class SnapshotReader:
    """Takes snapshots. Remembers each host's pools between them, so that a snapshot of two hosts knows a shared pool as one of all hosts does."""

    def __init__(self, hosts: Hosts, options: SiteOptions) -> None:
        self._hosts = hosts
        self._options = options
        self._pools: dict[str, tuple[HostPool, ...]] = {}
        self._lock = threading.Lock()

    def take(self, scope: Scope) -> Site:
        """A fresh snapshot with the overlay applied. Raises InputError for unknown hosts in the scope, or two names of one machine."""
        for name in scope.only_hosts or ():
            self._hosts.get(name)
        names = [name for name in self._hosts.names if scope.only_hosts is None or name in scope.only_hosts]
        results, errors = self._hosts.on_each(names, lambda session: _read(session, scope))
        reading = _Reading(results, errors)
        _refuse_twins(reading.hosts)
        pools_of = {name: host.pools for name, host in reading.hosts.items()}
        pools = self.pool_map(pools_of)
        site = self._site(names, reading, pools)
        if scope.volumes_of:
            site = dataclasses.replace(site, volumes=loose_volumes(self._hosts, pools_of, pools, scope.volumes_of))
        return apply_overlay(site, self._options, is_whole=scope.only_hosts is None)

    def pool_map(self, read: Mapping[str, tuple[HostPool, ...]]) -> PoolMap:
        """Which pool of which host is which pool of the site, by the pools of hosts that were read now and, for the others, of those that ever were."""
        with self._lock:
            self._pools.update(read)
            return PoolMap(self._pools, self._options)

    def pools_of(self, names: Iterable[str]) -> PoolMap:
        """Which pool of these hosts is which, from what they say now and all others said last. Raises what a silent host raises."""
        for name in names:
            pools = self._hosts.get(name).run("reading its pools", read_pools)
            with self._lock:
                self._pools[name] = pools
        with self._lock:
            return PoolMap(self._pools, self._options)

    def _site(self, names: list[str], reading: _Reading, pools: PoolMap) -> Site:
        virt_type = reading.virt_type
        cpus, _failed = self._hosts.on_each(reading.hosts, lambda session: session.run("reading its processor", lambda link: host_cpu(link, virt_type)))
        guests = self._guest_cpus(reading, virt_type)
        vms, warnings = _vms(reading, pools, guests)
        ovs = {nic.network for vm in vms for nic in vm.nics if nic.kind == "ovs"}
        return Site(
            taken_at=time.time(),
            hosts=tuple(self._host(name, reading, pools, cpus, ovs) for name in names),
            pools=pools.pools(frozenset(reading.hosts)),
            vms=vms,
            warnings=warnings,
        )

    def _host(self, name: str, reading: _Reading, pools: PoolMap, cpus: Cpus, ovs: set[str]) -> Host:
        options = self._options.hosts[name]
        raw = reading.hosts.get(name)
        if raw is None:
            return _silent_host(name, options, reading)
        model, features = cpus.get(name, (None, None))
        return Host(
            name=name,
            id=raw.capabilities.machine_id,
            maintenance=closed_by(raw.maintenance, reading.recoveries.get(name)),
            hypervisor="kvm",
            hypervisor_version=raw.hypervisor_version,
            architecture=raw.capabilities.architecture,
            cpu_model=model or raw.capabilities.cpu_model,
            cpu_features=features,
            cpu_count=raw.cpu_count,
            machine_types=raw.capabilities.machine_types,
            memory_mib=raw.memory_mib,
            pools=frozenset(pools.pool_id(name, pool) for pool in raw.pools if pool.active),
            networks=_networks(raw, ovs),
        )

    def _guest_cpus(self, reading: _Reading, virt_type: str) -> GuestCpu:
        """What each guest's CPU shows to it, by its definition; expanded on its own host. Few definitions are in use, so few calls are made."""

        def expand(session: HostSession) -> dict[str, frozenset[str] | None]:
            facts = {vm.facts.cpu_xml: vm.facts for vm in reading.hosts[session.name].vms if vm.facts and vm.facts.virt_type == virt_type and vm.facts.cpu_xml}

            def ask(connection: Connection) -> dict[str, frozenset[str] | None]:
                own = host_cpu(connection, virt_type)[1]
                expanded = {text: guest_features(connection, virt_type, fact.architecture, text) for text, fact in facts.items()}
                # A feature that runs here although its own host does not list it cannot be judged by such lists; the check before the start does.
                return {text: found & own if found is not None and own is not None else None for text, found in expanded.items()}

            return session.run("reading the guests' processors", ask, READ_SECONDS) if facts else {}

        results, _errors = self._hosts.on_each(reading.hosts, expand)
        return lambda host, facts: results.get(host, {}).get(facts.cpu_xml) if facts.virt_type == virt_type else None


def _read(session: HostSession, scope: Scope) -> RawHost:
    session.ping()
    return session.run("reading it", lambda connection: read_host(session.name, connection, scope), READ_SECONDS)


def _silent_host(name: str, options: HostOptions, reading: _Reading) -> Host:
    maintenance = closed_by(Maintenance(), reading.recoveries.get(name))
    return Host(name=name, state=HostState.UNREACHABLE, state_reason=reading.errors[name].message, maintenance=maintenance, tags=options.tags)


def _networks(raw: RawHost, ovs: set[str]) -> tuple[HostNetwork, ...] | None:
    """The host's networks; an interface that some VM uses as an Open vSwitch bridge is one (libvirt lists it as any other interface)."""
    if raw.networks is None:
        return None
    names = {network.name for network in raw.networks}
    return raw.networks + tuple(HostNetwork(name, "ovs") for name in sorted(ovs & names))


def _refuse_twins(hosts: Mapping[str, RawHost]) -> None:
    """Two names of one machine would count its memory and its VMs twice."""
    seen: dict[str, str] = {}
    for name, host in hosts.items():
        machine = host.capabilities.machine_id
        if machine and machine in seen:
            raise InputError(
                f"site.hosts.{name}.uri",
                f"{name} and {seen[machine]} are the same machine (both answer with the host UUID {machine}).",
                code="host_twice",
                hint="Name every host once. If they are two machines, give each its own host_uuid in libvirtd.conf.",
            )
        seen[machine] = name


def _vms(reading: _Reading, pools: PoolMap, guests: GuestCpu) -> tuple[tuple[Vm, ...], tuple[Reason, ...]]:
    """One VM per UUID: where it runs, else where it is defined; the receiving half of a migration is not a second one."""
    silent = tuple(sorted(reading.errors))
    found: dict[str, list[tuple[str, RawVm]]] = defaultdict(list)
    for name, answered in reading.hosts.items():
        for known in answered.vms:
            found[known.uuid].append((name, known))
    vms, warnings = [], []
    for places in found.values():
        settled = [place for place in places if not place[1].incoming] or places
        settled.sort(key=lambda place: (place[1].power_state not in ("running", "paused"), not place[1].persistent, place[0]))
        (host, raw), others = settled[0], settled[1:]
        vm = build_vm(host, raw, reading.hosts[host].pools, pools, guests, tuple(name for name, _vm in others), silent)
        vms.append(vm)
        if raw.facts is not None and raw.facts.note_text is not None and vm.note is None:
            warnings.append(
                warning("note_unreadable", f"The note kept with VM {vm.name} on {host} cannot be read; it is taken for none.", "See virsh dumpxml.")
            )
    warnings += [warning("host_unreachable", f"Host {name} is left out: {error.message}", error.hint) for name, error in reading.errors.items()]
    return tuple(sorted(vms, key=lambda vm: (vm.host, vm.name, vm.id))), tuple(warnings)
