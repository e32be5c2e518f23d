# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that was dead and is back: definitions of VMs that were recovered elsewhere are stale, and would start them twice with its next boot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..drivers.driver import LIGHT, Driver, Presence
from ..model.errors import StateConflict
from ..model.host import HostState
from ..model.reason import Reason, hard, warning
from ..model.recovery import RecoveredVm, RecoveryNote
from ..model.vm import PowerState

LOOKS = 5
LOOK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Stale:
    """What a host that is back still has of VMs that were recovered. ``removable`` are shut off there and proven to be elsewhere; ``reasons`` forbid to open
    the host.
    """

    host: str
    noted: bool = False
    removable: tuple[RecoveredVm, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def warnings(self) -> tuple[Reason, ...]:
        """What is, or would be, removed."""
        if not self.removable:
            return ()
        names = ", ".join(vm.name for vm in self.removable)
        return (warning("stale_definitions_removed", f"Definitions on {self.host} of VMs that were recovered and are elsewhere by now: {names}."),)


def find_stale(driver: Driver, host: str) -> Stale:
    """Ask every host that answers. Writes nothing.

    A host that has just booted may be starting what is marked autostart; where QEMU's lock refuses that, the VM is off again a moment later.
    """
    note = next((found for found in driver.recoveries() if found.host == host), None)
    if note is None:
        return Stale(host)
    silent = tuple(sorted(other.name for other in driver.snapshot(LIGHT).hosts if other.state is HostState.UNREACHABLE))
    for _look in range(LOOKS):
        found, is_starting = _compare(driver, note, silent)
        if not is_starting:
            break
        driver.clock.sleep(LOOK_AGAIN_SECONDS)
    return found


def _compare(driver: Driver, note: RecoveryNote, silent: tuple[str, ...]) -> tuple[Stale, bool]:
    """One look at every VM of the note; and whether one of them may be about to start, or to fail to."""
    presences = driver.presences([vm.id for vm in note.vms])
    removable, reasons, is_starting = [], list(_unreadable(note)), False
    for vm in note.vms:
        here = next((found for found in presences.get(vm.id, ()) if found.host == note.host), None)
        elsewhere = tuple(found for found in presences.get(vm.id, ()) if found.host != note.host and not found.incoming)
        if here is None:
            continue
        refused = _judge(vm, here, elsewhere, silent)
        is_starting |= here.power_state is PowerState.PAUSED and refused is not None
        if refused is not None:
            reasons.append(refused)
        elif not _is_active(here) and elsewhere:
            removable.append(vm)
    return Stale(note.host, noted=True, removable=tuple(removable), reasons=tuple(reasons)), is_starting


def remove_stale(driver: Driver, stale: Stale) -> None:
    """Remove what is removable, then the note. Raises StateConflict (``stale_definitions``) where something stays that must not."""
    check_stale(stale)
    left = [reason for vm in stale.removable if (reason := driver.drop_definition(vm.id, stale.host)) is not None]
    if left:
        raise _conflict(stale.host, tuple(left))
    if stale.noted:
        driver.drop_recovery(stale.host)


def check_stale(stale: Stale) -> None:
    """Raise StateConflict (``stale_definitions``) where the host must stay closed."""
    if stale.reasons:
        raise _conflict(stale.host, stale.reasons)


def _conflict(host: str, reasons: tuple[Reason, ...]) -> StateConflict:
    text = f"hosts: {host} stays closed, its VMs were recovered elsewhere while it was dead: {' '.join(reason.message for reason in reasons)}"
    return StateConflict(text, code="stale_definitions", hint=reasons[0].hint)


def _judge(vm: RecoveredVm, here: Presence, elsewhere: tuple[Presence, ...], silent: tuple[str, ...]) -> Reason | None:
    running = [found.host for found in elsewhere if _is_active(found)]
    if _is_active(here) and running:
        text = f"{vm.name} RUNS TWICE, on {here.host} and on {', '.join(running)}; both write to its disks."
        hint = f"Nothing was stopped. Pause it on {here.host} at once (virsh suspend {vm.id}), look which one is good, and destroy the other (virsh destroy)."
        return hard("recovered_vm_runs_twice", text, hint)
    if not elsewhere and silent:
        text = f"Whether {vm.name} is on {', '.join(silent)} cannot be asked."
        return hard("uniqueness_unproven", text, "Make these hosts answer, and run the task again.")
    if not _is_active(here) and elsewhere and not any(found.persistent for found in elsewhere):
        text = f"{vm.name} runs on {', '.join(running)} without a definition that outlives it; the one on {here.host} is its only one."
        return hard("not_persistent", text, "Define it where it runs (virsh dumpxml, virsh define), and run the task again.")
    if _is_active(here) and elsewhere:
        text = f"{vm.name} runs on {here.host}, and is defined and shut off on {', '.join(found.host for found in elsewhere)} too."
        return hard("also_defined_elsewhere", text, "Undefine the one that is not wanted.")
    return None


def _unreadable(note: RecoveryNote) -> Iterator[Reason]:
    if not note.vms and not note.operation_id:
        yield hard("note_unreadable", "The note about its recovery cannot be read.", "See virsh secret-list on the other hosts (vmops/recovered/...).")


def _is_active(presence: Presence) -> bool:
    return presence.power_state in (PowerState.RUNNING, PowerState.PAUSED)
