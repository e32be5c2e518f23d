# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recovery of the VMs of a dead host: which proof it needs, and which VMs can be started elsewhere (PCD-04, PCD-24, PCD-25)."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.host import Host, HostState
from ..model.intent import Intent, Purpose
from ..model.reason import Reason, blocking, hard
from ..model.site import Site
from ..model.vm import PowerState, Vm
from .storage import described

CONSENTS = frozenset({"allow_unproven_uniqueness", "allow_firmware_reset"})
"""What an operator may consent to in a recovery, besides the consents of the rulebook."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a recovery of one host comes to: reasons against all of it, the VMs that can be recovered, and the others with their reasons (by VM id)."""

    reasons: tuple[Reason, ...]
    recoverable: tuple[Vm, ...]
    lost: dict[str, tuple[Reason, ...]]


def judge_host(host: Host, intent: Intent) -> tuple[Reason, ...]:
    """Reasons against a recovery from that host: it answers, or nothing says that it was fenced. No option overrides them: the VMs would run twice.

    For other purposes a host that does not answer is refused: it cannot send.
    """
    silent = host.state is HostState.UNREACHABLE
    if intent.purpose is not Purpose.RECOVER:
        if not silent:
            return ()
        text = f"Host {host.name} does not answer, so nothing can be moved from it."
        return (hard("host_unreachable", text, "Bring it back, or fence it and use the purpose recover.", ("PCD-04",)),)
    found = []
    if not silent:
        text = f"Host {host.name} still answers: VMs that are started elsewhere would run twice."
        found.append(hard("host_still_alive", text, "Use the purpose drain, or fence the host first.", ("PCD-04", "PCD-24")))
    if not intent.fenced:
        text = f"Nothing proves that host {host.name} is dead: silence may be a broken network."
        found.append(hard("not_fenced", text, "Cut its power, make sure of it, and say so with the option fenced.", ("PCD-24",)))
    return tuple(found)


def judge_vm(site: Site, vm: Vm) -> tuple[Reason, ...]:
    """Reasons against a recovery of that VM to any host: disks that died with the host, a definition or a state that nobody knows."""
    found = []
    if not vm.detailed:
        text = f"The definition of VM {vm.name} is not known, and its host cannot be asked."
        found.append(hard("definition_unknown", text, "Give a snapshot that site_info wrote while the host was alive.", ("PCD-24",)))
    for volume in vm.volumes:
        pool = site.pool_by_id.get(volume.pool) if volume.pool is not None else None
        if pool is None or pool.is_local:
            where = f"pool {volume.pool}" if volume.pool is not None else "no storage pool"
            text = f"VM {vm.name} has {described(volume)} in {where}, which only host {vm.host} reached."
            found.append(hard("local_storage_cannot_recover", text, "Restore it from a backup, or bring the host back.", ("PCD-25",)))
    if vm.power_state is PowerState.OFF:
        found.append(hard("power_state", f"VM {vm.name} was off: there is nothing to recover.", "Start it when its host is back.", ("PCD-24",)))
    if vm.policy.pinned:
        found.append(hard("pinned", f"VM {vm.name} is pinned to host {vm.host}.", "Take policy.pinned away, if that no longer holds."))
    return tuple(found)


def judge_recovery(site: Site, host_name: str, intent: Intent) -> Recovery:
    """All that speaks against recovering the VMs of that host, VM by VM; one that cannot be recovered holds none of the others back (PCD-25).

    Raises InputError (``host_unknown``).
    """
    host = site.find_host(host_name, "hosts")
    judged = {vm.id: (vm, judge_vm(site, vm)) for vm in site.vms_by_host[host.name]}
    return Recovery(
        reasons=judge_host(host, intent),
        recoverable=tuple(vm for vm, reasons in judged.values() if not blocking(reasons)),
        lost={vm_id: reasons for vm_id, (_vm, reasons) in judged.items() if blocking(reasons)},
    )
