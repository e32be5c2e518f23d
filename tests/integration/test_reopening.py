# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a drain that fails does to a host that somebody had in maintenance before."""

from __future__ import annotations

from tests.integration.modules import evacuate
from tests.integration.worlds import World, running_on


def test_a_host_that_was_in_maintenance_is_not_opened_by_a_drain_that_fails(world: World) -> None:
    first, second, third = world.hosts
    assert not evacuate(world, first, state="maintenance").failed
    web = world.add_vm("web1", first)
    for target in (second, third):
        world.refuse_incoming(target)
    predicted = evacuate(world, first, state="maintenance", check=True)
    answer = evacuate(world, first, state="maintenance", on_failure="reopen")
    assert answer.failed
    assert world.where(web) == running_on(first)
    assert world.maintenance(first) == "preparing"
    assert predicted["hosts"][0]["state"] in ("preparing", "maintenance")
