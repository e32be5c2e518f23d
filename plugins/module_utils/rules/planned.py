# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where every VM is, or will be, while a plan grows: positions and the memory that they hold on each host."""

from __future__ import annotations

from collections import Counter

from ..model.site import Site
from ..model.vm import OperationKind, Vm


class PlannedSite:
    """A site with planned positions laid over it.

    ``moving`` are ids of VMs that are about to be moved, ``leaving`` names of hosts that are to be emptied: a VM may be sent ahead of those in ``moving``
    that are still on its host or on one of ``leaving`` without breaking an affinity group.

    A VM can be in two places: ``hold`` adds the destination of a move under way, ``place`` ends it. Migrations that the snapshot shows under way hold
    memory on their destination from the beginning.
    """

    __slots__ = ("_active_ids", "_held_on", "_memory_used_mib", "_moved_to", "_repeated_names", "leaving", "moving", "site")

    def __init__(self, site: Site, moving: frozenset[str] = frozenset(), leaving: frozenset[str] = frozenset()) -> None:
        self.site = site
        self.moving = moving
        self.leaving = leaving
        self._moved_to: dict[str, str] = {}
        self._repeated_names: frozenset[str] | None = None
        self._held_on: dict[str, str] = {}
        self._memory_used_mib: dict[str, int] = {host.name: 0 for host in site.hosts}
        self._active_ids: dict[str, set[str]] = {host.name: set() for host in site.hosts}
        for vm in site.vms:
            if vm.is_active:
                self._add(vm, vm.host)
                if vm.operation is OperationKind.MIGRATION_OUT and vm.operation_target not in ("", vm.host):
                    self._held_on[vm.id] = vm.operation_target
                    self._add(vm, vm.operation_target)

    def copy(self) -> PlannedSite:
        """An independent copy; the site itself is shared."""
        twin = PlannedSite.__new__(PlannedSite)
        twin.site, twin.moving, twin.leaving = self.site, self.moving, self.leaving
        self._repeated_names = twin._repeated_names = self.repeated_names
        twin._moved_to, twin._held_on = dict(self._moved_to), dict(self._held_on)
        twin._memory_used_mib = dict(self._memory_used_mib)
        twin._active_ids = {host: set(ids) for host, ids in self._active_ids.items()}
        return twin

    def place(self, vm_id: str, host: str) -> None:
        """The VM is on that host from now on, and nowhere else."""
        vm = self.site.vm_by_id[vm_id]
        if vm.is_active:
            for old in self.hosts_of(vm_id):
                self._remove(vm, old)
            self._add(vm, host)
        self._held_on.pop(vm_id, None)
        self._moved_to[vm_id] = host

    def hold(self, vm_id: str, host: str) -> None:
        """The VM holds memory on that host as well, because its move there has begun."""
        vm = self.site.vm_by_id[vm_id]
        if vm_id in self._held_on:
            raise ValueError(f"VM {vm_id} is already on its way to {self._held_on[vm_id]}")
        if host == self.host_of(vm_id):
            return
        self._held_on[vm_id] = host
        if vm.is_active:
            self._add(vm, host)

    def host_of(self, vm_id: str) -> str:
        """The host that the VM is on, as planned so far; its source while a move is under way."""
        return self._moved_to.get(vm_id) or self.site.vm_by_id[vm_id].host

    def hosts_of(self, vm_id: str) -> tuple[str, ...]:
        """The hosts that the VM holds memory on: one, or source and destination of a move under way."""
        held = self._held_on.get(vm_id)
        return (self.host_of(vm_id), held) if held else (self.host_of(vm_id),)

    def memory_used_mib(self, host: str) -> int:
        """Memory (MiB) of all active VMs that are on the host or on their way to it."""
        return self._memory_used_mib.get(host, 0)

    def memory_free_mib(self, host: str) -> int | None:
        """Memory (MiB) left after the host's reserve and everything planned; negative where it is over-committed, None where the host's memory is unknown."""
        facts = self.site.host_by_name[host]
        return None if facts.memory_mib is None else facts.memory_mib - facts.reserved_memory_mib - self.memory_used_mib(host)

    def memory_to_start_mib(self, host: str, besides: str) -> int:
        """Memory (MiB) that the VMs which are not active and are to come to the host will need when they are started; ``besides`` one VM's own."""
        coming = {vm_id for vm_id, target in (*self._moved_to.items(), *self._held_on.items()) if target == host} - {besides}
        found = (self.site.vm_by_id[vm_id] for vm_id in coming)
        return sum(vm.memory_mib for vm in found if not vm.is_active and vm.host != host)

    @property
    def repeated_names(self) -> frozenset[str]:
        """Names that more than one VM of the site has."""
        if self._repeated_names is None:
            counted = Counter(vm.name for vm in self.site.vms)
            self._repeated_names = frozenset(name for name, count in counted.items() if count > 1)
        return self._repeated_names

    def active_ids_on(self, host: str) -> set[str]:
        """Ids of the active VMs that are on the host or on their way to it. Not to be changed by the caller."""
        return self._active_ids.get(host) or set()

    def vms_on(self, host: str) -> tuple[Vm, ...]:
        """All VMs whose place is on the host as planned so far, those that are off too, by id."""
        stayed = [vm for vm in self.site.vms_by_host.get(host, ()) if self.host_of(vm.id) == host]
        came = [self.site.vm_by_id[vm_id] for vm_id, target in self._moved_to.items() if target == host and self.site.vm_by_id[vm_id].host != host]
        return tuple(sorted(stayed + came, key=lambda vm: vm.id))

    def _add(self, vm: Vm, host: str) -> None:
        self._memory_used_mib[host] = self._memory_used_mib.get(host, 0) + vm.memory_mib
        self._active_ids.setdefault(host, set()).add(vm.id)

    def _remove(self, vm: Vm, host: str) -> None:
        self._memory_used_mib[host] -= vm.memory_mib
        self._active_ids[host].discard(vm.id)
