# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two controllers and one pool: what another one has claimed of its space is not taken, whatever the pool says is free."""

from __future__ import annotations

import time

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.interface.opening import open_site
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind

from tests.integration.modules import migrate
from tests.integration.world_simulator import SimulatorWorld

pytestmark = pytest.mark.any_core

MIB_FREE = 100 * 1024
"""Of each pool of the simulated world, before anything is in it."""


@pytest.mark.simulator
@pytest.mark.rule("CAS-16", sign="-")
@pytest.mark.parametrize(("claimed_mib", "fits"), [(1024, True), (MIB_FREE - 512, False)])
def test_space_that_another_run_has_claimed_is_not_taken(simulator_world: SimulatorWorld, claimed_mib: int, fits: bool) -> None:
    world = simulator_world
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True)
    now = time.time()
    claim = Claim(ClaimKind.SPACE, first, "other in shared", "another", this_controller(), now, now, claimed_mib)
    with open_site({"site": world.site_options()}) as driver:
        assert driver.claim(claim) is None
        answer = migrate(world, web, type="storage", target_pool="shared", storage_class="shared")
        assert answer.failed is not fits, str(answer)
        assert list(world.pools(web).values()) == ["shared" if fits else world.local(first)]
        if not fits:
            assert "insufficient_storage" in str(answer)
            assert "claimed" in answer.message
        assert driver.claims(first) == (claim,)
        driver.release([claim])
    assert not migrate(world, web, type="storage", target_pool="shared", storage_class="shared").failed
    assert world.left_behind() == []
