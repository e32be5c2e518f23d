# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's world on the KVM lab: real libvirt hosts and guests with a heartbeat. What is true there is asked of libvirt over the hosts' own sockets."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree import ElementTree

from tests.integration.beside import beside
from tests.integration.described import Described
from tests.integration.worlds import LONG_SECONDS, Whereabouts, WorldVm, wait_until
from tests.labs.kvm.config import GUEST_NETWORK, LOCAL_POOL, ONLY_FIRST_HOST_NETWORK, POOL_PATHS, SHARED_POOL

if TYPE_CHECKING:  # both need libvirt-python, which may be what is missing
    import libvirt

    from tests.labs.kvm.guests import Guest
    from tests.labs.kvm.hosts import Host
    from tests.labs.kvm.lab import Lab

# the guest's 16 MiB that are not zero take about four seconds, one after the other
SLOW_MBPS = 40
PATIENCE_SECONDS, IMPATIENCE_SECONDS = 15.0, 4.0
"""For hosts that answer, however busy the machine is; and where one of them will not answer at all."""
LINGERS_SECONDS = 0.7
INACTIVE = 2
"""libvirt's VIR_DOMAIN_XML_INACTIVE."""
NOTE_NAMESPACE = "urn:vmops:migration:1"
MAINTENANCE_USAGE = "vmops/maintenance"
POOL_MAINTENANCE_USAGE = "vmops/pool-maintenance/"
Result = TypeVar("Result")
STATES = {"running": "running", "paused": "paused", "shutoff": "off"}


