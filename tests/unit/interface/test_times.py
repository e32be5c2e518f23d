# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Points in time: what an operator may write, and what is refused."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.times import deadline_of, duration, epoch_seconds, shown
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T02:00:10+02:00", 10.0),
        ("1970-01-01 00:00:10.5+00:00", 10.5),
    ],
)
def test_rfc_3339_times_are_read_with_their_offset(text: str, epoch: float) -> None:
    assert epoch_seconds(text, "deadline") == epoch


@pytest.mark.parametrize("text", ["tonight", "23:30", "2026-13-01T00:00:00Z", "2026-10-05T23:30:00"])
def test_what_is_no_time_or_has_no_offset_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="deadline: ") as caught:
        epoch_seconds(text, "deadline")
    assert text in caught.value.message
    assert "RFC 3339" in caught.value.hint


def test_a_deadline_that_has_passed_is_refused() -> None:
    with pytest.raises(InputError, match="has passed") as caught:
        deadline_of("1970-01-01T00:00:10Z", "deadline", now=10.0)
    assert caught.value.code == "deadline_passed"


@pytest.mark.parametrize("text", [None, "", "  "])
def test_no_deadline_is_none(text: str | None) -> None:
    assert deadline_of(text, "deadline", now=0.0) is None


def test_a_deadline_ahead_is_in_epoch_seconds() -> None:
    assert deadline_of(" 1970-01-01T00:00:10Z ", "deadline", now=9.0) == 10.0


@pytest.mark.parametrize(("seconds", "text"), [(-3, "0 s"), (8.4, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_epoch_seconds_are_shown_in_utc() -> None:
    assert epoch_seconds(shown(1_000_000_000.0), "x") == 1_000_000_000.0
