# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events of a run as plain lines for a terminal: one line each, no cursor movements, so that logs and AWX show them too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..module_utils.interface.plan_view import amount, printable
from ..module_utils.interface.times import duration

Fields = Mapping[str, Any]


def lines_of(text: str) -> list[str]:
    """The lines to show for one line of the progress file; none for what cannot be read (half a line of a process that was killed)."""
    try:
        event = json.loads(text)
        told = _LINES.get(event["kind"], _other)(event)
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    return [f"  {line}" for line in told]


def _plan(event: Fields) -> list[str]:
    if event.get("lines"):
        return [printable(line) for line in event["lines"]]
    return [printable(f"Plan: {event['message']}")] if event.get("message") else []


def _progress(event: Fields) -> list[str]:
    parts = [f"{_way(event)}  {event.get('percent', 0.0):3.0f} %"]
    if event.get("rate_mib_s"):
        parts.append(f"{event['rate_mib_s']:.0f} MiB/s")
    if event.get("remaining_bytes"):
        parts.append(f"{amount(event['remaining_bytes'])} left")
    if event.get("eta_seconds"):
        parts.append(f"about {duration(event['eta_seconds'])}")
    return ["  ".join(parts)]


def _done(event: Fields) -> list[str]:
    downtime = f", paused for {event['downtime_ms']:.0f} ms" if event.get("downtime_ms") is not None else ""
    return [f"{_way(event)}  done{downtime}{_count(event)}{_message(event)}"]


def _failed(event: Fields) -> list[str]:
    return [f"{_way(event)}  {event['kind']}{_count(event)}{_message(event)}"]


def _host(event: Fields) -> list[str]:
    return [printable(f"host {event.get('source', '')}: {event.get('message', '')}")]


def _pool(event: Fields) -> list[str]:
    return [printable(f"pool {event.get('source', '')}: {event.get('message', '')}")]


def _note(event: Fields) -> list[str]:
    return [printable(event.get("message", ""))]


def _other(event: Fields) -> list[str]:
    way = _way(event) if event.get("vm") or event.get("vm_name") else f"host {printable(event.get('source', ''))}"
    return [f"{way}  {event['kind']}{_message(event)}"]


def _way(event: Fields) -> str:
    target = f" -> {event['target']}" if event.get("target") else ""
    return printable(f"{event.get('vm_name') or event.get('vm', '')}  {event.get('source', '')}{target}")


def _count(event: Fields) -> str:
    return f"  ({event.get('done', 0)} of {event['total']})" if event.get("total") else ""


def _message(event: Fields) -> str:
    return f": {printable(event['message'])}" if event.get("message") else ""


_LINES: Mapping[str, Callable[[Fields], list[str]]] = {
    "plan": _plan,
    "progress": _progress,
    "done": _done,
    "failed": _failed,
    "cancelled": _failed,
    "host": _host,
    "pool": _pool,
    "note": _note,
}
