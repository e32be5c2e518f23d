# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Affinity and anti-affinity, on planned states."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Severity
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import AffinityGroup, AffinityKind, PowerState, Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite

from tests.unit.rules.world import host, reasons, site, web


def _world(kind: AffinityKind, other_on: str, *, required: bool = True, state: PowerState = PowerState.RUNNING) -> Site:
    other = Vm("id-db", "db", other_on, memory_mib=1024, power_state=state)
    group = AffinityGroup("pair", kind, frozenset({"id-web", "id-db"}), required)
    hosts = (host("kvm1"), host("kvm2"), host("kvm3"))
    return site(vms=(web(), other), hosts=hosts, affinity_groups=(group,))


def test_members_of_an_anti_affinity_group_do_not_meet() -> None:
    world = _world(AffinityKind.ANTI_AFFINITY, "kvm2")
    reason = reasons(world)["anti_affinity"]
    assert reason.severity is Severity.HARD
    assert reason.message == "Anti-affinity group pair keeps VM web apart from db on host kvm2."
    assert "anti_affinity" not in reasons(world, target="kvm3")


def test_a_preferred_group_gives_way_to_consent_only() -> None:
    world = _world(AffinityKind.ANTI_AFFINITY, "kvm2", required=False)
    assert reasons(world)["anti_affinity_preferred"].overridable == "allow_soft_affinity"
    assert not reasons(world, consents=frozenset({"allow_soft_affinity"}))["anti_affinity_preferred"].blocks


def test_required_groups_do_not_give_way_to_consent() -> None:
    consent = frozenset({"allow_soft_affinity"})
    assert reasons(_world(AffinityKind.ANTI_AFFINITY, "kvm2"), consents=consent)["anti_affinity"].blocks
    assert reasons(_world(AffinityKind.AFFINITY, "kvm1"), consents=consent)["affinity"].blocks


def test_planned_positions_count_not_present_ones() -> None:
    world = _world(AffinityKind.ANTI_AFFINITY, "kvm2")
    planned = PlannedSite(world)
    planned.place("id-db", "kvm3")
    assert "anti_affinity" not in reasons(world, planned=planned)
    assert "anti_affinity" in reasons(world, target="kvm3", planned=planned)


def test_a_move_under_way_keeps_its_group_away_from_both_ends() -> None:
    world = _world(AffinityKind.ANTI_AFFINITY, "kvm2")
    planned = PlannedSite(world)
    planned.hold("id-db", "kvm3")
    assert "anti_affinity" in reasons(world, target="kvm2", planned=planned)
    assert "anti_affinity" in reasons(world, target="kvm3", planned=planned)


def test_a_member_that_is_off_keeps_nobody_away() -> None:
    assert "anti_affinity" not in reasons(_world(AffinityKind.ANTI_AFFINITY, "kvm2", state=PowerState.OFF))


def test_an_affinity_group_is_not_parted() -> None:
    world = _world(AffinityKind.AFFINITY, "kvm1")
    assert reasons(world)["affinity"].message == "Affinity group pair keeps VM web together with db on kvm1; host kvm2 would part them."
    assert reasons(_world(AffinityKind.AFFINITY, "kvm1", required=False))["affinity_preferred"].overridable == "allow_soft_affinity"
    assert "affinity" not in reasons(_world(AffinityKind.AFFINITY, "kvm2"))


def test_a_member_that_will_follow_does_not_hold_back() -> None:
    world = _world(AffinityKind.AFFINITY, "kvm1")
    together = frozenset({"id-web", "id-db"})
    assert "affinity" not in reasons(world, planned=PlannedSite(world, together))


@pytest.mark.parametrize("under_way", [True, False])
def test_a_member_that_went_ahead_must_be_followed(under_way: bool) -> None:
    world = _world(AffinityKind.AFFINITY, "kvm1")
    planned = PlannedSite(world, frozenset({"id-web", "id-db"}))
    (planned.hold if under_way else planned.place)("id-db", "kvm2")
    assert "affinity" not in reasons(world, target="kvm2", planned=planned)
    assert "affinity" in reasons(world, target="kvm3", planned=planned)


def test_a_parted_group_is_united_when_all_its_hosts_are_emptied() -> None:
    world = _world(AffinityKind.AFFINITY, "kvm2")
    moving = frozenset({"id-web", "id-db"})
    assert "affinity" in reasons(world, target="kvm3", planned=PlannedSite(world, moving))
    assert "affinity" not in reasons(world, target="kvm3", planned=PlannedSite(world, moving, frozenset({"kvm1", "kvm2"})))
