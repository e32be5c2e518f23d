# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""find_migration_targets answers what rules and planner know of volumes: pools of a disk, and hosts that take the storage along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind

from tests.integration.modules import Answer, reason_codes, run_module
from tests.unit.drivers.simulator.small_world import host, vm, world, write

GIB = 2**30


@pytest.fixture
def site(tmp_path: Path) -> dict[str, Any]:
    """The disk of ``web`` is in ``shared``; ``nfs-b`` has room for it, ``tiny`` has none, ``kvm2/local`` is the other host's own."""
    pools = (
        Pool("nfs-b", "nfs-b", "netfs", PoolScope.CLUSTER, identity="nfs:b", capacity_bytes=100 * GIB, free_bytes=50 * GIB),
        Pool("tiny", "tiny", "netfs", PoolScope.CLUSTER, identity="nfs:tiny", capacity_bytes=2 * GIB, free_bytes=GIB),
        Pool("kvm2/local", "local", "dir", PoolScope.HOST, capacity_bytes=100 * GIB, free_bytes=50 * GIB),
    )
    common = {"shared", "nfs-b", "tiny"}
    hosts = (host("kvm1", pools=frozenset(common)), host("kvm2", pools=frozenset({*common, "kvm2/local"})))
    disk = Volume("web-disk", VolumeKind.ROOT, device="vda", pool="shared", capacity_bytes=10 * GIB, format="qcow2")
    return {"driver": "simulator", "simulator": {"world": str(write(world(hosts, (vm("web", "kvm1", volumes=(disk,)),), pools=pools), tmp_path))}}


def find(site: dict[str, Any], **options: Any) -> Answer:
    return run_module("find_migration_targets", {"site": site, **options})


def codes(answer: Answer, pool: str) -> set[str]:
    (target,) = [target for target in answer["pools"] if target["pool"] == pool]
    return reason_codes(target["reasons"])


def test_a_disk_has_pools_with_reasons_rank_and_cost(site: dict[str, Any]) -> None:
    answer = find(site, vm="web", volume="vda", include_excluded=True)
    assert not answer.failed
    assert answer["volume"]["id"] == "web-disk"
    assert "insufficient_storage" in codes(answer, "tiny")
    assert "pool_not_on_host" in codes(answer, "kvm2/local")
    (fit,) = [target for target in answer["pools"] if target["pool"] == "nfs-b"]
    assert fit["bytes_to_copy"] == 10 * GIB
    assert "targets" not in answer.result
    assert answer["candidate_count"] == 3


def test_an_unknown_disk_or_pool_is_named_with_those_that_there_are(site: dict[str, Any]) -> None:
    answer = find(site, vm="web", volume="vdz")
    assert (answer.failed, answer.code) == (True, "volume_unknown")
    assert "vda" in answer.message
    answer = find(site, volume="nowhere/disk.qcow2")
    assert (answer.failed, answer.code) == (True, "pool_unknown")
    assert "nfs-b" in answer.message
    answer = find(site, volume="nfs-b/disk.qcow2")
    assert (answer.failed, answer.code) == (True, "volume_unknown")


def test_neither_vm_nor_volume_is_an_error_before_anything_is_asked(site: dict[str, Any]) -> None:
    answer = find(site)
    assert answer.failed
    assert "vm, volume" in answer.message


def test_options_of_storage_contradict_a_move_by_host(site: dict[str, Any]) -> None:
    answer = find(site, vm="web", type="host", target_pool="nfs-b")
    assert answer["suitable_hosts"] == []
    assert answer["reason_counts"]["storage_option_on_host_move"] == 2


def test_without_a_type_a_pool_asks_about_hosts_with_that_pool(site: dict[str, Any]) -> None:
    assert find(site, vm="web", target_pool="nfs-b")["suitable_hosts"] == ["kvm2"]


def test_a_mapping_to_a_pool_that_does_not_exist_is_refused(site: dict[str, Any]) -> None:
    answer = find(site, vm="web", type="host_storage", volume_pools={"vda": "nfs-z"})
    assert (answer.failed, answer.code) == (True, "pool_unknown")


def test_with_its_storage_each_host_says_into_which_pool(site: dict[str, Any]) -> None:
    answer = find(site, vm="web", type="host_storage", target_pool="nfs-b")
    (there,) = [target for target in answer["targets"] if target["host"] == "kvm2"]
    assert there["requires_storage_motion"]
    assert [(move["device"], move["source_pool"], move["target_pool"]) for move in there["volume_map"]] == [("vda", "shared", "nfs-b")]
    assert there["bytes_to_copy"] >= 10 * GIB
