# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated hypervisors themselves refuse: moves that are physically impossible, whatever the rules above say."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.migration import MigrationType, Mode, NetworkRole
from ...model.reason import Reason, hard
from ...model.vm import OperationKind, PowerState, Vm, attached
from .moment import Moment
from .order import Order
from .possible_storage import of_the_staying, of_the_volumes

IN_MEMORY = (PowerState.RUNNING, PowerState.PAUSED)


def obstacles(moment: Moment, order: Order) -> Iterator[Reason]:
    """Hard reasons why a move cannot succeed now. VM (or detached volume) and hosts must exist in the world. Empty: it can."""
    for host in dict.fromkeys((order.source, order.target)):
        if not moment.answers(host):
            yield hard("host_unreachable", f"Host {host} does not answer.", "Bring it back, or choose another target.")
    move = moment.active_moves.get(order.subject)
    if move is not None:
        what = f"VM {moment.world.vm(order.vm).name}" if order.vm else f"Volume {order.subject}"
        yield hard("operation_in_progress", f"{what} is on its way to {move.target} already.", "Wait for that migration.")
    if order.vm:
        yield from _of_the_vm(moment, moment.world.vm(order.vm), order)
    yield from of_the_volumes(moment, order)
    if order.source != order.target:
        yield from _between(moment, order.source, order.target, order.network)


def _of_the_vm(moment: Moment, vm: Vm, order: Order) -> Iterator[Reason]:
    source, target = order.source, order.target
    if moment.host_of(vm.id) != source:
        yield hard("vm_not_on_source", f"VM {vm.name} is on {moment.host_of(vm.id)}, not on {source}.", "Take a fresh snapshot.")
    if source == target and order.type is not MigrationType.STORAGE and not order.volumes:
        yield hard("same_host", f"VM {vm.name} is on host {target} already.", "Choose another host.")
    yield from _of_the_power_state(vm, moment.power_state(vm.id), order.mode)
    if vm.host_devices and source != target:
        yield hard("host_device", f"domain {vm.name} has assigned host devices: {', '.join(vm.host_devices)}.", "Detach them first.")
    if vm.operation in (OperationKind.BLOCK_JOB, OperationKind.BACKUP):
        yield hard("block_job_active", f"domain {vm.name} has an active block job.", "Wait for its end, or abort it.")
    if source != target:
        yield from _on_the_target(moment, vm, order)
        yield from of_the_staying(moment, vm, order)


def _of_the_power_state(vm: Vm, state: PowerState, mode: Mode) -> Iterator[Reason]:
    """Live and suspended moves need a guest in memory, an offline one needs none; a cold move takes the VM as it is."""
    if mode in (Mode.LIVE, Mode.SUSPENDED) and state not in IN_MEMORY:
        yield hard("power_state", f"VM {vm.name} is {state.value}; only what holds memory can move live.", "Start it first, or leave it.")
    if mode is Mode.OFFLINE and state in IN_MEMORY:
        yield hard("power_state", f"VM {vm.name} is {state.value}; a move offline is one of a VM that is off.", "Move it live or cold.")


def _on_the_target(moment: Moment, vm: Vm, order: Order) -> Iterator[Reason]:
    target = order.target
    host, facts = moment.host(target), moment.vm(vm.id)
    needs_memory = moment.power_state(vm.id) in IN_MEMORY
    free_mib = None if host.memory_mib is None or not needs_memory else host.memory_mib - moment.memory_used_mib(target)
    if free_mib is not None and vm.memory_mib > free_mib:
        yield hard("insufficient_memory", f"cannot set up guest memory: {target} has {free_mib} of {vm.memory_mib} MiB.", "Free memory there.")
    if host.networks is not None:
        known = {network.name for network in host.networks}
        for nic in attached(moment.nics(vm.id), order.network_map):
            if nic.network not in known:
                yield hard("network_missing", f"cannot get interface of {nic.network} on {target}: no such device.", "Make the network there.")
    if host.cpu_features is not None and vm.required_cpu_features is not None:
        missing = sorted(vm.required_cpu_features - host.cpu_features)
        if missing:
            yield hard("cpu_incompatible", f"guest CPU does not match the CPU of {target}: missing features {', '.join(missing)}.", "Choose another target.")
    if host.architecture is not None and vm.architecture is not None and host.architecture != vm.architecture:
        yield hard("arch_mismatch", f"{target} is {host.architecture}, VM {vm.name} needs {vm.architecture}.", "Choose another target.")
    if target in facts.also_on:
        yield hard("also_defined_elsewhere", f"domain {vm.name} is already defined on {target}.", "Find out which of the two is the right one.")


def _between(moment: Moment, source: str, target: str, network: NetworkRole) -> Iterator[Reason]:
    if network is not NetworkRole.MIGRATION:
        return
    for name in (source, target):
        if moment.host(name).migration_address is None:
            yield hard("no_migration_network", f"Host {name} has no address on the migration network.", "Use the management network.")
