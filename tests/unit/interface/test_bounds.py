# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results stay below what one event may hold, and say what was left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.bounds import RESULT_BYTES, bounded, bounded_arguments, brief, size_of
from ansible_collections.vmops.migration.plugins.module_utils.interface.result_form import RunResult
from ansible_collections.vmops.migration.plugins.module_utils.interface.results import as_result, migration_results, unplaced_results
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan, Unplaced
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import hard

AWX_BYTES = 700_000


def large(moves: int, stuck: int, hosts: int) -> dict[str, Any]:
    """The result of a plan of that size."""
    migrations = tuple(
        Migration(f"m{n}", f"00000000-0000-0000-0000-{n:012}", f"vm-{n}", "kvm1", f"kvm{n % 50}", memory_mib=4096, next_targets=("kvm2", "kvm3"))
        for n in range(moves)
    )
    reason = hard("insufficient_memory", "Host has 3 MiB of memory free, the VM needs 4096 MiB.", "Free some.", ("CAS-02",))
    unplaced = tuple(Unplaced(f"s{n}", f"stuck-{n}", "kvm1", (), {f"kvm{h}": (reason, reason) for h in range(hosts)}) for n in range(stuck))
    plan = Plan("p1", migrations, unplaced=unplaced)
    return as_result(RunResult(changed=True, plan=plan, migrations=migration_results(plan), unplaced=unplaced_results(unplaced)))


def test_a_small_result_is_left_as_it_is() -> None:
    result = large(3, 2, 4)
    assert bounded(result) == result


@pytest.mark.parametrize("limit", [RESULT_BYTES, 60_000])
@pytest.mark.parametrize(("moves", "stuck"), [(3000, 0), (200, 2000), (10_000, 1000)])
def test_a_large_result_fits_and_counts_what_is_left_out(moves: int, stuck: int, limit: int) -> None:
    result = bounded(large(moves, stuck, 40), limit)
    assert size_of(result) <= limit < AWX_BYTES
    assert result["stats"] == large(0, 0, 0)["stats"]
    assert len(result["migrations"]) + result.get("omitted", {}).get("migrations", 0) == moves
    assert len(result["unplaced"]) + result.get("omitted", {}).get("unplaced", 0) == stuck
    assert len(result["plan"]["migrations"]) + result["plan"].get("omitted", {}).get("migrations", 0) == moves


def test_the_counts_per_reason_outlive_the_reasons_per_candidate() -> None:
    result = bounded(large(0, 200, 40), 90_000)
    assert result["unplaced"][0].get("candidates", {}) == {}
    assert result["unplaced"][0]["candidate_counts"] == {"insufficient_memory": 39}


def test_a_result_of_one_long_diff_fits_too() -> None:
    diff = {"before": "web: kvm1\n" * 50_000, "after": "web: kvm2\n" * 50_000}
    assert size_of(bounded({"changed": True, "diff": diff}, 100_000)) <= 100_000


def test_what_cannot_be_shortened_is_left() -> None:
    result = {"changed": False, "something": "x" * 1000}
    assert bounded(result, 100) == result


def test_shortening_leaves_the_original_alone() -> None:
    result = large(100, 0, 0)
    before = json.dumps(result)
    bounded(result, 5000)
    brief(result)
    assert json.dumps(result) == before


def test_a_plan_of_a_result_is_a_plan_again_without_loss() -> None:
    plan = Plan("p1", (Migration("m1", "1", "web", "kvm1", "kvm2", memory_mib=4096, next_targets=("kvm3",)),), bytes_to_copy=7)
    shown = json.loads(json.dumps(as_result(RunResult(changed=False, plan=plan))))
    assert decode(Plan, shown["plan"]) == plan


def test_a_failure_tells_its_moves_once_and_without_empty_fields() -> None:
    result = brief(large(3, 1, 2))
    assert result["plan"]["migrations"] == []
    assert result["plan"]["omitted"] == {"migrations": 3, "unplaced": 1}
    assert result["plan"]["plan_id"] == "p1"
    assert [entry["vm_name"] for entry in result["migrations"]] == ["vm-0", "vm-1", "vm-2"]
    assert all(value not in (None, "", [], {}) for entry in result["migrations"] for value in entry.values())


def test_large_arguments_are_replaced_by_their_size() -> None:
    arguments = {"hosts": ["kvm1"], "approved_plan": "x" * 200_000}
    shown = bounded_arguments(arguments)
    assert shown["hosts"] == ["kvm1"]
    assert "bytes" in shown["approved_plan"]
    assert size_of(shown) < 1000


def test_small_arguments_are_left_alone() -> None:
    arguments = {"hosts": ["kvm1"]}
    assert bounded_arguments(arguments) is arguments
