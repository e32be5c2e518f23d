# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as lines of text for people: what moves where, how long it takes, what binds, what cannot move and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..model.migration import Migration
from ..model.plan import Plan, Unplaced
from ..model.reason import Reason
from .times import duration

MOVES_SHOWN = 60
UNPLACED_SHOWN = 20


def printable(text: str) -> str:
    """The text without characters that would move a terminal's cursor or end the line: names come from outside."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def amount(count_bytes: float) -> str:
    """Bytes for people, in binary units: ``512 MiB``, ``1.5 GiB``."""
    value, unit = float(count_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if value >= 100 or value == int(value) else f"{value:.1f} {unit}"


def plan_lines(plan: Plan) -> tuple[str, ...]:
    """The whole plan as lines, long ones shortened with a count of what is not shown."""
    lines = [_headline(plan)]
    if plan.migrations:
        ordered = sorted(plan.migrations, key=lambda migration: (migration.expected_start_seconds, migration.id))
        lines += _table(ordered[:MOVES_SHOWN])
        if len(ordered) > MOVES_SHOWN:
            lines.append(f"  ... and {len(ordered) - MOVES_SHOWN} more moves")
    if plan.unplaced:
        lines.append(f"Cannot move ({len(plan.unplaced)}):")
        for unplaced in plan.unplaced[:UNPLACED_SHOWN]:
            lines += _unplaced(unplaced)
        if len(plan.unplaced) > UNPLACED_SHOWN:
            lines.append(f"  ... and {len(plan.unplaced) - UNPLACED_SHOWN} more VMs")
    if plan.explanation:
        lines += [f"  {printable(line)}" for line in plan.explanation.splitlines() if line.strip()]
    return tuple(lines)


def _headline(plan: Plan) -> str:
    if not plan.migrations:
        return f"Plan {plan.plan_id}: no moves"
    bound = f", at least {duration(plan.lower_bound_seconds)}" if plan.lower_bound_seconds > 0 else ""
    binds = f" ({plan.binding.kind} {printable(plan.binding.name)} binds)" if plan.binding else ""
    moves = "1 move" if len(plan.migrations) == 1 else f"{len(plan.migrations)} moves"
    return f"Plan {plan.plan_id}: {moves}, {amount(plan.bytes_to_copy)} to copy, about {duration(plan.makespan_seconds)}{bound}{binds}"


def _table(migrations: Sequence[Migration]) -> list[str]:
    rows = [("VM", "FROM", "TO", "MEMORY", "START", "TIME")]
    rows += [
        (
            printable(migration.vm_name or migration.vm),
            printable(migration.source_host),
            printable(migration.target_host),
            amount(migration.memory_mib * 2**20),
            duration(migration.expected_start_seconds),
            duration(migration.expected_seconds),
        )
        for migration in migrations
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _unplaced(unplaced: Unplaced) -> list[str]:
    name = printable(unplaced.vm_name or unplaced.vm)
    return [f"  {name} on {printable(unplaced.host)}: {why_unplaced(unplaced)}"]


def why_unplaced(entry: Unplaced) -> str:
    """The reason that holds anywhere; else those of the only candidate, or how many candidates each reason rules out."""
    if entry.reasons:
        return _short(entry.reasons)
    others = other_candidates(entry)
    if len(others) == 1:
        ((host, reasons),) = others.items()
        return f"not to {printable(host)}: {'; '.join(_short((reason,)) for reason in reasons if reason.blocks)}"
    counts = ", ".join(f"{code} on {count}" for code, count in candidate_counts(entry).items())
    return f"none of {len(others)} candidate hosts will do ({counts})" if others else "there is no candidate host"


def other_candidates(entry: Unplaced) -> Mapping[str, tuple[Reason, ...]]:
    """The candidates without the VM's own host, of which everybody knows that it will not do."""
    return {host: reasons for host, reasons in entry.candidates.items() if host != entry.host}


def candidate_counts(entry: Unplaced) -> dict[str, int]:
    """How many candidate hosts each code of a forbidding reason rules out, the most frequent first."""
    counts = Counter(code for reasons in other_candidates(entry).values() for code in {reason.code for reason in reasons if reason.blocks})
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _short(reasons: Sequence[Reason]) -> str:
    first = next((reason for reason in reasons if reason.blocks), reasons[0])
    consent = f" (would need the consent {first.overridable})" if first.overridable else ""
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"{printable(str(first)).rstrip('.')}{consent}{more}"
