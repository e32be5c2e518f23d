# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Targets of a move that is not the usual one: its options are judged, its networks and its course follow."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.capabilities import Capabilities
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode, NetworkRole
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.target import Target
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets, reasons_for

from tests.unit.rules.options_world import KNOWN, OFF, PAUSED, RUNNING
from tests.unit.rules.world import host, site, with_source


def _to_kvm2(subject: Vm, intent: Intent | None) -> Target:
    found = find_targets(site(vm=subject), subject, PlanRequest((subject.id,), intent=intent))
    return next(target for target in found if target.host == "kvm2")


def test_the_usual_intent_changes_nothing() -> None:
    for subject in (RUNNING, PAUSED, OFF):
        assert _to_kvm2(subject, Intent()) == _to_kvm2(subject, None)


@pytest.mark.rule("CAS-43", sign="+")
@pytest.mark.parametrize("intent", [None, Intent(timeout_seconds=1e9)], ids=["none", "plain"])
def test_who_asks_for_no_option_is_advised_of_post_copy_too_where_the_move_takes_days(intent: Intent | None) -> None:
    huge = dataclasses.replace(RUNNING, memory_mib=16_000_000, dirty_rate_mib_s=1.0)
    slow = {"memory_mib": 32_000_000, "migration_link_mbps": 1000, **KNOWN}
    world = with_source(site(host("kvm2", **slow), vm=huge), **slow)
    request = PlanRequest((huge.id,), intent=intent)
    found = next(target for target in find_targets(world, huge, request) if target.host == "kvm2")
    assert found.expected_seconds > 86400
    assert "consider_post_copy" in {reason.code for reason in found.reasons}
    (move,) = make_plan(world, request).migrations
    assert "consider_post_copy" in {reason.code for reason in move.warnings}
    cannot = dataclasses.replace(request, capabilities=Capabilities())
    assert "consider_post_copy" not in {reason.code for target in find_targets(world, huge, cannot) for reason in target.reasons}


def test_options_that_do_not_suit_make_a_host_unsuitable() -> None:
    target = _to_kvm2(RUNNING, Intent(root_pool="nfs-a", mode=Mode.COLD))
    assert not target.suitable_for_migration
    assert {reason.code for reason in target.reasons if reason.blocks} == {"storage_option_on_host_move", "downtime_not_allowed"}
    request = PlanRequest((RUNNING.id,), intent=Intent(root_pool="nfs-a", mode=Mode.COLD))
    assert {reason.code for reason in reasons_for(site(vm=RUNNING), RUNNING, "kvm2", request)} >= {"storage_option_on_host_move", "downtime_not_allowed"}


def test_a_vm_that_is_off_moves_over_management_and_sends_no_memory() -> None:
    target = _to_kvm2(OFF, Intent(mode=Mode.OFFLINE))
    assert target.suitable_for_migration
    assert (target.network, target.networks_used, target.bytes_to_copy) == (NetworkRole.MANAGEMENT, (NetworkRole.MANAGEMENT,), 0)
    assert not _to_kvm2(OFF, Intent()).suitable_for_migration


def test_a_move_of_storage_uses_the_storage_network_alone() -> None:
    found = find_targets(site(vm=RUNNING), RUNNING, PlanRequest((RUNNING.id,), intent=Intent(type=MigrationType.STORAGE)))
    assert [(target.host, target.network, target.networks_used) for target in found] == [("kvm1", NetworkRole.STORAGE, (NetworkRole.STORAGE,))]
    assert "io_degradation" in {reason.code for reason in found[0].reasons}