class VirshMigration:
    """See ``worlds.ForeignMigration``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wait(self) -> bool:
        return self._process.wait(LONG_SECONDS) == 0


class KvmWorld(Described):
    """See ``worlds.World``."""

    disk, data_disk, suffix = "hda", "hdb", ".raw"
    network, own_network = GUEST_NETWORK, ONLY_FIRST_HOST_NETWORK
    names_are_unique = True

    def __init__(self, lab: Lab, transport: str = "tls") -> None:
        super().__init__()
        first, second, third = lab.hosts
        self.hosts = (first, second, third)
        self.lab = lab
        self.transport = transport
        self._guests: dict[str, Guest] = {}
        self._without_route: list[tuple[Host, str]] = []
        self._patience_seconds = PATIENCE_SECONDS
        self._processes: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """Undo what the lab's own reset does not know of."""
        for process in self._processes:
            process.kill()
            process.wait()
        for host, address in self._without_route:
            host.run(["ip", "route", "delete", "unreachable", f"{address}/32"], check=False)

    # ------------------------------------------------------------ what the playbook says

    def site_options(self) -> dict[str, Any]:
        options = self.lab.site_options(self.transport)
        for host, facts in self.host_facts.items():
            options["hosts"][host].update(facts)
        return {**options, "vms": self.vm_facts, "connect_timeout_seconds": self._patience_seconds}

    def now(self) -> float:
        return time.time()

    # ------------------------------------------------------------ what there is

    def add_vm(
        self,
        name: str,
        host: str,
        *,
        memory_mib: int = 64,
        dirty_mib_s: float = 0.0,
        autostart: bool = False,
        power: str = "running",
        local_disk: bool = False,
        data_disk: bool = False,
        vm_id: str | None = None,
        network: str | None = None,
    ) -> WorldVm:
        from tests.labs.kvm.storage_world import DataDisk, guest_with_disks

        asked: dict[str, Any] = {"memory_mib": memory_mib, "dirty_mib_s": dirty_mib_s, "nic": network or self.network, "autostart": autostart}
        asked |= {"start": power != "off", "guest_uuid": vm_id}
        if data_disk:
            guest = guest_with_disks(self.lab, name, host, data=(DataDisk(8, 4, "raw"),), **asked)
        else:
            guest = self.lab.guest(name, host, pool=LOCAL_POOL if local_disk else SHARED_POOL, **asked)
        vm = WorldVm(name, guest.uuid, memory_mib)
        self._guests[vm.id] = guest
        if power == "paused":
            with self.lab.hosts[host].connection() as connection:
                connection.lookupByUUIDString(vm.id).suspend()
        return vm

    def add_pool(self, name: str, host: str) -> str:
        from tests.labs.kvm.storage_world import extra_pool

        extra_pool(self.lab.hosts[host], name)
        return f"{host}/{name}"

    @staticmethod
    def local(host: str) -> str:
        return f"{host}/local"

    def where(self, vm: WorldVm) -> Whereabouts:
        found = self.lab.where(self._guests[vm.id])
        defined = frozenset(host for host, (_state, persistent) in found.items() if persistent)
        return Whereabouts(defined, {host: STATES.get(state, state) for host, (state, _persistent) in found.items()})

    def is_alive(self, vm: WorldVm) -> bool:
        return self._guests[vm.id].is_beating()

    def was_never_restarted(self, vm: WorldVm) -> bool:
        guest = self._guests[vm.id]
        return guest.restarts() == 0 and not guest.faults()

    def autostart(self, vm: WorldVm) -> bool:
        return any(self._ask(lambda domain: domain.isPersistent() and domain.autostart(), vm_id=vm.id))

    def memory_used_mib(self, host: str) -> int:
        return sum(self._ask(lambda domain: domain.info()[1] // 1024 if domain.isActive() else 0, host=host))

    def in_flight(self) -> frozenset[str]:
        return frozenset(name for name in self._ask(lambda domain: domain.name() if domain.isActive() and _is_migrating_out(domain) else "") if name)

    def maintenance(self, host: str) -> str:
        return str(self.maintenance_note(host).get("state", "available"))

    def maintenance_note(self, host: str) -> Mapping[str, Any]:
        found = [text for usage, text in self._secrets(host) if usage.startswith(MAINTENANCE_USAGE)]
        note: Mapping[str, Any] = json.loads(found[0]) if found else {}
        return note

    def home(self, vm: WorldVm) -> str:
        homes = [note.get("home") or {} for note in self._notes(vm.id)]
        return str(homes[0].get("host", "")) if homes else ""

    def pools(self, vm: WorldVm) -> dict[str, str]:
        (host,) = self.where(vm).defined_on
        with self.lab.hosts[host].connection() as connection:
            root = ElementTree.fromstring(connection.lookupByUUIDString(vm.id).XMLDesc(0))
        disks = {disk.find("target").get("dev"): disk.find("source").get("file") for disk in root.iterfind("./devices/disk")}  # type: ignore[union-attr]
        folders = {str(device): Path(str(path)).parent for device, path in disks.items()}
        return {device: SHARED_POOL if folder == POOL_PATHS[SHARED_POOL] else f"{host}/{folder.name}" for device, folder in folders.items()}

    def networks(self, vm: WorldVm) -> list[str]:
        (host,) = self.where(vm).defined_on
        with self.lab.hosts[host].connection() as connection:
            domain = connection.lookupByUUIDString(vm.id)
            told = [ElementTree.fromstring(domain.XMLDesc(flags)) for flags in (0, INACTIVE)]
        now, lasting = ([source.get("network") for source in root.iterfind("./devices/interface/source")] for root in told)
        assert lasting == now
        return [str(name) for name in now]

    def volumes(self, pool: str) -> frozenset[str]:
        host, _slash, name = pool.rpartition("/")
        paths = self.lab.hosts[host or self.hosts[0]].run(["ls", "-A", str(POOL_PATHS[name])]).splitlines()
        return frozenset(paths)

    def add_volume(self, name: str, pool: str) -> None:
        host, _slash, pool_name = pool.rpartition("/")
        self.lab.hosts[host or self.hosts[0]].run(["fallocate", "-l", "1M", str(POOL_PATHS[pool_name] / name)])

    def pool_maintenance(self, pool: str) -> str:
        return str(self.pool_maintenance_note(pool).get("state", "available"))

    def pool_maintenance_note(self, pool: str) -> Mapping[str, Any]:
        host, _slash, name = pool.rpartition("/")
        found = [text for usage, text in self._secrets(host or self.hosts[0]) if usage == POOL_MAINTENANCE_USAGE + name]
        note: Mapping[str, Any] = json.loads(found[0]) if found else {}
        return note

    def left_behind(self) -> list[str]:
        secrets = [
            f"{usage} on {host}"
            for host in self.hosts
            for usage, _text in self._secrets(host)
            if not usage.startswith((MAINTENANCE_USAGE, POOL_MAINTENANCE_USAGE))
        ]
        notes = [f"note of {guest.name}" for vm_id, guest in self._guests.items() for note in self._notes(vm_id) if note["phase"] == "moving"]
        return sorted(secrets + notes)

    def digest(self) -> str:
        return self.lab.snapshot_state()

    def written(self) -> str:
        return self.lab.snapshot_state()

    # ------------------------------------------------------------ what may happen

    def slow_links(self) -> None:
        self.lab.shape_migration_links(SLOW_MBPS)

    def slow_copies(self) -> None:
        """``bandwidth_mib_s`` is enough here."""

    def fast_links(self) -> None:
        self.lab.clear_migration_links()

    def refuse_incoming(self, host: str) -> None:
        """The other hosts lose their route to its migration address; the controller and their daemons reach it as before."""
        address = self.lab.hosts[host].migration_address
        for other in self.lab.hosts.values():
            if other.name != host:
                other.run(["ip", "route", "replace", "unreachable", f"{address}/32"])
                self._without_route.append((other, address))

    @contextmanager
    def break_first_copy(self, vm: WorldVm) -> Iterator[None]:
        """Kills the receiving QEMU."""

        def kill_receiver() -> None:
            wait_until(lambda: vm.name in self.in_flight(), f"{vm.name} to be in flight")
            time.sleep(LINGERS_SECONDS)
            for pid in [pid for host in self.hosts if host not in self.where(vm).defined_on for pid in self._qemu(host, vm)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        with beside(kill_receiver):
            yield

    @contextmanager
    def cut_link_during_move(self, host: str) -> Iterator[None]:
        from tests.labs.kvm.network import Link

        def cut() -> None:
            wait_until(lambda: bool(self.in_flight()), f"a move from {host}")
            time.sleep(LINGERS_SECONDS)
            self.lab.cut_link(host, Link.MIGRATION)

        with beside(cut):
            yield

    @contextmanager
    def lose_power_during_move(self, host: str) -> Iterator[None]:
        def switch_off() -> None:
            wait_until(lambda: bool(self.in_flight()), f"a move to {host}")
            time.sleep(LINGERS_SECONDS)
            self.lab.hosts[host].power_off()

        with beside(switch_off):
            yield

    def go_dark(self, host: str) -> None:
        from tests.labs.kvm.network import Link

        self._patience_seconds = IMPATIENCE_SECONDS
        self.lab.cut_link(host, Link.MANAGEMENT)

    def power_off(self, host: str) -> None:
        """Its network cards lose their links too: a host's network namespace, and with it the kernel's answers, outlives its processes."""
        from tests.labs.kvm.network import Link

        self._patience_seconds = IMPATIENCE_SECONDS
        for link in Link:
            self.lab.cut_link(host, link)
        self.lab.hosts[host].power_off()

    def power_on(self, host: str) -> None:
        from tests.labs.kvm.network import Link

        for link in Link:
            self.lab.restore_link(host, link)
        self.lab.hosts[host].power_on()

    def start_foreign_migration(self, vm: WorldVm, target: str) -> VirshMigration:
        source = next(iter(self.where(vm).defined_on))
        destination = self.lab.hosts[target]
        command = ["virsh", "-c", self.lab.hosts[source].uri("unix"), "migrate", "--live", "--p2p", "--persistent", "--undefinesource"]
        process = subprocess.Popen([*command, vm.id, destination.peer_uri("tls"), f"tcp://{destination.migration_address}"], stdout=subprocess.DEVNULL)
        self._processes.append(process)
        wait_until(lambda: vm.name in self.in_flight() or process.poll() is not None, f"virsh to begin with {vm.name}")
        return VirshMigration(process)

    def start_from_a_copy(self, vm: WorldVm, host: str) -> None:
        """Start the host's own definition of the VM with a copy of its disk, which nobody holds a lock on."""
        found, guest = self.lab.hosts[host], self._guests[vm.id]
        shutil.copy(found.pool_folder("shared") / guest.spec.image_name, found.pool_folder("local"))
        with found.connection() as connection:
            text = connection.lookupByUUIDString(vm.id).XMLDesc()
            connection.defineXML(text.replace("/srv/shared/", "/srv/local/")).create()

    # ------------------------------------------------------------ inside

    def _ask(self, question: Callable[[libvirt.virDomain], Result], host: str | None = None, vm_id: str | None = None) -> list[Result]:
        """Ask every domain of all hosts, or only of one, or only the VM's; one that goes away meanwhile has no answer."""
        import libvirt

        answers = []
        for found in self.lab.hosts.values():
            if not found.is_powered() or (host is not None and found.name != host):
                continue
            with found.connection() as connection:
                for domain in connection.listAllDomains():
                    with contextlib.suppress(libvirt.libvirtError):
                        if vm_id is None or domain.UUIDString() == vm_id:
                            answers.append(question(domain))
        return answers

    def _secrets(self, host: str) -> list[tuple[str, str]]:
        """Usage and description of each secret on a host; one that goes away meanwhile is left out."""
        import libvirt

        found: list[tuple[str, str]] = []
        if not self.lab.hosts[host].is_powered():
            return found
        with self.lab.hosts[host].connection() as connection:
            for secret in connection.listAllSecrets():
                with contextlib.suppress(libvirt.libvirtError):
                    found.append((secret.usageID(), ElementTree.fromstring(secret.XMLDesc()).findtext("description", "")))
        return sorted(found)

    def _notes(self, vm_id: str) -> list[dict[str, Any]]:
        """The notes of a VM on every host that knows it; a VM without one makes libvirt refuse to answer."""
        return self._ask(_note, vm_id=vm_id)

    def _qemu(self, host: str, vm: WorldVm) -> list[int]:
        """QEMU processes of a VM on a host."""
        found = []
        for pid in self.lab.hosts[host].processes():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"qemu-system-x86_64") and vm.id.encode() in words:
                    found.append(pid)
        return found


def _note(domain: libvirt.virDomain) -> dict[str, Any]:
    import libvirt

    note: dict[str, Any] = json.loads(ElementTree.fromstring(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NOTE_NAMESPACE)).text or "{}")
    return note


def _is_migrating_out(domain: libvirt.virDomain) -> bool:
    import libvirt

    try:
        stats = domain.jobStats()
        # A pre-check shows itself as a migration for a moment, but it copies nothing.
        return stats.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT and stats.get("memory_total", 0) > 0
    except libvirt.libvirtError:
        return False
