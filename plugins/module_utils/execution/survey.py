# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before a recovery: is the host dead on every path, which VMs did it have, where is each by now, and where can the others start? Writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from ..drivers.driver import EVERYTHING, Driver
from ..model.errors import InputError, StateConflict
from ..model.host import HostState
from ..model.intent import Intent, Purpose
from ..model.plan import Plan
from ..model.reason import Reason, Severity, blocking, hard, warning
from ..model.recovery import RECOVER, RECOVERING, Definitions
from ..model.request import MoveOptions, PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..planning.recovery import plan_recovery, site_of_recovery
from .evacuation import Approve

ALLOW_UNPROVEN = "allow_unproven_uniqueness"

Request = Callable[[tuple[Vm, ...]], PlanRequest]
"""Which of the lost VMs shall be recovered, in which order, under which conditions."""


@dataclass(frozen=True)
class RecoveryOrder:
    """Which dead hosts to recover from. ``fenced_by`` is who, or what, made sure that they are without power."""

    hosts: tuple[str, ...]
    definitions: Definitions
    fenced: bool
    fenced_by: str
    request: Request
    options: MoveOptions
    approve: Approve
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class Survey:
    """What a recovery meets. ``site`` is what it plans on, ``begun`` are VMs that an earlier recovery defined and did not finish."""

    now: Site
    site: Site
    plan: Plan
    request: PlanRequest
    begun: tuple[Vm, ...] = ()
    warnings: tuple[Reason, ...] = ()
    refused: dict[str, tuple[Reason, ...]] = field(default_factory=dict)


def survey(driver: Driver, order: RecoveryOrder, *, listen: bool = True) -> Survey:
    """Look at everything. Raises InputError for hosts that the site or the file does not know, StateConflict (``host_still_answers``, ``not_fenced``).

    Without ``listen``, only a host that answers its controller is refused; to listen for any other sign of life takes some seconds.
    """
    now = driver.snapshot(EVERYTHING)
    known = order.definitions.site
    for name in order.hosts:
        now.find_host(name, "hosts")
        if name not in known.host_by_name:
            hint = "Take a file that site_info wrote while the host was alive (definitions_dest)."
            raise InputError("definitions", f"the file knows nothing of host {name}.", code="definition_unknown", hint=hint)
    lost = tuple(_as_known(vm, order.definitions) for name in order.hosts for vm in known.vms_by_host.get(name, ()))
    told = _refuse_the_living(driver, order, now, lost, listen=listen)
    begun = tuple(vm for vm in now.vms if is_begun(vm, order.hosts))
    away = {vm.id: vm for vm in now.vms if vm not in begun or vm.is_active}
    wanted = tuple(vm for vm in lost if vm.is_active and not _is_settled(away.get(vm.id), order.hosts))
    request = order.request(wanted)
    site = site_of_recovery(now, known, order.hosts, tuple(vm for vm in lost if vm.id not in away or vm in wanted))
    refused = _refused(wanted, away, site, request)
    intent = Intent(purpose=Purpose.RECOVER, fenced=order.fenced)
    plan = plan_recovery(site, order.hosts, request, intent, refused)
    return Survey(now, site, plan, request, begun, told + _warnings(lost, wanted, away), refused)


def is_begun(vm: Vm, hosts: tuple[str, ...]) -> bool:
    """True for a VM that an earlier recovery from one of these hosts had defined, perhaps started, and not finished when it died."""
    return vm.note is not None and vm.note.stage == RECOVERING and vm.note.source in hosts


def _as_known(vm: Vm, definitions: Definitions) -> Vm:
    """A VM whose definition is not in the file is one of which only the light facts are known."""
    return vm if vm.id in definitions.texts else dataclasses.replace(vm, detailed=False)


