# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""libvirt's job statistics as samples of progress. The figures are of a real move in the lab."""

from __future__ import annotations

import pytest

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.progress import to_progress
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase

STATS = {
    "type": 2,
    "operation": 4,
    "memory_total": 101000000,
    "memory_processed": 28000000,
    "memory_remaining": 72000000,
    "memory_bps": 41943040,
    "memory_dirty_rate": 512,
    "memory_page_size": 4096,
    "downtime": 300,
}


def test_a_sample_tells_what_is_done_and_what_remains() -> None:
    sample = to_progress("m", STATS)
    assert (sample.phase, sample.percent, sample.processed_bytes, sample.remaining_bytes) == (Phase.COPYING, 28.7, 28000000, 72000000)
    assert (sample.rate_mib_s, sample.dirty_rate_mib_s, sample.expected_downtime_ms, sample.ended) == (40.0, 2.0, 300, False)


def test_disks_count_as_well() -> None:
    sample = to_progress("m", STATS | {"disk_total": 99000000, "disk_remaining": 99000000})
    assert (sample.total_bytes, sample.remaining_bytes, sample.percent) == (200000000, 171000000, 14.5)


def test_before_the_first_figures_it_prepares_and_after_the_last_byte_it_switches() -> None:
    assert to_progress("m", {"type": 2}).phase is Phase.PREPARING
    assert to_progress("m", STATS | {"memory_remaining": 0}).phase is Phase.SWITCHING
    assert to_progress("m", STATS | {"memory_remaining": 0}).percent < 100
