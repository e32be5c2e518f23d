# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A maintenance window is compared with the plan's duration."""

from __future__ import annotations

import datetime as dt

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.vmops.migration.plugins.filter.seconds_until import FilterModule

seconds_until = FilterModule().filters()["seconds_until"]


def in_an_hour(offset_hours: int) -> str:
    """An hour from now, written in the time zone of that offset."""
    zone = dt.timezone(dt.timedelta(hours=offset_hours))
    return (dt.datetime.now(zone) + dt.timedelta(hours=1)).isoformat()


@pytest.mark.parametrize("offset_hours", [0, 2, -7])
def test_the_time_zone_of_the_text_counts(offset_hours: int) -> None:
    assert 3000 < seconds_until(in_an_hour(offset_hours)) <= 3600


def test_a_time_that_has_passed_is_negative() -> None:
    assert seconds_until("2001-01-01T00:00:00Z") < 0


@pytest.mark.parametrize("text", ["tonight", "2026-10-05T23:30:00", "", "23:30"])
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(AnsibleFilterError, match="deadline"):
        seconds_until(text)
