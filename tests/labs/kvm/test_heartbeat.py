# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a guest's serial log, without a guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.labs.kvm.commands import LabError, run, wait_until
from tests.labs.kvm.guests import GuestSpec
from tests.labs.kvm.heartbeat import Heartbeat, HeartbeatLog
from tests.labs.kvm.image import GuestLoad

BOOT = b"\r\nUP 0000aaaa\r\nREADY 0000aaaa\r\nHB 0000aaaa 00000001 00000000\r\nHB 0000aaaa 00000002 00000001\r\n"


def log_with(folder: Path, content: bytes) -> HeartbeatLog:
    path = folder / "guest.log"
    path.write_bytes(content)
    return HeartbeatLog(path)


def test_the_last_beat_is_the_last_complete_line(tmp_path: Path) -> None:
    log = log_with(tmp_path, BOOT + b"HB 0000aaaa 00000003 000")
    assert log.last() == Heartbeat("0000aaaa", 2, 1)
    assert log.boots() == ["0000aaaa"]
    assert log.faults() == []


def test_a_log_that_is_not_there_has_no_beat(tmp_path: Path) -> None:
    log = HeartbeatLog(tmp_path / "none.log")
    assert (log.last(), log.beats(), log.boots(), log.size()) == (None, [], [], 0)


def test_a_second_boot_shows_as_boot_and_as_fault(tmp_path: Path) -> None:
    log = log_with(tmp_path, BOOT + BOOT.replace(b"aaaa", b"bbbb"))
    assert log.boots() == ["0000aaaa", "0000bbbb"]
    assert log.faults() == ["boot 0000aaaa at tick 2 is followed by boot 0000bbbb"]


def test_a_guest_that_runs_twice_shows_by_its_ticks(tmp_path: Path) -> None:
    assert log_with(tmp_path, BOOT + b"HB 0000aaaa 00000002 00000001\r\n").faults() == ["tick 2 is followed by tick 2"]


def test_the_slowest_dirty_rate_is_one_page_in_a_tick() -> None:
    assert [GuestLoad(dirty_mib_s=rate).pages_per_tick() for rate in (0, 0.01, 1, 16)] == [0, 1, 3, 41]


def test_a_guest_without_room_for_its_working_set_is_refused() -> None:
    with pytest.raises(LabError, match="at least 48"):
        GuestSpec(name="small", uuid="u", memory_mib=40, load=GuestLoad(working_set_mib=32))


def test_file_names_come_from_any_guest_name() -> None:
    first, second = GuestSpec(name="../etc/<a> 'b'", uuid="1"), GuestSpec(name="../etc/<a> 'b'", uuid="2")
    assert "/" not in first.image_name
    assert first.image_name != second.image_name


def test_failing_missing_and_slow_programs_are_named() -> None:
    with pytest.raises(LabError, match="exit 3: sh -c echo why >&2; exit 3: why"):
        run(["sh", "-c", "echo why >&2; exit 3"])
    with pytest.raises(LabError, match="no-such-program is not installed"):
        run(["no-such-program"])
    with pytest.raises(LabError, match=r"no end after 0\.1 s: sleep 5"):
        run(["sleep", "5"], timeout_s=0.1)
    with pytest.raises(LabError, match="what never comes"):
        wait_until(lambda: False, "what never comes", timeout_s=0.05)
