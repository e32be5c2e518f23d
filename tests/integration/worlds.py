# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's world as the scenarios see it: three hosts of one cluster, VMs, and what may happen to them. One implementation per hypervisor.

Everything that is asked of a world is asked of the hypervisors themselves, not of the collection that is being tested.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

WITHIN_SECONDS = 20.0
"""What these scenarios mean by "within seconds"; generous, because the machine may be busy."""

LONG_SECONDS = 120.0

RESTLESS_MIB_S = 64.0
"""A VM that rewrites its memory as fast as this never comes to the end of its move while the links are slow."""


@dataclass(frozen=True)
class WorldVm:
    """A VM of the world, by its name and the hypervisor's own id."""

    name: str
    id: str
    memory_mib: int


@dataclass(frozen=True)
class Whereabouts:
    """Where a VM is: the hosts that have it defined for good, and its state on every host that knows it (``running``, ``paused``, ``off``)."""

    defined_on: frozenset[str]
    states: Mapping[str, str] = field(default_factory=dict)


def running_on(host: str) -> Whereabouts:
    """Defined exactly once, and running there."""
    return Whereabouts(frozenset({host}), {host: "running"})


def paused_on(host: str) -> Whereabouts:
    """Defined exactly once, and paused there."""
    return Whereabouts(frozenset({host}), {host: "paused"})


def off_on(host: str) -> Whereabouts:
    """Defined exactly once, and shut off there."""
    return Whereabouts(frozenset({host}), {host: "off"})


class ForeignMigration(Protocol):
    """A migration that somebody else started with the hypervisor's own tools."""

    def wait(self) -> bool:
        """Wait for its end; True where it succeeded."""


class World(Protocol):
    """Three hosts that can move VMs to each other. Every scenario begins with all of them up, available and without VMs."""

    hosts: tuple[str, str, str]
    disk: str
    """What a VM of ``add_vm`` calls its first disk."""
    data_disk: str
    """What it calls its second one."""
    suffix: str
    """How the names of disk images end here."""
    network: str
    """The network that every host has."""
    own_network: str
    """A network that only the first host has."""
    names_are_unique: bool
    """False where a host may have several VMs of one name."""

    # ------------------------------------------------------------ what the playbook says

    def site_options(self) -> dict[str, Any]:
        """The option ``site`` of every module."""

    def set_host_memory(self, host: str, memory_mib: int) -> None:
        """The operator allows VMs no more memory than this on the host."""

    def describe_host(self, host: str, **facts: Any) -> None:
        """The operator's own facts about a host (``site.hosts.<host>``)."""

    def describe_vm(self, vm: WorldVm, **facts: Any) -> None:
        """The operator's own facts about a VM (``site.vms.<id>``)."""

    def now(self) -> float:
        """Epoch seconds of the clock that the hypervisors go by, which is what a deadline is measured with."""

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
        """A VM on a host. ``power``: running, paused or off. ``local_disk``: its disk is on storage that no other host has, so it cannot move; with
        ``data_disk`` it has a second one there. ``network``: of its card; the common one.
        """

    def add_pool(self, name: str, host: str) -> str:
        """A further pool that only this host has; gives its id."""

    def local(self, host: str) -> str:
        """The id of the pool that only this host has."""

    def where(self, vm: WorldVm) -> Whereabouts:
        """Asked afresh of every host, those included that answer no controller."""

    def is_alive(self, vm: WorldVm) -> bool:
        """True where its heart beats on."""

    def was_never_restarted(self, vm: WorldVm) -> bool:
        """True where it has lived one life without a jump back since it was added."""

    def autostart(self, vm: WorldVm) -> bool:
        """Whether it starts with its host."""

    def memory_used_mib(self, host: str) -> int:
        """Memory of all VMs that are on the host or on their way to it."""

    def in_flight(self) -> frozenset[str]:
        """Names of the VMs that are being migrated right now."""

    def maintenance(self, host: str) -> str:
        """``available``, ``preparing`` or ``maintenance``, from the note that is kept with the host."""

    def maintenance_note(self, host: str) -> Mapping[str, Any]:
        """The note itself; empty where the host is available."""

    def home(self, vm: WorldVm) -> str:
        """The host that the VM's note calls its home; empty where there is none."""

    def pools(self, vm: WorldVm) -> dict[str, str]:
        """The pool of each of its disks, by the VM's name for the disk; a pool that only one host has is that of ``local``."""

    def networks(self, vm: WorldVm) -> list[str]:
        """The network of each of its cards, as it is defined for good and in use now."""

    def volumes(self, pool: str) -> frozenset[str]:
        """Names of everything that lies in the pool."""

    def add_volume(self, name: str, pool: str) -> None:
        """A file in the pool that is the disk of no VM."""

    def pool_maintenance(self, pool: str) -> str:
        """``available``, ``preparing`` or ``maintenance``, from the note that is kept with the pool."""

    def pool_maintenance_note(self, pool: str) -> Mapping[str, Any]:
        """The note itself; empty where the pool is available."""

    def left_behind(self) -> list[str]:
        """What a run must not leave: notes of moves under way, claims, locks, stop requests. Empty where everything is tidy."""

    def digest(self) -> str:
        """Everything that is kept in the world, as text: equal where nothing was changed in between, or it was put back."""

    def written(self) -> str:
        """The same in the last detail: equal only where nothing was written at all."""

    # ------------------------------------------------------------ what may happen

    def slow_links(self) -> None:
        """From now on a move of a VM of the usual size takes some seconds."""

    def slow_copies(self) -> None:
        """From now on the copy of a disk takes some seconds with ``bandwidth_mib_s`` 1."""

    def fast_links(self) -> None:
        """As before ``slow_links``."""

    def refuse_incoming(self, host: str) -> None:
        """The host takes in no VM any more, although nothing that can be read from it says so."""

    def break_first_copy(self, vm: WorldVm) -> AbstractContextManager[None]:
        """While the block lasts: the first move of this VM breaks in the middle."""

    def cut_link_during_move(self, host: str) -> AbstractContextManager[None]:
        """While the block lasts: as soon as a move from this host has begun, no more bytes of it get through. Call before the move."""

    def lose_power_during_move(self, host: str) -> AbstractContextManager[None]:
        """While the block lasts: the host is switched off as soon as a move is under way. Call before the move."""

    def go_dark(self, host: str) -> None:
        """The host answers no controller any more; its VMs run on."""

    def power_off(self, host: str) -> None:
        """The host loses its power: nothing of it answers any more, and its VMs are dead."""

    def power_on(self, host: str) -> None:
        """It is back, with everything that it had on its disks, and starts what it was told to start by itself."""

    def start_foreign_migration(self, vm: WorldVm, target: str) -> ForeignMigration:
        """Somebody else begins to migrate the VM; returns as soon as it is in flight."""


def wait_until(condition: Callable[[], bool], what: str, seconds: float = LONG_SECONDS) -> None:
    """Wait until the condition holds; fails with ``what`` after so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"still waiting after {seconds:.0f} s: {what}")
        time.sleep(0.05)


def everyone_lives(world: World, *vms: WorldVm) -> bool:
    """True where every one of them beats on, is defined exactly once, active on exactly that host, and was never restarted."""
    return all(
        world.is_alive(vm)
        and world.was_never_restarted(vm)
        and len(world.where(vm).defined_on) == 1
        and set(world.where(vm).states) == world.where(vm).defined_on
        for vm in vms
    )
