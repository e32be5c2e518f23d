# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One domain on one host: looked up, its state in the model's words, and the two halves of a migration told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...model.vm import OperationKind, PowerState
from .connection import Connection
from .failures import is_missing
from .library import libvirt

Domain = Any
OCCUPIED_MS = 1000


@dataclass(frozen=True, slots=True)
class DomainState:
    """What a host says of a domain at one moment. ``job`` is the hypervisor's operation on it now, None for none.

    ``is_postcopy``: it is one of the two parts of a guest whose memory still follows; ``is_broken``: and the way between the two is interrupted.
    """

    power_state: PowerState
    is_active: bool
    is_persistent: bool
    is_incoming: bool = False
    is_postcopy: bool = False
    is_broken: bool = False
    job: OperationKind | None = None


def find_domain(connection: Connection, uuid: str) -> Domain | None:
    """The domain of that UUID; None where the host has none."""
    try:
        return connection.raw.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def find_domain_by_name(connection: Connection, name: str) -> Domain | None:
    """The domain of that name; None where the host has none."""
    try:
        return connection.raw.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def power_state(state: int, has_managed_save: bool) -> PowerState:
    """libvirt's state in the model's words. A guest that sleeps (S3) holds its memory and does not run: paused."""
    active = {
        libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
        libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
        libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,
        libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
        libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PAUSED,
    }
    if state in active:
        return active[state]
    if state in (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_CRASHED):
        return PowerState.SAVED if has_managed_save else PowerState.OFF
    return PowerState.UNKNOWN


def may_be_incoming(state: int, reason: int, persistent: bool) -> bool:
    """True for what the receiving half of a migration looks like from outside; ``running_job`` then tells for sure."""
    return state == libvirt.VIR_DOMAIN_PAUSED and reason in (libvirt.VIR_DOMAIN_PAUSED_MIGRATION, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP) and not persistent


def running_job(domain: Domain) -> OperationKind | None:
    """What the hypervisor does with an active domain now. The receiving half of a migration refuses the question, which tells it.

    A domain whose QEMU does not answer its libvirt counts as busy; to ask more of it would take half a minute.
    """
    try:
        state, _details, since_ms = domain.controlInfo()
        if state == libvirt.VIR_DOMAIN_CONTROL_ERROR or (state == libvirt.VIR_DOMAIN_CONTROL_OCCUPIED and since_ms > OCCUPIED_MS):
            return OperationKind.OTHER
        stats = domain.jobStats()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_UNSUPPORTED:
            return OperationKind.MIGRATION_IN
        if error.get_error_code() in (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
            return None  # not running (any more)
        raise
    return job_kind(stats)


def job_kind(stats: dict[str, Any]) -> OperationKind | None:
    """The operation of a job's statistics; None where there is no job."""
    if stats.get("type", libvirt.VIR_DOMAIN_JOB_NONE) == libvirt.VIR_DOMAIN_JOB_NONE:
        return None
    operation = stats.get(libvirt.VIR_DOMAIN_JOB_OPERATION, libvirt.VIR_DOMAIN_JOB_OPERATION_UNKNOWN)
    known = {
        libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT: OperationKind.MIGRATION_OUT,
        libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN: OperationKind.MIGRATION_IN,
        libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP: OperationKind.BACKUP,
    }
    return known.get(operation, OperationKind.OTHER)


def ask_state(connection: Connection, uuid: str) -> DomainState | None:
    """The state of a domain, asked afresh; None where the host has none of that UUID."""
    domain = find_domain(connection, uuid)
    if domain is None:
        return None
    try:
        state, reason = domain.state()
        active, persistent = bool(domain.isActive()), bool(domain.isPersistent())
        saved = False if active else bool(domain.hasManagedSaveImage())
        job = running_job(domain) if active else None
    except libvirt.libvirtError as error:
        if is_missing(error):
            return None
        raise
    return DomainState(
        power_state=power_state(state, saved),
        is_active=active,
        is_persistent=persistent,
        is_incoming=active and may_be_incoming(state, reason, persistent) and job is OperationKind.MIGRATION_IN,
        is_postcopy=is_postcopy(state, reason),
        is_broken=is_broken_postcopy(state, reason),
        job=job,
    )


def is_postcopy(state: int, reason: int) -> bool:
    """True for either half of a guest in post-copy."""
    halves = ((libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY), (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY))
    return (state, reason) in halves or is_broken_postcopy(state, reason)


def is_broken_postcopy(state: int, reason: int) -> bool:
    """True for either half of a guest whose post-copy was interrupted."""
    return (state, reason) in (
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED),
        (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED),
    )
