# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a VM starts with its host is kept, on hypervisors where that is a property of the VM."""

from __future__ import annotations

import pytest

from tests.integration.modules import migrate
from tests.integration.worlds import World, running_on


@pytest.mark.parametrize("autostart", [True, False])
def test_autostart_is_kept(world: World, autostart: bool) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, autostart=autostart)
    assert migrate(world, web, target_host=second).changed
    assert world.where(web) == running_on(second)
    assert world.autostart(web) is autostart
