# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pools that cannot be emptied as they are named: a clear error, and nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules import evacuate_pools
from tests.integration.world_simulator import SimulatorWorld
from tests.integration.worlds import World, everyone_lives

ON_VSPHERE = True


@pytest.mark.parametrize(
    ("pools", "options", "code", "said"),
    [
        (["nowhere"], {}, "pool_unknown", "nowhere"),
        ([], {}, "no_pools", "pools"),
        (["{local}", "{local}"], {}, "pool_duplicate", "pools[1]"),
        (["{local}"], {"target_pools": ["{local}"]}, "invalid_input", "target_pools[0]"),
        (["{local}"], {"target_pools": ["nowhere"]}, "pool_unknown", "target_pools[0]"),
        (["{local}"], {"target_hosts": ["{second}"]}, "target_host_with_storage", "host_storage"),
        (["{local}"], {"select": "memory_mb > `5`"}, "expression_invalid", "memory_mb"),
        (["{local}"], {"consents": ["anything"]}, "consent_unknown", "anything"),
        (["{local}"], {"parallel": -1}, "invalid_input", "parallel"),
        (["{local}"], {"mode": "cold"}, "vms_unplaced", "downtime"),
        (["{local}"], {"approved_plan": "0123456789ab"}, "plan_changed", "approved_plan"),
    ],
)
def test_names_and_options_that_cannot_be_right(world: World, pools: list[str], options: dict[str, Any], code: str, said: str) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    before = world.digest()

    def named(value: Any) -> Any:
        return [entry.format(local=world.local(first), second=second) for entry in value] if isinstance(value, list) else value

    answer = evacuate_pools(world, *named(pools), storage_class="shared", **{name: named(value) for name, value in options.items()})
    assert answer.failed
    assert answer.code == code, str(answer)
    assert said in answer.message
    assert world.digest() == before
    assert everyone_lives(world, web)


@pytest.mark.simulator
def test_a_target_without_room_is_told_and_nothing_moves(simulator_world: SimulatorWorld) -> None:
    world = simulator_world
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    world.fill("shared")
    before = world.digest()
    answer = evacuate_pools(world, world.local(first), state="maintenance", storage_class="shared")
    assert answer.failed
    assert answer.code == "vms_unplaced"
    assert "insufficient_storage" in answer.message
    assert world.digest() == before
    assert everyone_lives(world, web)


@pytest.mark.parametrize("pool", ["{local}", "shared"])
def test_a_host_of_the_pool_that_does_not_answer_stops_the_run_before_anything_is_done(world: World, pool: str) -> None:
    first, second, _third = world.hosts
    world.add_vm("web1", first, local_disk=True)
    world.add_vm("web2", second)
    world.go_dark(first)
    before = world.digest()
    for state in ("maintenance", "available", "cancelled"):
        answer = evacuate_pools(world, pool.format(local=world.local(first)), state=state)
        assert answer.failed
        assert answer.code == "host_unreachable", str(answer)
        assert first in answer.message
    assert world.digest() == before


def test_a_host_that_has_nothing_to_do_with_the_pool_need_not_answer(world: World) -> None:
    first, _second, third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    world.go_dark(third)
    answer = evacuate_pools(world, world.local(first), state="maintenance", storage_class="shared")
    assert not answer.failed, str(answer)
    assert world.pool_maintenance(world.local(first)) == "maintenance"
    assert everyone_lives(world, web)
