# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What vCenter itself says of a move before it is started: the VM as it is now, and its own check of the very relocation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...model.errors import InputError, MigrationError, StateConflict
from ...model.migration import Migration
from ...model.reason import Reason, hard, warning
from .cards import backings_of
from .connection import Link, VCenter
from .errors import fault_reason, fault_text
from .inventory import Inventory
from .library import vim
from .properties import Entry, read
from .relocate_spec import relocate_spec
from .tasks import wait_for

_PATHS = (
    "name",
    "config.template",
    "config.files.vmPathName",
    "config.hardware.device",
    "config.extraConfig",
    "config.changeVersion",
    "runtime.host",
    "runtime.powerState",
    "runtime.connectionState",
    "recentTask",
)
NOTE_PATHS = ("name", "runtime.host", "config.extraConfig", "config.changeVersion")
"""What a note is read and written by."""

_CHECK_SECONDS = 60.0


def vm_now(link: Link, moid: str, paths: Sequence[str] = _PATHS) -> Entry | None:
    """The VM of that id as it is now, by all that a move needs to know of it, or by these properties; None where it is gone."""
    return read(link, [link.object(vim().VirtualMachine, moid)], "VirtualMachine", paths).get(moid)


def find_vm(link: Link, moid: str, name: str, paths: Sequence[str] = _PATHS) -> Entry:
    """The same. Raises StateConflict (``object_gone``)."""
    found = vm_now(link, moid, paths)
    if found is None:
        raise StateConflict(f"VM {name} ({moid}) is gone.", code="object_gone", hint="Find out who removed it.")
    return found


def spec_of(link: Link, migration: Migration, vm: Entry, inventory: Inventory) -> Any:
    """The relocation that makes this migration of the VM as it is now. Raises InputError for what is not there."""
    backings = backings_of(link, migration, inventory)
    return relocate_spec(migration, str(vm["config.files.vmPathName"]), vm["config.hardware.device"] or (), inventory, backings)


def check(center: VCenter, inventory: Inventory, migration: Migration) -> tuple[Reason, ...]:
    """All that forbids the move now. Writes nothing."""
    try:
        vm = center.run("reading the VM", lambda link: find_vm(link, migration.vm, migration.vm_name))
        own = _of_vm(vm, migration)
        if own:
            return own
        spec = center.run("reading the networks", lambda link: spec_of(link, migration, vm, inventory))
    except (InputError, StateConflict) as error:
        return (hard(error.code, error.message, error.hint),)
    if _in_maintenance(center, inventory, migration):
        text = f"vCenter's own check of the move to {migration.target_host} can only be asked when the host has left maintenance mode."
        return (warning("check_missing", text),)
    return _by_server(center, vm, spec)


def _in_maintenance(center: VCenter, inventory: Inventory, migration: Migration) -> bool:
    """True where the target is in maintenance mode: a VM goes home to it after that, and the rules let no other go there."""
    ref = inventory.host(migration.target_host).ref
    found = center.run("reading the target host", lambda link: read(link, [ref], "HostSystem", ["runtime.inMaintenanceMode"]))
    return any(bool(entry["runtime.inMaintenanceMode"]) for entry in found.values())


def _of_vm(vm: Entry, migration: Migration) -> tuple[Reason, ...]:
    if vm["config.template"]:
        text = f"{migration.vm_name} is a template."
        return (hard("is_template", text, "Convert it to a virtual machine first, move that, and convert it back."),)
    if str(vm["runtime.connectionState"]) != "connected":
        text = f"vCenter calls {migration.vm_name} {vm['runtime.connectionState']}."
        return (hard("host_unreachable", text, f"Reconnect host {migration.source_host}."),)
    return ()


def _by_server(center: VCenter, vm: Entry, spec: Any) -> tuple[Reason, ...]:
    """The server's own check of this very relocation; a server without one says so."""

    def ask(link: Link) -> Any:
        checker = link.content.vmProvisioningChecker
        return checker.CheckRelocate_Task(vm.ref, spec) if checker is not None else None

    task = center.run("asking vCenter whether the move is possible", ask)
    if task is None:
        return (warning("check_missing", "The server has no check of relocations; what forbids one shows when it is started."),)
    try:
        fault = wait_for(center, task, "the check of the move", _CHECK_SECONDS)
    except MigrationError as error:
        return (warning("check_missing", f"vCenter's own check of the move did not end: {error.message}"),)
    if fault is not None:
        return (fault_reason(fault),)
    results = center.run("reading the check's result", lambda link: read(link, [task], "Task", ["info.result"]))
    found = next(iter(results.values()))["info.result"] or () if results else ()
    reasons = [fault_reason(error) for result in found for error in result.error or ()]
    reasons += [warning("hypervisor_warns", f"vCenter warns: {fault_text(met)}.") for result in found for met in result.warning or ()]
    return tuple(reasons)
