# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where every error becomes ``fail_json``: one place, one form (``msg``, ``code``, ``hint``), and never a traceback."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..model.errors import DriverMissing, MigrationError
from .bounds import bounded, bounded_arguments, brief

Body = Callable[[AnsibleModule], dict[str, Any]]

_PASSWORD_IN_URI = re.compile(r"(?P<start>\w://[^\s/@:]*):(?P<password>[^\s/@]+)@")
_PASSWORD_IN_QUERY = re.compile(r"(?P<start>[?&;]pass(word|wd)?=)(?P<password>[^\s&;'\"]+)", re.IGNORECASE)
_LONGEST_TEXT = 300


class Failure(MigrationError):
    """An end without success that still carries a result: what was planned, what was done, what remains.

    ``result`` is merged into the answer of the module, so that a partial success is reported as what it is.
    """

    def __init__(self, message: str, *, code: str, hint: str = "", result: Mapping[str, Any]) -> None:
        super().__init__(message, code=code, hint=hint)
        self.result = result


def answer(module: AnsibleModule, body: Body) -> NoReturn:
    """Run a module's body and end the module: with its result, or with the error that it met.

    ``warnings`` of a result are texts; they become Ansible's own warnings. What is too long for one event is shortened (``bounds.py``).
    """
    _hide_passwords(module)
    error: MigrationError | None = None
    result: dict[str, Any] = {}
    try:
        result = body(module)
    except MigrationError as met:
        error = met
    except Exception as met:  # noqa: BLE001 - the one place where the unexpected ends; an operator gets no traceback
        error = unexpected(met)
    # Ended outside the handlers, so that Ansible finds no traceback to add, however verbose it runs.
    if error is None:
        module.exit_json(**_told(module, result))
    fail(module, error)


def fail(module: AnsibleModule, error: MigrationError) -> NoReturn:
    """End the module with an error, and with the result that it carries. A missing library is told in Ansible's own words."""
    result = brief(error.result) if isinstance(error, Failure) else {}
    facts = {"changed": False, **_told(module, result), "code": error.code, "hint": error.hint}
    if isinstance(error, DriverMissing):
        facts["detail"] = error.trace.strip().splitlines()[-1] if error.trace.strip() else ""
        message = f"{missing_required_lib(error.library)} {error.hint}".strip()
    else:
        # A message that ends with a mark below an expression keeps its lines.
        message = without_passwords(f"{error.message}{chr(10) if chr(10) in error.message else ' '}{error.hint}".strip())
    module.fail_json(msg=message, **facts)


def _told(module: AnsibleModule, result: dict[str, Any]) -> dict[str, Any]:
    for text in result.get("warnings", ()):
        module.warn(text)
    facts = bounded({key: value for key, value in result.items() if key != "warnings"})
    arguments = bounded_arguments(module.params)
    return facts if arguments is module.params else {**facts, "invocation": {"module_args": arguments}}


def unexpected(error: Exception) -> MigrationError:
    """An error that nobody foresaw, as one with a stable code: its type and place, so that it can be reported and found."""
    text = without_passwords(str(error))[:_LONGEST_TEXT]
    return MigrationError(
        f"An internal error: {type(error).__name__} at {_place(error)}{': ' if text else ''}{text}",
        code="internal_error",
        hint="This is a fault of vmops.migration. Please report it with this message and the version of the collection.",
    )


def without_passwords(text: str) -> str:
    """The text with the password of every URI in it replaced."""
    return _PASSWORD_IN_QUERY.sub(r"\g<start>***", _PASSWORD_IN_URI.sub(r"\g<start>:***@", text))


def _hide_passwords(module: AnsibleModule) -> None:
    """A URI may not carry a password, but one that does must not show it in Ansible's own record of the arguments either."""
    hosts = (module.params.get("site") or {}).get("hosts") or {}
    for host in hosts.values():
        for uri in (str((host or {}).get("uri")), str((host or {}).get("peer_uri"))):
            for pattern in (_PASSWORD_IN_URI, _PASSWORD_IN_QUERY):
                module.no_log_values.update(found["password"] for found in pattern.finditer(uri))


def _place(error: Exception) -> str:
    """File and line where it was raised: the innermost frame of this collection, else the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "an unknown place"
    own = [frame for frame in frames if "/vmops/migration/" in frame.filename.replace("\\", "/")]
    frame = (own or frames)[-1]
    return f"{'/'.join(PurePath(frame.filename).parts[-2:])}:{frame.lineno}"
