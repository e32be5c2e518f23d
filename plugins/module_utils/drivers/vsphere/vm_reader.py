# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VMs of vSphere as the model has them. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...model.vm import OperationKind, PowerState, Vm, VmKind
from .devices import host_devices_of, nics_of, volumes_of
from .inventory import Inventory
from .properties import Entry, moid_of
from .vm_notes import note_of

LIGHT_PATHS = (
    "name",
    "parent",
    "runtime.host",
    "runtime.powerState",
    "runtime.connectionState",
    "summary.config.memorySizeMB",
    "summary.config.numCpu",
    "config.version",
    "config.template",
    "config.managedBy.extensionKey",
)
FULL_PATHS = ("config.files.vmPathName", "config.hardware.device", "config.extraConfig", "rootSnapshot", "recentTask")

AGENT_MANAGER = "com.vmware.vim.eam"
"""The extension key of vCenter's ESX Agent Manager. It stops its VMs, such as those of the vSphere Cluster Services, or DRS moves them, when their host enters
maintenance mode (VMware, vSphere Resource Management, vSphere Cluster Services).
"""

_POWER = {"poweredOn": PowerState.RUNNING, "poweredOff": PowerState.OFF, "suspended": PowerState.SAVED}
# How CloudStack names its system VMs: r-12-VM, s-1-VM, v-2-VM
_CLOUDSTACK_SYSTEM_VM = re.compile(r"^([rsv])-\d+-VM$")
_CLOUDSTACK_KINDS = {"r": VmKind.ROUTER, "s": VmKind.SECONDARY_STORAGE, "v": VmKind.CONSOLE_PROXY}


def power_of(state: Any, connection: Any = "connected") -> PowerState:
    """The power state. Of a VM whose host does not answer vCenter it is not known, whatever vCenter remembers."""
    return _POWER.get(str(state), PowerState.UNKNOWN) if str(connection or "connected") == "connected" else PowerState.UNKNOWN


def light_vm(entry: Entry, inventory: Inventory) -> Vm | None:
    """A VM by its light facts; None for one that stands on no host of the inventory."""
    host = inventory.host_by_moid.get(moid_of(entry["runtime.host"])) if entry["runtime.host"] is not None else None
    if host is None:
        return None
    number = re.fullmatch(r"vmx-0*(\d+)", str(entry["config.version"] or ""))
    state = power_of(entry["runtime.powerState"], entry["runtime.connectionState"])
    manager = str(entry["config.managedBy.extensionKey"] or "")
    return Vm(
        id=entry.moid,
        name=entry.name,
        host=host.name,
        power_state=state,
        memory_mib=entry["summary.config.memorySizeMB"] or 0,
        vcpus=entry["summary.config.numCpu"] or 1,
        detailed=False,
        managed_save=state is PowerState.SAVED,
        hardware_version=int(number[1]) if number else None,
        labels=frozenset({"template"}) if entry["config.template"] else frozenset(),
        folder=inventory.folder_of(entry),
        managed_by=manager,
        leaves_by_itself=manager == AGENT_MANAGER,
    )


def full_vm(vm: Vm, entry: Entry, inventory: Inventory, moving: Mapping[str, Any]) -> Vm:
    """The VM in full. ``moving``: running tasks that move VMs, by the ids of these."""
    devices = entry["config.hardware.device"] or ()
    note = note_of(entry["config.extraConfig"])
    vmx = str(entry["config.files.vmPathName"] or "")
    is_moving = vm.id in moving
    return dataclasses.replace(
        vm,
        detailed=True,
        kind=_kind(vm.name),
        architecture="x86_64",
        # Processors are judged by vCenter's own check, right before the start.
        required_cpu_features=frozenset(),
        volumes=volumes_of(vm.id, vmx, inventory.home_of(vmx, vm.host), devices, inventory.datastore_by_moid),
        nics=nics_of(devices, inventory.portgroups),
        host_devices=host_devices_of(devices),
        snapshots=_count(entry["rootSnapshot"] or ()),
        snapshots_travel=True,
        operation=OperationKind.MIGRATION_OUT if is_moving else None,
        operation_target=note.target if is_moving and note is not None and note.source == vm.host else "",
        note=note,
        home=note.home if note else None,
    )


def _kind(name: str) -> VmKind:
    found = _CLOUDSTACK_SYSTEM_VM.match(name)
    return _CLOUDSTACK_KINDS[found[1]] if found else VmKind.USER


def _count(snapshots: Iterable[Any]) -> int:
    return sum(1 for _one in snapshots)
