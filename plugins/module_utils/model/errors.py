# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of this collection: each has a code, says what and why, and what to do next.

They are raised on any floor and become ``fail_json`` in one place only (``interface/failure.py``).
"""

from __future__ import annotations


class MigrationError(Exception):
    """Base of all errors that an operator may see.

    ``code`` is a stable word for programs, ``message`` says what and why in one sentence, ``hint`` says what to do next.
    """

    default_code = "migration_error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(MigrationError):
    """An option or a file is wrong. ``option`` is the path of the field, such as ``site.hosts.kvm1.uri``."""

    default_code = "invalid_input"

    def __init__(self, option: str, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(f"{option}: {message}", code=code, hint=hint)
        self.option = option


class DriverMissing(MigrationError):
    """A library that the driver needs is not installed. ``library`` is its package name, ``trace`` the text of the import error."""

    default_code = "library_missing"

    def __init__(self, library: str, trace: str, *, hint: str = "") -> None:
        super().__init__(f"The Python library {library} is not installed for the interpreter that runs the module.", hint=hint)
        self.library = library
        self.trace = trace


class HostUnreachable(MigrationError):
    """A host did not answer. ``host`` is its name."""

    default_code = "host_unreachable"

    def __init__(self, host: str, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.host = host


class PeerUnreachable(MigrationError):
    """The source host cannot open the destination host. Both are named, and what was missing."""

    default_code = "peer_unreachable"

    def __init__(self, source: str, target: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.source = source
        self.target = target


class OperationInProgress(MigrationError):
    """Somebody else is at work on this host or VM."""

    default_code = "operation_in_progress"


class MoveFailed(MigrationError):
    """A move ended without success; the VM's whereabouts are known."""

    default_code = "move_failed"


class StateConflict(MigrationError):
    """The hypervisor's state forbids what was asked, and waiting or another target would not help."""

    default_code = "state_conflict"
