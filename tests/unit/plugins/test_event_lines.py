# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events of a run as lines for a terminal."""

from __future__ import annotations

import json

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import encode
from ansible_collections.vmops.migration.plugins.module_utils.model.event import Event, EventKind
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.plugin_utils.event_lines import lines_of


def lines(event: Event) -> list[str]:
    return lines_of(json.dumps(encode(event)))


def event(kind: EventKind, **fields: object) -> Event:
    return Event(kind, 1.0, **{"vm": "1", "vm_name": "web", "source": "kvm1", "target": "kvm2", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_gives_lines_of_its_own(kind: EventKind) -> None:
    told = lines(event(kind, message="because", lines=()))
    assert len(told) == 1
    assert "because" in told[0] or kind is EventKind.PROGRESS
    assert told[0].startswith("  ")


def test_a_sample_shows_percent_rate_rest_and_time() -> None:
    sample = event(EventKind.PROGRESS, phase=Phase.COPYING, percent=42.4, rate_mib_s=118.2, remaining_bytes=3 * 2**29, eta_seconds=75.0)
    assert lines(sample) == ["  web  kvm1 -> kvm2   42 %  118 MiB/s  1.5 GiB left  about 1 min 15 s"]


def test_a_sample_of_a_stalled_move_shows_what_is_known() -> None:
    assert lines(event(EventKind.PROGRESS)) == ["  web  kvm1 -> kvm2    0 %"]


def test_the_end_of_a_move_shows_its_pause_and_the_count() -> None:
    assert lines(event(EventKind.DONE, downtime_ms=31.6, done=3, total=8)) == ["  web  kvm1 -> kvm2  done, paused for 32 ms  (3 of 8)"]
    assert lines(event(EventKind.FAILED, message="No.", done=4, total=8)) == ["  web  kvm1 -> kvm2  failed  (4 of 8): No."]


def test_a_host_has_no_arrow() -> None:
    assert lines(Event(EventKind.HOST, 1.0, source="kvm1", message="closed to new VMs")) == ["  host kvm1: closed to new VMs"]
    assert lines(Event(EventKind.WAITING, 1.0, source="kvm1", message="somebody drains it")) == ["  host kvm1  waiting: somebody drains it"]


def test_a_plan_is_shown_as_its_table() -> None:
    assert lines(Event(EventKind.PLAN, 1.0, lines=("Plan p1: 1 move", "  VM  FROM"))) == ["  Plan p1: 1 move", "    VM  FROM"]


@pytest.mark.parametrize("kind", EventKind)
def test_names_and_messages_cannot_move_the_cursor(kind: EventKind) -> None:
    hostile = "a\x1b[2J\nb\r\u202e"
    told = lines(event(kind, vm_name=hostile, source=hostile, target=hostile, message=hostile, lines=(hostile,)))
    assert "".join(told).isprintable()


@pytest.mark.parametrize(
    "text", ["", "{", '{"kind": "progress", "perc', "[]", "null", "7", '{"at": 1}', '{"kind": "done", "downtime_ms": "x"}', '{"kind": []}']
)
def test_half_a_line_of_a_killed_process_shows_nothing(text: str) -> None:
    assert lines_of(text) == []


def test_a_kind_of_a_newer_version_is_shown_by_its_name() -> None:
    assert lines_of('{"kind": "teleported", "vm": "1", "vm_name": "web", "source": "kvm1"}') == ["  web  kvm1  teleported"]
