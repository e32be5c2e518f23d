# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""find_migration_targets on a large site: its event fits, its arguments included, and the overlay file's content is read and not repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.large_find import EVENT_BYTES, ONLY_IN_OVERLAY, event_text, write_site
from tests.benchmarks.large_site import large_site
from tests.integration.modules import run_module

pytestmark = pytest.mark.simulator

HOSTS, VMS = 600, 1200


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_site(tmp_path_factory.mktemp("large"), large_site(HOSTS, 60, VMS))


@pytest.mark.parametrize("options", [{"only_suitable": True, "limit": 3}, {}], ids=["few", "every"])
def test_the_event_fits_and_does_not_repeat_the_overlay(site: dict[str, Any], options: dict[str, Any]) -> None:
    answer = run_module("find_migration_targets", {"site": site, "vm": "vm-00004", **options})
    assert not answer.failed, answer
    text = event_text(answer.result)
    assert len(text.encode()) < EVENT_BYTES
    assert answer["invocation"]["module_args"]["site"]["overlay_file"] == site["overlay_file"]
    assert answer["invocation"]["module_args"]["site"]["vms"] is None
    assert ONLY_IN_OVERLAY in Path(site["overlay_file"]).read_text()
    assert ONLY_IN_OVERLAY not in text


def test_the_overlay_is_read_and_every_host_is_counted_however_few_are_shown(site: dict[str, Any]) -> None:
    answer = run_module("find_migration_targets", {"site": site, "vm": "vm-00004", "only_suitable": True, "limit": 3})
    assert len(answer["targets"]) == 3
    assert answer["candidate_count"] == HOSTS
    assert answer["reason_counts"]["host_tag_mismatch"] == HOSTS // 2, "every other host lacks the tag that the overlay asks for"
