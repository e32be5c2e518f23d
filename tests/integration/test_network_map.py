# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VMs whose network has another name at the destination: the map that the operator gives is judged, and the card is attached as it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules import find_targets, migrate, reason_codes
from tests.integration.worlds import World, everyone_lives, off_on, running_on

ON_VSPHERE = True


@pytest.mark.rule("CAS-32", sign="+")
@pytest.mark.parametrize(
    ("facts", "options"),
    [
        ({}, {}),
        ({"local_disk": True}, {"type": "host_storage"}),
        ({"power": "off", "local_disk": True}, {"type": "host_storage", "mode": "offline"}),
    ],
)
def test_a_card_is_attached_to_the_network_that_is_named_for_its_own(world: World, facts: dict[str, Any], options: dict[str, Any]) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, network=world.own_network, **facts)
    before = world.digest()
    refused = migrate(world, web, target_host=second, **options)
    assert "network_missing" in str(refused), str(refused)
    assert world.digest() == before
    mapped = {world.own_network: world.network}
    answer = migrate(world, web, target_host=second, network_map=mapped, **options)
    assert not answer.failed, str(answer)
    assert world.where(web) == (off_on(second) if "power" in facts else running_on(second))
    assert world.networks(web) == [world.network]
    assert "power" in facts or everyone_lives(world, web)
    assert world.left_behind() == []
    assert not migrate(world, web, target_host=second, network_map=mapped, **options).changed


@pytest.mark.rule("CAS-32", sign="-")
def test_a_map_that_leads_nowhere_is_refused_and_nothing_changes(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    before = world.digest()
    answer = find_targets(world, web, network_map={world.network: "nowhere"})
    rejected = {entry["host"]: reason_codes(entry["reasons"]) for entry in answer["targets"]}
    assert "network_missing" in rejected[second]
    assert migrate(world, web, target_host=second, network_map={world.network: "nowhere"}).failed
    assert world.digest() == before
    assert world.networks(web) == [world.network]
