# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the faults of the vSphere API and of the way to it mean, as errors and coded reasons of this collection."""

from __future__ import annotations

import http.client
import ssl
from typing import Any

from ...model.errors import HostUnreachable, InputError, MigrationError, StateConflict
from ...model.reason import Reason, hard
from .library import vim, vmodl

_REASONS = {
    "CannotAccessNetwork": "network_missing",
    "ConcurrentAccess": "source_changed",
    "DatastoreNotWritableOnHost": "pool_closed",
    "DiskNotSupported": "volume_kind",
    "HostNotConnected": "host_unreachable",
    "HostNotReachable": "host_unreachable",
    "InaccessibleDatastore": "pool_not_on_host",
    "InsufficientDisks": "insufficient_storage",
    "InsufficientResourcesFault": "insufficient_memory",
    "InsufficientStorageSpace": "insufficient_storage",
    "InvalidDatastore": "pool_not_on_host",
    "InvalidHostState": "host_not_open",
    "NoPermission": "permission_missing",
    "NotEnoughLicenses": "license_missing",
    "OutOfBounds": "insufficient_memory",
    "TaskInProgress": "operation_in_progress",
    "VirtualHardwareVersionNotSupported": "hardware_version",
    "VMotionInterfaceIssue": "vmotion_missing",
    "VMotionLicenseExpired": "vmotion_missing",
    "VMotionNotConfigured": "vmotion_missing",
    "VMotionNotLicensed": "vmotion_missing",
    "VMotionNotSupported": "host_device",
}
"""Codes of faults, by the name of their type or of one that it extends, after the fault pages of VMware's vSphere Web Services API reference."""

_CUT = (http.client.HTTPException, OSError, EOFError)
"""What a connection that is gone raises, in the standard library's words; TLS errors are among OSError."""


def failures() -> tuple[type[BaseException], ...]:
    """All that a call to the server may raise."""
    return (vmodl().MethodFault, *_CUT)


def is_cut(error: BaseException) -> bool:
    """True where the connection broke, so that nobody knows whether the call was carried out."""
    return isinstance(error, _CUT)


def is_logged_out(error: BaseException) -> bool:
    """True where the session has ended on the server's side."""
    return isinstance(error, vim().fault.NotAuthenticated)


def fault_name(fault: Any) -> str:
    """The type of a fault, such as ``InvalidDatastore``."""
    return str(fault.__class__.__name__).rpartition(".")[2]


def fault_text(fault: Any) -> str:
    """A fault in one sentence: the server's own words, what kind of fault it is, and what it names."""
    said = str(getattr(fault, "msg", "") or "").strip()
    name = fault_name(fault)
    named = [
        str(getattr(fault, field)) for field in ("reason", "name", "hostName", "invalidProperty", "device") if isinstance(getattr(fault, field, None), str)
    ]
    parts = [part for part in (said if said.strip("*").rpartition(".")[2] != name else "", ", ".join(part for part in named if part)) if part]
    return f"{': '.join(parts)} ({name})" if parts else name


def fault_reason(fault: Any) -> Reason:
    """A fault as a coded reason; ``hypervisor_refused`` where this version does not know its kind."""
    names = [kind.__name__.rpartition(".")[2] for kind in fault.__class__.__mro__]
    code = next((_REASONS[name] for name in names if name in _REASONS), "hypervisor_refused")
    return hard(code, f"vCenter refuses: {fault_text(fault)}.")


def of_call(error: BaseException, doing: str, server: str) -> MigrationError:
    """The error for a call that failed. ``doing`` completes "... failed", ``server`` is the name of the API's server."""
    if isinstance(error, MigrationError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(server, error.verify_message)
    if is_cut(error):
        return HostUnreachable(
            server, f"{server} did not answer: {doing} failed ({type(error).__name__}: {error}).", hint="Check the server and the way to it."
        )
    fault = vim().fault
    if isinstance(error, fault.InvalidLogin):
        text = "the server accepts no such user with this password."
        return InputError("site.vsphere.username", text, code="login_failed", hint="Check site.vsphere.username and site.vsphere.password.")
    if isinstance(error, fault.NoPermission):
        privilege = str(getattr(error, "privilegeId", "") or "a privilege")
        return StateConflict(f"{server}: {doing} failed, the user lacks {privilege}.", code="permission_missing", hint="Give the user's role that privilege.")
    if isinstance(error, vmodl().fault.ManagedObjectNotFound):
        return StateConflict(f"{server}: {doing} failed, the object is gone.", code="object_gone", hint="Read the site again.")
    if isinstance(error, vmodl().MethodFault):
        return StateConflict(f"{server}: {doing} failed: {fault_text(error)}.", code=fault_reason(error).code)
    return MigrationError(f"{server}: {doing} failed: {type(error).__name__}: {error}.", code="hypervisor_refused")


def untrusted(server: str, why: str) -> InputError:
    """The error for a certificate that cannot be trusted."""
    hint = "Name the file of the authority that signed it in site.vsphere.ca_path; the name there must be one of the certificate's."
    return InputError("site.vsphere.hostname", f"the certificate of {server} is not trusted: {why}.", code="certificate_untrusted", hint=hint)
