# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why something may not, or should not, be done: the coded answer that every refusal carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """``hard`` always forbids; ``soft`` warns, or forbids until the option that it names is given."""

    HARD = "hard"
    SOFT = "soft"


@dataclass(frozen=True, slots=True)
class Reason:
    """One coded reason.

    ``overridable`` is the name of the option that turns a soft refusal into a warning; a soft reason without one is a mere warning.
    ``rules`` are catalogue numbers such as ``CSV-10``.
    """

    code: str
    severity: Severity
    message: str
    hint: str = ""
    overridable: str = ""
    rules: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        """True where it forbids as things stand: hard, or soft and not yet consented to."""
        return self.severity is Severity.HARD or bool(self.overridable)

    def consented(self) -> Reason:
        """The same reason as a mere warning, after the operator gave the option that it names."""
        return dataclasses.replace(self, overridable="")

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def blocking(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Only the reasons that forbid."""
    return tuple(reason for reason in reasons if reason.blocks)


def hard(code: str, message: str, hint: str = "", rules: tuple[str, ...] = ()) -> Reason:
    """A reason that always forbids."""
    return Reason(code, Severity.HARD, message, hint, "", rules)


def warning(code: str, message: str, hint: str = "", rules: tuple[str, ...] = ()) -> Reason:
    """A reason that only warns."""
    return Reason(code, Severity.SOFT, message, hint, "", rules)
