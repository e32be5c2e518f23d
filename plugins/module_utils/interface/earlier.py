# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Earlier results as measurements: files that ``result_file`` wrote tell how long moves took here, and durations are fitted to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..model.errors import InputError
from ..model.measured import MeasuredMove
from ..model.migration import MigrationType, Mode
from ..model.progress import Phase
from .files import read_data

MOST_MOVES = 1000
"""The newest of so many moves are fitted; more would take time and change nothing."""


def measured_moves(files: list[str]) -> tuple[MeasuredMove, ...]:
    """The live moves by host that these result files tell of and that came to their end. Raises InputError for a file that is no result."""
    found: list[MeasuredMove] = []
    for index, name in enumerate(files):
        option = f"earlier_results[{index}]"
        data = read_data(Path(name).expanduser(), option)
        plan = data.get("plan") if isinstance(data, Mapping) else None
        if not isinstance(plan, Mapping) or not isinstance(data.get("migrations"), list):
            raise InputError(option, f"{name!r} is no result of a drain or a move.", hint="Name a file that result_file has written.")
        found += _of_result(plan, data["migrations"])
    return tuple(found[-MOST_MOVES:])


def _of_result(plan: Mapping[str, Any], entries: list[Any]) -> Iterator[MeasuredMove]:
    planned = {move.get("vm"): move for move in plan.get("migrations") or () if isinstance(move, Mapping)}
    for entry in entries:
        move = planned.get(entry.get("vm")) if isinstance(entry, Mapping) else None
        if move is not None and _is_whole(entry, move):
            bandwidth_mbps, seconds, memory_mib = _number(move.get("bandwidth_mbps")), _number(entry.get("seconds")), _number(move.get("memory_mib"))
            if bandwidth_mbps > 0 and seconds > 0 and memory_mib > 0:
                yield MeasuredMove(int(memory_mib), bandwidth_mbps, seconds)


def _is_whole(entry: Mapping[str, Any], move: Mapping[str, Any]) -> bool:
    """True for a live move by host that one attempt made: others measure something else as well."""
    by_host = move.get("type") == MigrationType.HOST.value and move.get("mode") == Mode.LIVE.value
    return by_host and entry.get("phase") == Phase.DONE.value and not entry.get("adopted") and len(entry.get("attempts") or ()) == 1


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
