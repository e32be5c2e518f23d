# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding and planning are of one mind: what is found suitable is planned and passes the checker, and what is not is refused for the same reasons."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.target import Target
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets

from tests.unit.planning.world import host, site, vm

WEB = PlanRequest(("web",))


def found(world: Site, request: PlanRequest = WEB) -> dict[str, Target]:
    """The candidates of the VM web, by host."""
    return {target.host: target for target in find_targets(world, world.find_vm("web", "vm"), request)}


@pytest.mark.rule("CSH-39", sign="+")
def test_what_is_found_suitable_is_planned_and_passes_the_checker() -> None:
    world = site([host("a"), host("b"), host("c", 1024)], [vm("web", "a")])
    plan = make_plan(world, WEB)
    assert [move.target_host for move in plan.migrations] == [name for name, target in found(world).items() if target.suitable_for_migration] == ["b"]
    assert check_plan(world, plan, WEB) == ()


@pytest.mark.rule("CSH-39", sign="-")
def test_what_is_found_unsuitable_is_refused_by_the_planner_for_the_same_reasons() -> None:
    world = site([host("a"), host("c", 1024, architecture="aarch64")], [vm("web", "a")])
    (unplaced,) = make_plan(world, WEB).unplaced
    codes = [reason.code for reason in found(world)["c"].reasons]
    assert codes == ["arch_mismatch", "insufficient_memory"]
    assert [reason.code for reason in unplaced.candidates["c"]] == codes


@pytest.mark.rule("CSV-15", sign="+")
@pytest.mark.rule("CSV-15", sign="-")
def test_every_candidate_comes_with_its_cluster_pod_and_zone_suitable_or_not() -> None:
    hosts = [host("a", zone="z", pod="p1", cluster="c1"), host("b", zone="z", pod="p1", cluster="c1"), host("far", zone="z", pod="p2", cluster="c2")]
    targets = found(site(hosts, [vm("web", "a")]), PlanRequest(("web",), scope="cluster"))
    assert (targets["b"].cluster, targets["b"].pod, targets["b"].zone) == ("c1", "p1", "z")
    assert (targets["far"].cluster, targets["far"].pod, targets["far"].zone) == ("c2", "p2", "z")
    assert "outside_scope" in {reason.code for reason in targets["far"].reasons}


@pytest.mark.rule("PCD-11", sign="+")
@pytest.mark.rule("PCD-22", sign="+")
@pytest.mark.parametrize(("named", "goes_to"), [(frozenset(), "b"), (frozenset({"c"}), "c")], ids=["found", "named"])
def test_the_target_is_found_or_named_and_always_concrete(named: frozenset[str], goes_to: str) -> None:
    world = site([host("a"), host("b", 32768), host("c")], [vm("web", "a")])
    assert [move.target_host for move in make_plan(world, PlanRequest(("web",), target_hosts=named)).migrations] == [goes_to]


@pytest.mark.rule("PCD-11", sign="-")
def test_a_named_target_that_does_not_suit_is_not_replaced_by_another_one() -> None:
    world = site([host("a"), host("b", 32768), host("c", 1024)], [vm("web", "a")])
    plan = make_plan(world, PlanRequest(("web",), target_hosts=frozenset({"c"})))
    assert plan.migrations == ()
    assert {name: [reason.code for reason in reasons] for name, reasons in plan.unplaced[0].candidates.items()} == {"c": ["insufficient_memory"]}


@pytest.mark.rule("CSH-17", sign="+")
def test_where_the_pool_is_shared_no_storage_moves() -> None:
    web = vm("web", "a", volumes=(Volume("root", VolumeKind.ROOT, device="vda", pool="nfs"),))
    pools = (Pool("nfs", "nfs", scope=PoolScope.CLUSTER, identity="filer:/nfs"),)
    world = site([host(name, cluster="c1", pools=frozenset({"nfs"})) for name in ("a", "b")], [web], pools=pools)
    assert found(world)["b"].suitable_for_migration
    assert not found(world)["b"].requires_storage_motion


@pytest.mark.rule("CSH-32", sign="+")
@pytest.mark.rule("CSH-32", sign="-")
@pytest.mark.parametrize("operation", [OperationKind.BACKUP, OperationKind.MIGRATION_IN, OperationKind.OTHER])
def test_a_vm_with_which_something_is_done_already_is_left_alone(operation: OperationKind) -> None:
    assert found(site([host("a"), host("b")], [vm("web", "a")]))["b"].suitable_for_migration
    busy = found(site([host("a"), host("b")], [vm("web", "a", operation=operation)]))["b"]
    assert not busy.suitable_for_migration
    assert "operation_in_progress" in {reason.code for reason in busy.reasons}
