# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps a module's answer small enough for one event: AWX drops an event of more than 700 kB, and a drain of a large site can say more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

RESULT_BYTES = 450_000
"""The most that a result may take; the rest of the 700 kB is for the arguments, the diff's rendering and what Ansible adds."""

ARGUMENTS_BYTES = 100_000
"""The most that the arguments in ``invocation`` may take."""

_LISTS = (
    ("plan", "order"),
    ("plan", "migrations"),
    ("plan", "unplaced"),
    ("plan", "warnings"),
    ("migrations",),
    ("unplaced",),
    ("remaining",),
    ("targets",),
    ("vms",),
    ("hosts",),
    ("pools",),
    ("warning_reasons",),
)


def size_of(data: Any) -> int:
    """Bytes of the data as JSON, the way that an event carries it."""
    return len(json.dumps(data, default=str))


def bounded(result: Mapping[str, Any], limit: int = RESULT_BYTES) -> dict[str, Any]:
    """The result, shortened where it is larger than ``limit`` bytes; ``omitted`` then counts what was left out of each list.

    First go the reasons per candidate (their counts stay), then fields that hold nothing, then the ends of the longest lists. The first entries of
    every list stay, and all figures of ``stats``. A plan whose moves were shortened says so in its own ``omitted``.
    """
    facts = dict(result)
    if size_of(facts) <= limit:
        return facts
    facts = _copied(facts)
    for shorten in (_without_candidates, _compact_lists):
        shorten(facts)
        if size_of(facts) <= limit:
            return facts
    while size_of(facts) > limit and _halve_longest(facts):
        pass
    return facts


def brief(result: Mapping[str, Any]) -> dict[str, Any]:
    """A failure's result, short enough for a terminal, which shows all of it: fields that hold nothing are left out of the entries of lists.

    The moves and what cannot move stand under ``migrations`` and ``unplaced``, so the plan does not tell them again.
    """
    facts = _copied(dict(result))
    plan = facts.get("plan")
    if isinstance(plan, dict) and "migrations" in facts:
        plan["omitted"] = {name: len(plan[name]) for name in ("migrations", "order", "unplaced") if plan.get(name)}
        plan.update(migrations=[], order=[], unplaced=[])
    _compact_lists(facts)
    return facts


def bounded_arguments(arguments: Mapping[str, Any], limit: int = ARGUMENTS_BYTES) -> Mapping[str, Any]:
    """The module's arguments, or a copy in which the large ones are replaced by a remark on their size."""
    if size_of(arguments) <= limit:
        return arguments
    share = limit // max(1, len(arguments))
    sizes = {name: size_of(value) for name, value in arguments.items()}
    return {name: value if sizes[name] <= share else f"({sizes[name]} bytes, left out here)" for name, value in arguments.items()}


def _copied(facts: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return copy


def _without_candidates(facts: dict[str, Any]) -> None:
    """The counts per reason code stay in ``candidate_counts``."""
    for unplaced in facts.get("unplaced") or []:
        unplaced["candidates"] = {}
    for unplaced in (facts.get("plan") or {}).get("unplaced") or []:
        unplaced["candidates"] = {}


def _compact_lists(facts: dict[str, Any]) -> None:
    for keys in _LISTS:
        owner, name = _owner(facts, keys)
        if owner is not None:
            owner[name] = _compact(owner[name])


def _compact(data: Any) -> Any:
    if isinstance(data, list):
        return [_compact(entry) for entry in data]
    if not isinstance(data, dict):
        return data
    return {key: _compact(value) for key, value in data.items() if value not in (None, "", [], {})}


def _owner(facts: dict[str, Any], keys: tuple[str, ...]) -> tuple[dict[str, Any] | None, str]:
    owner: Any = facts
    for key in keys[:-1]:
        owner = owner.get(key) if isinstance(owner, dict) else None
    if isinstance(owner, dict) and isinstance(owner.get(keys[-1]), list):
        return owner, keys[-1]
    return None, keys[-1]


def _halve_longest(facts: dict[str, Any]) -> bool:
    """Drop the second half of the list (or diff) that takes most bytes. False where nothing is left to drop."""
    found = [(size_of(owner[name]), index) for index, keys in enumerate(_LISTS) for owner, name in [_owner(facts, keys)] if owner is not None and owner[name]]
    diff = facts.get("diff")
    diff_bytes = size_of(diff) if isinstance(diff, dict) and (diff.get("before") or diff.get("after")) else 0
    longest, index = max(found, default=(0, 0))
    if diff_bytes > longest:
        _halve_diff(facts["diff"])
        return True
    if longest == 0:
        return False
    keys = _LISTS[index]
    owner, name = _owner(facts, keys)
    if owner is not None:
        kept = len(owner[name]) // 2
        marks = owner if keys[0] == "plan" else facts
        omitted = marks.setdefault("omitted", {})
        omitted[name] = omitted.get(name, 0) + len(owner[name]) - kept
        owner[name] = owner[name][:kept]
    return True


def _halve_diff(diff: dict[str, Any]) -> None:
    for side in ("before", "after"):
        lines = str(diff.get(side, "")).splitlines(keepends=True)
        diff[side] = "".join(lines[: len(lines) // 2])
