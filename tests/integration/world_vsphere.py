# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's world on the vSphere lab. Everything is asked of its API server by a session of the tests' own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pyVmomi import vim

from tests.integration.described import Described
from tests.integration.worlds import RESTLESS_MIB_S, Whereabouts, WorldVm, wait_until
from tests.labs.vsphere.lab import VsphereLab

NOTE, KEPT = "vmops.migration.note", "vmops.migration"
STATES = {"poweredOn": "running", "poweredOff": "off", "suspended": "saved"}
FAST_SECONDS, SLOW_SECONDS, RESTLESS_SECONDS = 0.2, 4.0, 90.0
BREAKS_AT_PERCENT = 40
HOST_MEMORY_MIB = 16384


class VsphereForeignMigration:
    """See ``worlds.ForeignMigration``."""

    def __init__(self, lab: VsphereLab, task: Any) -> None:
        self._lab, self._task = lab, task

    def wait(self) -> bool:
        try:
            self._lab.wait(self._task)
        except vim.fault.VimFault:
            return False
        return True


class VsphereWorld(Described):
    """See ``worlds.World``."""

    disk, data_disk, suffix = "scsi0:0", "scsi0:1", ".vmdk"
    network, own_network = "VM Network", "only1"
    names_are_unique = False

    def __init__(self, lab: VsphereLab) -> None:
        super().__init__()
        self.lab = lab
        first, second, third = lab.hosts
        self.hosts = (first, second, third)
        self._booted: dict[str, Any] = {}
        self._restless = False
        self._autostarted: set[str] = set()
        for host in self.hosts:
            lab.control("hosts", name=host, memory_mib=HOST_MEMORY_MIB)
        lab.control("hosts", name=first, networks=[self.network, self.own_network])
        self.fast_links()

    # ------------------------------------------------------------ what the playbook says

    def site_options(self) -> dict[str, Any]:
        return {**self.lab.module_site(), "hosts": self.host_facts, "vms": self.vm_facts}

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
        if power == "paused" or vm_id is not None:
            pytest.skip("vSphere pauses no VM, and gives ids itself")
        pool = self.local(host) if local_disk else "shared"
        pools = (pool, pool) if data_disk else (pool,)
        moid = self.lab.add_vm(name, host, pools=pools, memory_mib=memory_mib, powered_on=power == "running", network=network or self.network)
        self._autostarted |= {moid} if autostart else set()
        self._restless |= dirty_mib_s >= RESTLESS_MIB_S
        self._booted[moid] = self.lab.vm(moid).runtime.bootTime
        return WorldVm(name, moid, memory_mib)

    def add_pool(self, name: str, host: str) -> str:
        self.lab.add_datastore(name, [host])
        return name

    @staticmethod
    def local(host: str) -> str:
        """The pool that only this host has."""
        return f"local-{host}"

    def where(self, vm: WorldVm) -> Whereabouts:
        runtime = self.lab.vm(vm.id).runtime
        host = runtime.host.name
        return Whereabouts(frozenset({host}), {host: STATES[str(runtime.powerState)]})

    def is_alive(self, vm: WorldVm) -> bool:
        return str(self.lab.vm(vm.id).runtime.powerState) == "poweredOn"

    def was_never_restarted(self, vm: WorldVm) -> bool:
        return bool(self.lab.vm(vm.id).runtime.bootTime == self._booted[vm.id])

    def autostart(self, vm: WorldVm) -> bool:
        """As it was told: hosts have a list of VMs that they start, and no move of ours reads or writes it."""
        return vm.id in self._autostarted

    def memory_used_mib(self, host: str) -> int:
        return sum(vm.config.hardware.memoryMB for vm in self.lab.host(host).vm if str(vm.runtime.powerState) == "poweredOn")

    def in_flight(self) -> frozenset[str]:
        running = [task for vm in self.lab.all_of(vim.VirtualMachine) for task in vm.recentTask if self._is_running(task)]
        return frozenset(task.info.entity.name for task in running)

    @staticmethod
    def _is_running(task: Any) -> bool:
        return str(task.info.state) == "running" and task.info.descriptionId == "VirtualMachine.relocate"

    def maintenance(self, host: str) -> str:
        return str(self.maintenance_note(host).get("state", "available"))

    def maintenance_note(self, host: str) -> Mapping[str, Any]:
        note: Mapping[str, Any] = self._kept(self.lab.host(host)).get("maintenance") or {}
        return {} if note.get("state", "available") == "available" else note

    def home(self, vm: WorldVm) -> str:
        note = self._note(vm.id)
        return str((note.get("home") or {}).get("host", ""))

    def pools(self, vm: WorldVm) -> dict[str, str]:
        disks = [one for one in self.lab.vm(vm.id).config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk)]
        return {f"scsi0:{disk.unitNumber}": disk.backing.datastore.name for disk in disks}

    def pool_maintenance(self, pool: str) -> str:
        return str(self.pool_maintenance_note(pool).get("state", "available"))

    def pool_maintenance_note(self, pool: str) -> Mapping[str, Any]:
        note: Mapping[str, Any] = self._kept(self.lab.named(vim.Datastore, pool)).get("maintenance") or {}
        return {} if note.get("state", "available") == "available" else note

    def networks(self, vm: WorldVm) -> list[str]:
        cards = [one for one in self.lab.vm(vm.id).config.hardware.device if isinstance(one, vim.vm.device.VirtualEthernetCard)]
        return [str(card.backing.deviceName) for card in cards]

    def volumes(self, pool: str) -> frozenset[str]:
        """The names of all disks and media in the datastore's folders, as its browser lists them."""
        return self.lab.files(pool)

    def add_volume(self, name: str, pool: str) -> None:
        self.lab.add_file(name, pool)

    def left_behind(self) -> list[str]:
        moving = [f"note of {vm.name}" for vm in self.lab.all_of(vim.VirtualMachine) if self._note(vm._moId).get("phase") == "moving"]
        kept = [(host.name, self._kept(host)) for host in self.lab.all_of(vim.HostSystem)]
        stores = [(store.name, self._kept(store)) for store in self.lab.all_of(vim.Datastore)]
        moving += [f"note of volume {volume} with {name}" for name, what in stores for volume in what.get("volumes", ())]
        claims = [f"claim {claim['kind']} {claim['subject']} on {name}" for name, what in kept for claim in what.get("claims", ())]
        stops = [f"stop request on {name}" for name, what in kept if what.get("stop_by")]
        locks = [f"lock {field.name}" for field in self._fields() if field.name.startswith(f"{KEPT}.lock.")]
        return sorted([*moving, *claims, *stops, *locks])

    def digest(self) -> str:
        """Everything that is kept, and where everything is."""
        vms = [
            (vm.name, vm.runtime.host.name, str(vm.runtime.powerState), vm.config.files.vmPathName, self._note(vm._moId))
            for vm in self.lab.all_of(vim.VirtualMachine)
        ]
        held = [(one.name, self._kept(one)) for kind in (vim.HostSystem, vim.Datastore) for one in self.lab.all_of(kind)]
        modes = [(host.name, host.runtime.inMaintenanceMode) for host in self.lab.all_of(vim.HostSystem)]
        return json.dumps([sorted(vms, key=str), sorted(held, key=str), sorted(modes)], indent=1)

    def written(self) -> str:
        versions = sorted((vm.name, vm.config.changeVersion) for vm in self.lab.all_of(vim.VirtualMachine))
        writes = {name: count for name, count in self.lab.control("calls")["methods"].items() if self._writes(name)}
        return json.dumps([versions, writes, self.digest()])

    @staticmethod
    def _writes(method: str) -> bool:
        """True for the calls that change something which outlives a session."""
        return method.startswith(("Set", "Add", "Remove", "Reconfig", "Relocate", "Migrate", "Enter", "Exit", "Power"))

    # ------------------------------------------------------------ what may happen

    def slow_links(self) -> None:
        self.lab.settings(move_seconds=RESTLESS_SECONDS if self._restless else SLOW_SECONDS)

    def slow_copies(self) -> None:
        self.slow_links()

    def fast_links(self) -> None:
        self.lab.settings(move_seconds=FAST_SECONDS)

    def refuse_incoming(self, host: str) -> None:
        pytest.skip("what vCenter refuses, its own check tells before")

    @contextmanager
    def break_first_copy(self, vm: WorldVm) -> Iterator[None]:
        self.lab.settings(fail={"vm": vm.name, "at_percent": BREAKS_AT_PERCENT})
        yield

    @contextmanager
    def cut_link_during_move(self, host: str) -> Iterator[None]:
        pytest.skip("vCenter tells no bytes, so that no stall can be seen")
        yield

    @contextmanager
    def lose_power_during_move(self, host: str) -> Iterator[None]:
        pytest.skip("hosts that die belong to vSphere HA")
        yield

    def go_dark(self, host: str) -> None:
        self.lab.control("hosts", name=host, connection="notResponding")

    def power_off(self, host: str) -> None:
        pytest.skip("hosts that die belong to vSphere HA")

    def power_on(self, host: str) -> None:
        self.lab.control("hosts", name=host, connection="connected")

    def start_foreign_migration(self, vm: WorldVm, target: str) -> VsphereForeignMigration:
        host = self.lab.host(target)
        task = self.lab.vm(vm.id).RelocateVM_Task(vim.vm.RelocateSpec(host=host, pool=host.parent.resourcePool))
        wait_until(lambda: vm.name in self.in_flight(), f"the foreign migration of {vm.name}")
        return VsphereForeignMigration(self.lab, task)

    # ------------------------------------------------------------ inside

    def _note(self, moid: str) -> dict[str, Any]:
        text = next((str(one.value) for one in self.lab.vm(moid).config.extraConfig if one.key == NOTE), "")
        return json.loads(text) if text else {}

    def _fields(self) -> list[Any]:
        return list(self.lab.content.customFieldsManager.field)

    def _kept(self, entity: Any) -> dict[str, Any]:
        keys = {field.key for field in self._fields() if field.name == KEPT}
        text = next((str(one.value) for one in entity.customValue if one.key in keys), "")
        return json.loads(text) if text else {}
