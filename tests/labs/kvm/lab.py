# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The KVM lab as a whole: real libvirt hosts in namespaces of this machine, with real guests. README.md has the tests' view of it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import libvirt

from .build import Artifacts
from .certificates import Certificates
from .cleanup import clear_domains
from .commands import LabError
from .config import POOL_PATHS, Addresses, LabConfig
from .guests import Guest, GuestSpec, domain_xml
from .heartbeat import GapWatch, HeartbeatLog
from .host_files import SEARCH_ONLY, heartbeat_folder, shared_folder, write_host_files
from .hosts import Host, Transport, namespace_processes
from .image import GuestLoad, write_image
from .network import Link, Network
from .resources import define_resources, remove_extra_resources
from .ssh import SshKeys
from .state import describe_host, domain_state
from .subnets import SubnetRegistry

UNSHAPED_LINK_MBPS = 10000
DESCRIPTION = "lab.json"
Result = TypeVar("Result")


class Lab:
    """One lab. `up` and `down` may be called any number of times, by any process; what exists is asked from the kernel and from libvirt."""

    def __init__(self, config: LabConfig | None = None) -> None:
        _quiet_libvirt()
        self.config = config or LabConfig()
        self.folder = self.config.folder
        self.guests: dict[str, Guest] = {}
        self.hosts: dict[str, Host] = {}
        self.link_mbps = UNSHAPED_LINK_MBPS
        self._registry = SubnetRegistry(self.config.labs_folder)
        self._artifacts = Artifacts(self.folder / "built")
        self.gap_watch = GapWatch()
        index = self._registry.find(self.config.name)
        if index is not None:
            self._take_addresses(index)

    # ------------------------------------------------------------ life

    @classmethod
    def existing(cls, config: LabConfig) -> Lab:
        """The lab of that name as it was brought up: number of hosts and kind of trust are read from its folder, if there is one."""
        try:
            described = json.loads((config.folder / DESCRIPTION).read_text())
        except FileNotFoundError:
            return cls(config)
        return cls(replace(config, **described))

    def up(self) -> None:
        """Bring up what is missing; every host answers, knows its capabilities and has its pools and networks afterwards."""
        with self._registry.lab_locked(self.config.name):
            self._take_addresses(self._registry.acquire(self.config.name))
            _make_private_folder(self.folder)
            self._describe()
            for folder in (heartbeat_folder(self.config), shared_folder(self.config)):
                folder.mkdir(exist_ok=True)
            if self.config.unprivileged:  # QEMU has to reach its guests' files, and may do no more than that
                for folder in (self.folder, shared_folder(self.config)):
                    folder.chmod(SEARCH_ONLY)
                heartbeat_folder(self.config).chmod(0o777)
            self._artifacts.build()
            for host in self.config.host_names:
                write_host_files(self.config, self.addresses, host)
            self.certificates.create()
            if self.config.authenticated:
                self.ssh.create()
            self.network.up(self.config.host_names)
            self._on_all_hosts(self._prepare)

    def down(self) -> None:
        """Remove everything: guests, hosts, namespaces, interfaces, the lab's folder and its claim on the subnet."""
        self.gap_watch.stop()
        self.guests.clear()
        with self._registry.lab_locked(self.config.name):
            index = self._registry.find(self.config.name)
            if index is not None:
                self._take_addresses(index)
                for host in self.hosts.values():
                    host.power_off()
                for name in self.network.namespaces():
                    if namespace_processes(name):
                        raise LabError(f"processes are left in {name}: {namespace_processes(name)}")
                self.network.down()
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self._registry.release(self.config.name)
            self._registry.forget_lock(self.config.name)
        self.hosts = {}

    def is_up(self) -> bool:
        return bool(self.hosts) and all(host.is_powered() and host.answers() for host in self.hosts.values())

    def reset(self) -> None:
        """Back to the state after `up`: cables in, hosts on, daemons running with their own keys and size, no guest, secret or foreign pool left."""
        for name, host in self.hosts.items():
            host.thaw_daemon()
            for link in Link:
                self.network.restore(name, link)
        self.clear_migration_links()
        self._on_all_hosts(self._reset_host)
        self.clear_guests()

    # ------------------------------------------------------------ guests

    def guest(
        self,
        name: str,
        host: str,
        *,
        memory_mib: int = 64,
        dirty_mib_s: float = 0.0,
        working_set_mib: int = 16,
        nic: str | None = None,
        pool: str = "shared",
        autostart: bool = False,
        start: bool = True,
        guest_uuid: str | None = None,
        disk_mib: int = 4,
    ) -> Guest:
        """Define a guest on a host and, unless start is False, start it and wait for its first heartbeat."""
        load = GuestLoad(dirty_mib_s=dirty_mib_s, working_set_mib=working_set_mib)
        spec = GuestSpec(name=name, uuid=guest_uuid or str(uuid.uuid4()), memory_mib=memory_mib, load=load, nic=nic, pool=pool, disk_mib=disk_mib)
        image = self.hosts[host].pool_folder(pool) / spec.image_name
        write_image(self._artifacts.guest, image, load, disk_mib=disk_mib)
        log = HeartbeatLog(heartbeat_folder(self.config) / f"{spec.file_stem}.log")
        log.path.unlink(missing_ok=True)
        guest = Guest(spec, log=log, watch=self.gap_watch, image=image)
        with self.hosts[host].connection() as connection:
            connection.storagePoolLookupByName(pool).refresh()
            domain = connection.defineXML(domain_xml(spec, image=POOL_PATHS[pool] / spec.image_name, heartbeat=log.path))
            if autostart:
                domain.setAutostart(1)
            if start:
                domain.create()
        self.guests[spec.uuid] = guest
        if start:
            guest.wait_beating()
        guest.reset_gap()
        return guest

    def clear_guests(self) -> None:
        """Remove every domain from every host, every secret, pool and network that is not the lab's, and every disk and log of theirs."""
        for guest in self.guests.values():
            self.gap_watch.remove(guest.log)
        self.guests.clear()
        self._on_all_hosts(self._clear_host)
        folders = [heartbeat_folder(self.config), *(host.pool_folder(pool) for host in self.hosts.values() for pool in POOL_PATHS)]
        for path in [path for folder in set(folders) for path in folder.iterdir()]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._on_all_hosts(_refresh_pools)

    # ------------------------------------------------------------ state of the world

    def where(self, vm: str | Guest) -> dict[str, tuple[str, bool]]:
        """Host -> (state, persistent) for every host that knows the VM: by name for a string, by UUID for a Guest. Hosts without power are left out."""
        found = {}
        for host in self._powered_hosts():
            with host.connection() as connection:
                for domain in connection.listAllDomains():
                    if domain.UUIDString() == vm.uuid if isinstance(vm, Guest) else domain.name() == vm:
                        try:
                            found[host.name] = (domain_state(domain), bool(domain.isPersistent()))
                        except libvirt.libvirtError as error:
                            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # it has moved away in this moment
                                raise
        return found

    def placements(self) -> dict[str, list[str]]:
        """Host -> the names of the VMs that are active there, sorted. Hosts without power are left out."""
        found = {}
        for host in self._powered_hosts():
            with host.connection() as connection:
                found[host.name] = sorted(domain.name() for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE))
        return found

    def snapshot_state(self) -> str:
        """Everything on all hosts as text: two of them are equal if nothing was changed between (guests' own writes do not count)."""
        return "\n".join(line for host in self.hosts.values() for line in (describe_host(host) if host.is_powered() else [f"{host.name} has no power"]))

    # ------------------------------------------------------------ network

    def shape_migration_links(self, bandwidth_mbps: int) -> None:
        """Limit every host's migration link to bandwidth_mbps in each direction."""
        for name in self.hosts:
            self.network.shape(name, Link.MIGRATION, bandwidth_mbps)
        self.link_mbps = bandwidth_mbps

    def clear_migration_links(self) -> None:
        for name in self.hosts:
            self.network.clear_shape(name, Link.MIGRATION)
        self.link_mbps = UNSHAPED_LINK_MBPS

    def cut_link(self, host: str, link: Link) -> None:
        self.network.cut(host, link)

    def restore_link(self, host: str, link: Link) -> None:
        self.network.restore(host, link)

    # ------------------------------------------------------------ for playbooks

    def site_options(self, transport: str = Transport.TLS, *, peer_transport: str | None = None) -> dict[str, Any]:
        """The `site` option of the modules for this lab. Peers reach each other by tls, or by tcp when the controller does."""
        peers = peer_transport or (Transport.TCP if transport == Transport.TCP else Transport.TLS)
        return {"driver": "libvirt", "profile": "generic", "hosts": {name: self._host_options(host, transport, peers) for name, host in self.hosts.items()}}

    def _host_options(self, host: Host, transport: str, peer_transport: str) -> dict[str, Any]:
        return {
            "uri": host.uri(transport),
            "peer_uri": host.peer_uri(peer_transport),
            "migration_address": host.migration_address,
            "migration_link_mbps": self.link_mbps,
            "cluster": "c1",
            "pod": "p1",
            "zone": "z1",
        }

    # ------------------------------------------------------------ inside

    def _describe(self) -> None:
        """Keep how the lab is made in its folder; LabError when it is there and made otherwise."""
        described = {"host_count": self.config.host_count, "authenticated": self.config.authenticated, "unprivileged": self.config.unprivileged}
        path = self.folder / DESCRIPTION
        if path.exists() and (found := json.loads(path.read_text())) != described:
            raise LabError(f"lab {self.config.name} exists as {found}, not {described}: take it down first")
        path.write_text(json.dumps(described))

    def _take_addresses(self, index: int) -> None:
        self.addresses = Addresses(index)
        self.network = Network(self.addresses)
        self.certificates = Certificates(self.config, self.addresses)
        self.ssh = SshKeys(self.config, self.addresses)
        self.hosts = {name: Host(name, self.config, self.addresses, self._artifacts) for name in self.config.host_names}

    def _powered_hosts(self) -> list[Host]:
        return [host for host in self.hosts.values() if host.is_powered()]

    def _on_all_hosts(self, action: Callable[[Host], Result]) -> list[Result]:
        with ThreadPoolExecutor(max_workers=len(self.hosts)) as workers:
            return list(workers.map(action, self.hosts.values()))

    def _prepare(self, host: Host) -> None:
        host.power_on()
        with host.connection() as connection:
            define_resources(connection, self.config, host.name)
            connection.getCapabilities()  # the first call takes seconds, because libvirt starts every QEMU binary: not in a test's time

    def _reset_host(self, host: Host) -> None:
        host.restore_trust()
        if host.memory_is_limited:
            host.limit_memory(None)
        self._prepare(host)

    def _clear_host(self, host: Host) -> None:
        try:
            with host.connection() as connection:
                clear_domains(connection, host.name)
        except LabError:  # libvirt 9.0 may never let go of a domain whose post-copy lost one of its ends: pulling the plug ends that too
            host.power_off()
            host.power_on()
            self._prepare(host)
            with host.connection() as connection:
                clear_domains(connection, host.name)
        with host.connection() as connection:
            remove_extra_resources(connection, self.config, host.name)


def _refresh_pools(host: Host) -> None:
    with host.connection() as connection:
        for pool in connection.listAllStoragePools():
            pool.refresh()


def _make_private_folder(folder: Path) -> None:
    """The lab's keys and sockets are root's alone, although the folder above is anybody's to write in."""
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LabError(f"{folder} is not a folder of this user: not used")
    folder.chmod(0o700)


def _quiet_libvirt() -> None:
    """Errors come as exceptions; libvirt would print them on standard error as well."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
