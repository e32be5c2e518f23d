# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations are fitted to what earlier runs measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.earlier import measured_moves
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError

from tests.integration.modules import run_module
from tests.unit.drivers.simulator.small_world import world, write


def move(vm: str, **facts: Any) -> dict[str, Any]:
    return {"vm": vm, "type": "host", "mode": "live", "memory_mib": 4096, "bandwidth_mbps": 1000.0, **facts}


def entry(vm: str, **facts: Any) -> dict[str, Any]:
    return {"vm": vm, "phase": "done", "seconds": 80.0, "adopted": False, "attempts": [{}], **facts}


def result_file(folder: Path, *pairs: tuple[dict[str, Any], dict[str, Any]]) -> str:
    path = folder / "result.json"
    path.write_text(json.dumps({"plan": {"migrations": [pair[0] for pair in pairs]}, "migrations": [pair[1] for pair in pairs]}))
    return str(path)


def test_whole_live_moves_by_host_count_and_no_others(tmp_path: Path) -> None:
    file = result_file(
        tmp_path,
        (move("good"), entry("good")),
        (move("failed"), entry("failed", phase="failed")),
        (move("retried"), entry("retried", attempts=[{}, {}])),
        (move("adopted"), entry("adopted", adopted=True)),
        (move("cold", mode="cold"), entry("cold")),
        (move("storage", type="storage"), entry("storage")),
        (move("no time"), entry("no time", seconds=None)),
    )
    (found,) = measured_moves([file])
    assert (found.memory_mib, found.bandwidth_mbps, found.seconds) == (4096, 1000.0, 80.0)


@pytest.mark.parametrize("text", ["[]", "{}", '{"plan": 3, "migrations": []}', "no json"])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        measured_moves([str(path)])
    assert caught.value.message.startswith("earlier_results[0]:")
    assert "other.json" in caught.value.message


def test_moves_that_took_twice_as_long_make_the_expectation_longer(tmp_path: Path) -> None:
    site = {"driver": "simulator", "simulator": {"world": str(write(world(), tmp_path))}}
    slow = result_file(tmp_path, *((move(f"vm{number}", memory_mib=1024 * number), entry(f"vm{number}", seconds=20.0 * number)) for number in range(1, 6)))
    plain = run_module("find_migration_targets", {"site": site, "vm": "web"})["targets"][0]["expected_seconds"]
    fitted = run_module("find_migration_targets", {"site": site, "vm": "web", "earlier_results": [slow]})["targets"][0]["expected_seconds"]
    assert fitted > 1.5 * plain