def _refuse_the_living(driver: Driver, order: RecoveryOrder, now: Site, lost: tuple[Vm, ...], *, listen: bool) -> tuple[Reason, ...]:
    """Raise StateConflict where a host gives any sign of life, or where nobody vouches for its death. Gives what could not be asked."""
    warnings: list[Reason] = []
    running = {vm.id for vm in now.vms if vm.is_active}  # elsewhere, so that it is no wonder that their disks are written to
    for name in order.hosts:
        host = now.host_by_name[name]
        told: tuple[Reason, ...] = ()
        if host.state is not HostState.UNREACHABLE:
            hint = "Its VMs would run twice. Empty it with purpose: drain, or cut its power and make sure of it."
            told = (hard("host_still_answers", f"{name} is not dead: it answers as any other host.", hint, ("PCD-04", "PCD-24")),)
        elif not order.fenced:
            hint = "Cut its power, make sure of it, and say so with fenced: true and fenced_by."
            told = (hard("not_fenced", f"Nothing proves that {name} is dead: silence may be a broken network.", hint, ("PCD-24",)),)
        elif listen:
            told = driver.signs_of_life(name, tuple(vm for vm in lost if vm.host == name and vm.id not in running))
        living = blocking(told)
        if living:
            text = " ".join(reason.message for reason in living[:5])
            raise StateConflict(f"hosts: {text}", code=living[0].code, hint=f"{living[0].hint} Nothing was changed.")
        warnings += told
    return tuple(warnings)


def _is_settled(vm: Vm | None, hosts: tuple[str, ...]) -> bool:
    """True for a VM that is well somewhere else: it runs, or it was recovered before and has been shut down since."""
    if vm is None:
        return False
    note = vm.note
    return vm.is_active or (note is not None and note.migration_type == RECOVER and note.source in hosts)


def _refused(wanted: tuple[Vm, ...], away: dict[str, Vm], site: Site, request: PlanRequest) -> dict[str, tuple[Reason, ...]]:
    """VMs that must not be started, whatever host had room for them: proven or possible twins of theirs are elsewhere."""
    users = {(volume.pool, volume.path): vm for vm in away.values() if vm.is_active for volume in vm.volumes if volume.pool and not volume.read_only}
    names = {vm.name: vm for vm in away.values()}
    found: dict[str, tuple[Reason, ...]] = {}
    for vm in wanted:
        reasons: list[Reason] = []
        twin, namesake = away.get(vm.id), names.get(vm.name)
        if twin is not None:
            text = f"{vm.name} ({vm.id}) is defined on {twin.host} and does not run there: which definition counts is not known."
            reasons.append(hard("already_defined", text, f"Start it there, or undefine it on {twin.host}, and run the task again."))
        elif namesake is not None:
            text = f"Host {namesake.host} has another VM named {vm.name} ({namesake.id})."
            reasons.append(hard("name_taken", text, "Find out which one is right; rename or undefine the other."))
        for volume in vm.volumes:
            user = users.get((volume.pool or "", volume.path))
            if user is not None and user.id != vm.id and not volume.shareable and not volume.read_only:
                text = f"{volume.path} of {vm.name} is in use by {user.name} on {user.host}."
                reasons.append(hard("disk_in_use", text, "Find out whose disk it is."))
        reasons += _unproven(site.vm_by_id[vm.id], request)
        if blocking(reasons):
            found[vm.id] = tuple(reasons)
    return found


def _unproven(vm: Vm, request: PlanRequest) -> tuple[Reason, ...]:
    """A host that does not answer, and is not said to be dead, may run the VM since the file was written."""
    if not vm.uniqueness_unproven_on:
        return ()
    text = f"Whether {vm.name} runs on {', '.join(vm.uniqueness_unproven_on)} by now cannot be asked."
    hint = "Make these hosts answer, or name them among the dead ones."
    reason = Reason("uniqueness_unproven", Severity.SOFT, text, hint, ALLOW_UNPROVEN, ("CAS-18",))
    return (reason.consented(),) if ALLOW_UNPROVEN in request.consents else (reason,)


def _warnings(lost: tuple[Vm, ...], wanted: tuple[Vm, ...], away: dict[str, Vm]) -> tuple[Reason, ...]:
    found = []
    off = [vm.name for vm in lost if not vm.is_active and vm.id not in away]
    if off:
        text = f"{len(off)} VM(s) did not run when their definitions were taken, and are not recovered: {_listed(off)}."
        found.append(warning("vms_off_stay", text, "They are back with their host."))
    elsewhere = [vm.name for vm in lost if vm.id in away and vm not in wanted]
    if elsewhere:
        found.append(warning("recovered_or_moved", f"{len(elsewhere)} VM(s) are on other hosts already and were left alone: {_listed(elsewhere)}."))
    snapshots = [vm.name for vm in wanted if vm.snapshots]
    if snapshots:
        text = f"What libvirt knew of the snapshots of {_listed(snapshots)} died with their host; what is in the images stays."
        found.append(warning("snapshots_lost", text, "Define them again with virsh snapshot-create --redefine, if they are needed."))
    return tuple(found)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
