# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VMs that go with their disks to a cluster with which their own shares no storage: each disk where the operator maps it, or ROOT alone mapped."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules import Answer, migrate
from tests.integration.worlds import World, WorldVm, everyone_lives, running_on

ON_VSPHERE = True


def to_the_other_cluster(world: World, vm: WorldVm, **options: Any) -> Answer:
    return migrate(world, vm, type="host_storage", target_host=world.hosts[1], **options)


@pytest.fixture
def web(world: World) -> WorldVm:
    """A running VM with two disks in the first host's own pool. The second host is another cluster."""
    first, second, third = world.hosts
    for host in (first, third):
        world.describe_host(host, cluster="left")
    world.describe_host(second, cluster="right")
    return world.add_vm("web1", first, local_disk=True, data_disk=True)


def test_every_disk_arrives_where_it_is_mapped(world: World, web: WorldVm) -> None:
    first, second, _third = world.hosts
    fast = world.add_pool("fast", second)
    wanted = {world.disk: fast, world.data_disk: world.local(second)}
    before = world.written()
    predicted = to_the_other_cluster(world, web, volume_pools=wanted, check=True)
    assert not predicted.failed, str(predicted)
    assert predicted.changed
    assert world.written() == before
    answer = to_the_other_cluster(world, web, volume_pools=wanted)
    assert not answer.failed, str(answer)
    planned, moved = (run.migration_of(web)["volumes"] for run in (predicted, answer))
    assert [(disk["source_pool"], disk["target_pool"]) for disk in planned] == [(disk["source_pool"], disk["target_pool"]) for disk in moved]
    assert world.where(web) == running_on(second)
    assert world.pools(web) == wanted
    assert everyone_lives(world, web)
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []
    assert not to_the_other_cluster(world, web, volume_pools=wanted).changed


def test_with_root_alone_mapped_the_other_disk_finds_a_place_at_the_target(world: World, web: WorldVm) -> None:
    first, second, _third = world.hosts
    fast = world.add_pool("fast", second)
    answer = to_the_other_cluster(world, web, target_pool=fast)
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert world.pools(web)[world.disk] == fast
    assert world.pools(web)[world.data_disk] in (fast, world.local(second))
    assert everyone_lives(world, web)
    assert world.volumes(world.local(first)) == frozenset()
    assert world.left_behind() == []


def test_a_map_to_a_pool_that_the_target_does_not_have_is_refused_and_nothing_changes(world: World, web: WorldVm) -> None:
    first, _second, _third = world.hosts
    before = world.digest()
    answer = to_the_other_cluster(world, web, volume_pools={world.data_disk: world.local(first)})
    assert answer.failed, str(answer)
    assert "pool_not_on_host" in str(answer), str(answer)
    assert world.digest() == before
