# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual machines, with the facts that rules and planner read. ``None`` always means: not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .note import Home, VmNote
from .pool import Volume


class PowerState(StrEnum):
    """Four different states, each kept as it was. ``unknown`` is resolved by asking again, never by assuming."""

    RUNNING = "running"
    PAUSED = "paused"
    SAVED = "saved"
    OFF = "off"
    UNKNOWN = "unknown"


class VmKind(StrEnum):
    """A user's VM, or one of the four kinds of system VM."""

    USER = "user"
    SECONDARY_STORAGE = "secondary_storage"
    CONSOLE_PROXY = "console_proxy"
    ROUTER = "router"
    LOAD_BALANCER = "load_balancer"


class OperationKind(StrEnum):
    """What the hypervisor is doing with a VM right now."""

    MIGRATION_OUT = "migration_out"
    MIGRATION_IN = "migration_in"
    BLOCK_JOB = "block_job"
    BACKUP = "backup"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Nic:
    """A network interface. ``kind`` as in ``HostNetwork``, or ``hostdev``, ``vhostuser``, ``user``, ``direct``."""

    mac: str
    network: str
    kind: str = "bridge"
    model: str = ""


def attached(nics: tuple[Nic, ...], network_map: Mapping[str, str]) -> tuple[Nic, ...]:
    """The cards with each mapped network under its new name."""
    return tuple(dataclasses.replace(nic, network=network_map.get(nic.network, nic.network)) for nic in nics)


@dataclass(frozen=True, slots=True)
class VmPolicy:
    """What the operator said of this VM. ``pinned`` VMs are never moved; ``allow_downtime`` is the consent to a stop or pause."""

    pinned: bool = False
    allow_downtime: bool = False
    priority: int = 0
    note: str = ""


class AffinityKind(StrEnum):
    """Together on one host, or each on another."""

    AFFINITY = "affinity"
    ANTI_AFFINITY = "anti_affinity"


@dataclass(frozen=True, slots=True)
class AffinityGroup:
    """VMs that must (``required``) or should be together on one host, or apart. ``kind``: ``affinity`` or ``anti_affinity``; ``vms`` are VM ids."""

    name: str
    kind: AffinityKind
    vms: frozenset[str] = frozenset()
    required: bool = True


@dataclass(frozen=True, slots=True)
class Vm:
    """A VM.

    ``host`` runs it (or has it defined, where it is off); ``also_on`` are other hosts that have a VM of the same id. ``detailed`` is False where only
    the light facts (identity, host, power state, memory, CPUs) were read. ``memory_mib`` is the most that it may use. ``dirty_rate_mib_s`` is the
    rate at which it rewrites memory, over ``working_set_mib``. ``required_cpu_features`` are those that its CPU shows to the guest.
    ``snapshots_travel``: the definitions of its snapshots come along when it moves to another host and its disks stay.
    ``hugepage_kib`` is the size of the pages that its memory is made of, 0 for ordinary ones. ``host_devices`` names devices of the host given to it.
    ``operation`` is what the hypervisor does with it now. ``hardware_version`` is the number of a vSphere VM's virtual hardware (14 for vmx-14).
    ``managed_by`` names the manager that owns it, as ``rules/managers.py`` lists them. ``folder`` is where it stands in an inventory of folders
    (``DC1/vm/team-a``), empty where there are none. ``leaves_by_itself``: its manager takes it off a host that enters maintenance, so that nobody else need.
    """

    id: str
    name: str
    host: str
    power_state: PowerState = PowerState.RUNNING
    memory_mib: int = 0
    vcpus: int = 1
    detailed: bool = True
    persistent: bool = True
    autostart: bool = False
    kind: VmKind = VmKind.USER
    also_on: tuple[str, ...] = ()
    uniqueness_unproven_on: tuple[str, ...] = ()
    architecture: str | None = None
    machine_type: str | None = None
    cpu_mode: str = ""
    cpu_model: str | None = None
    required_cpu_features: frozenset[str] | None = None
    volumes: tuple[Volume, ...] = ()
    nics: tuple[Nic, ...] = ()
    host_devices: tuple[str, ...] = ()
    snapshots: int = 0
    snapshots_travel: bool = False
    checkpoints: int = 0
    managed_save: bool = False
    operation: OperationKind | None = None
    operation_target: str = ""
    labels: frozenset[str] = frozenset()
    required_host_tags: frozenset[str] = frozenset()
    dirty_rate_mib_s: float | None = None
    working_set_mib: int | None = None
    hugepage_kib: int | None = None
    managed_by: str = ""
    leaves_by_itself: bool = False
    folder: str = ""
    hardware_version: int | None = None
    policy: VmPolicy = VmPolicy()
    note: VmNote | None = None
    home: Home | None = None

    @property
    def is_active(self) -> bool:
        """True where it holds memory on its host."""
        return self.power_state in (PowerState.RUNNING, PowerState.PAUSED)

    @property
    def must_leave(self) -> bool:
        """True where it stands in the way of its host's maintenance until somebody has moved it."""
        return self.is_active and not self.leaves_by_itself

    @property
    def is_system(self) -> bool:
        """True for the four kinds of system VM."""
        return self.kind is not VmKind.USER
