# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What time brings to migrations: exact figures for simple moves, and laws that hold for all of them."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.advance import advance
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.state import Move, Stage, State
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.world import World
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import NetworkRole
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Link
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.drivers.simulator.small_world import MIB, PHYSICS, begun, host, running, vm, world

START = 1_700_000_000.0
GIGABIT = 1e9 / 8
OVERHEAD = PHYSICS.connect_seconds + PHYSICS.resume_seconds
HOUR = 3600.0


def only(state: State) -> Move:
    (move,) = state.moves
    return move


def duration(move: Move) -> float:
    assert move.ended_at is not None
    return move.ended_at - move.started_at


def test_a_guest_at_rest_takes_its_memory_over_the_slower_of_the_two_links() -> None:
    site = world((host("kvm1", 1000), host("kvm2", 500)), (vm("web", "kvm1", 1024),))
    move = only(advance(site, begun(running("id-web", "kvm1", "kvm2", 1024, START), at=START), START + HOUR))
    assert move.stage is Stage.ARRIVED
    assert duration(move) == pytest.approx(1024 * MIB / (GIGABIT / 2) + OVERHEAD, abs=1e-3)
    assert move.sent_bytes == 1024 * MIB


def test_the_planned_network_is_the_one_that_carries() -> None:
    hosts = tuple(host(name, 100, migration_link_mbps=1000) for name in ("kvm1", "kvm2"))
    site = world(hosts, (vm("web", "kvm1", 1024),))
    move = running("id-web", "kvm1", "kvm2", 1024, START, network=NetworkRole.MIGRATION)
    assert duration(only(advance(site, begun(move, at=START), START + HOUR))) == pytest.approx(1024 * MIB / GIGABIT + OVERHEAD, abs=1e-3)


def test_a_link_of_unknown_speed_has_the_stated_default() -> None:
    hosts = (host("kvm1", 10000), dataclasses.replace(host("kvm2"), management_link_mbps=None))
    site = world(hosts, (vm("web", "kvm1", 1024),))
    move = only(advance(site, begun(running("id-web", "kvm1", "kvm2", 1024, START), at=START), START + HOUR))
    assert duration(move) == pytest.approx(1024 * MIB / (PHYSICS.default_link_mbps * 1e6 / 8) + OVERHEAD, abs=1e-3)


def test_two_moves_from_one_host_take_as_long_as_both_memories_together() -> None:
    site = world((host("kvm1"), host("kvm2"), host("kvm3")), (vm("a", "kvm1"), vm("b", "kvm1")))
    moves = (running("id-a", "kvm1", "kvm2", 1024, START), running("id-b", "kvm1", "kvm3", 1024, START, 2))
    ended = advance(site, begun(*moves, at=START), START + HOUR).moves
    assert max(duration(move) for move in ended) == pytest.approx(2 * 1024 * MIB / GIGABIT + OVERHEAD, abs=1e-2)


def test_opposite_directions_do_not_disturb_each_other() -> None:
    site = world((host("kvm1"), host("kvm2")), (vm("a", "kvm1"), vm("b", "kvm2")))
    moves = (running("id-a", "kvm1", "kvm2", 1024, START), running("id-b", "kvm2", "kvm1", 1024, START, 2))
    for move in advance(site, begun(*moves, at=START), START + HOUR).moves:
        assert duration(move) == pytest.approx(1024 * MIB / GIGABIT + OVERHEAD, abs=1e-3)


def test_a_shared_uplink_counts_only_for_moves_that_leave_its_hosts() -> None:
    uplink = Link("rack1", frozenset({"kvm1", "kvm2"}), 100)
    site = world((host("kvm1"), host("kvm2"), host("kvm3")), (vm("a", "kvm1"), vm("b", "kvm2")), links=(uplink,))
    inside = only(advance(site, begun(running("id-a", "kvm1", "kvm2", 1024, START), at=START), START + HOUR))
    across = only(advance(site, begun(running("id-b", "kvm2", "kvm3", 1024, START), at=START), START + HOUR))
    assert duration(inside) == pytest.approx(1024 * MIB / GIGABIT + OVERHEAD, abs=1e-3)
    assert duration(across) == pytest.approx(1024 * MIB / (GIGABIT / 10) + OVERHEAD, abs=1e-3)


def test_a_busy_guest_needs_more_rounds_and_its_downtime_is_that_of_the_last() -> None:
    busy = vm("db", "kvm1", 4096, dirty_rate_mib_s=60.0, working_set_mib=2048)
    move = only(advance(world(vms=(busy,)), begun(running("id-db", "kvm1", "kvm2", 4096, START), at=START), START + HOUR))
    assert move.stage is Stage.ARRIVED
    assert move.iteration > 2
    assert move.sent_bytes > 4096 * MIB
    assert move.downtime_ms is not None
    assert 0 < move.downtime_ms <= PHYSICS.max_downtime_ms + PHYSICS.resume_seconds * 1000 + 1


def test_what_is_dirty_never_exceeds_the_working_set() -> None:
    memory, rate, dirty_rate, working_set = 1024.0, GIGABIT / MIB, 100.0, 64.0
    rounds = [memory]
    while rounds[-1] > rate * PHYSICS.max_downtime_ms / 1000:
        rounds.append(min(working_set, dirty_rate * rounds[-1] / rate))
    busy = vm("db", "kvm1", int(memory), dirty_rate_mib_s=dirty_rate, working_set_mib=int(working_set))
    move = only(advance(world(vms=(busy,)), begun(running("id-db", "kvm1", "kvm2", int(memory), START), at=START), START + HOUR))
    assert len(rounds) > 3
    assert (move.stage, move.iteration) == (Stage.ARRIVED, len(rounds))
    assert move.sent_bytes / MIB == pytest.approx(sum(rounds), rel=1e-5)
    assert move.downtime_ms == pytest.approx(1000 * (rounds[-1] / rate + PHYSICS.resume_seconds), rel=1e-3)


def test_a_guest_that_rewrites_faster_than_it_is_sent_never_arrives_unless_it_is_slowed_down() -> None:
    wild = vm("cache", "kvm1", 4096, dirty_rate_mib_s=500.0, working_set_mib=2048)
    site = world(vms=(wild,))
    endless = only(advance(site, begun(running("id-cache", "kvm1", "kvm2", 4096, START), at=START), START + HOUR))
    slowed = only(advance(site, begun(running("id-cache", "kvm1", "kvm2", 4096, START, auto_converge=True), at=START), START + HOUR))
    assert endless.stage is Stage.COPYING
    assert slowed.stage is Stage.ARRIVED
    assert slowed.throttle_percent >= 70


def test_a_paused_guest_rewrites_nothing() -> None:
    site = world(vms=(vm("build", "kvm1", 1024, power_state=PowerState.PAUSED, dirty_rate_mib_s=500.0, working_set_mib=512),))
    move = only(advance(site, begun(running("id-build", "kvm1", "kvm2", 1024, START), at=START), START + HOUR))
    assert (move.stage, move.sent_bytes) == (Stage.ARRIVED, 1024 * MIB)


def test_on_arrival_the_definition_is_on_the_target_alone_and_autostart_has_not_travelled() -> None:
    state = advance(world(), begun(running("id-web", "kvm1", "kvm2", 1024, START), at=START), START + HOUR)
    assert (state.vms["id-web"].host, state.vms["id-web"].autostart, state.vms["id-web"].also_on) == ("kvm2", False, ())


def test_a_link_that_is_down_stalls_the_copy_and_it_goes_on_afterwards() -> None:
    fault = Fault(FaultKind.LINK_DOWN, host="kvm2", at_seconds=2.0, until_seconds=100.0)
    site = world(faults=(fault,))
    state = begun(running("id-web", "kvm1", "kvm2", 1024, START), at=START)
    early, late = only(advance(site, state, START + 3)), only(advance(site, state, START + 99))
    assert early.remaining_bytes == late.remaining_bytes > 0
    assert duration(only(advance(site, state, START + HOUR))) == pytest.approx(98 + 1024 * MIB / GIGABIT + OVERHEAD, abs=1e-2)


def test_a_move_fails_when_the_named_share_of_its_memory_has_been_sent() -> None:
    move = running("id-web", "kvm1", "kvm2", 1024, START, fails_at_bytes=256.0 * MIB, fails_with="gone")
    failed = only(advance(world(), begun(move, at=START), START + HOUR))
    assert (failed.stage, failed.message) == (Stage.FAILED, "gone")
    assert failed.sent_bytes == pytest.approx(256 * MIB, abs=1000)


@pytest.mark.parametrize("dying", ["kvm1", "kvm2"])
def test_when_either_host_dies_the_move_fails_at_that_moment(dying: str) -> None:
    site = world(faults=(Fault(FaultKind.HOST_DIES, host=dying, at_seconds=3.0),))
    failed = only(advance(site, begun(running("id-web", "kvm1", "kvm2", 1024, START), at=START), START + HOUR))
    assert (failed.stage, failed.ended_at) == (Stage.FAILED, START + 3.0)
    assert dying in failed.message


@st.composite
def busy_sites(draw: st.DrawFn) -> tuple[World, State]:
    """Up to four hosts, up to six guests of all kinds of behaviour, each on its way somewhere, with or without a shared uplink and faults."""
    names = [f"kvm{number}" for number in range(1, draw(st.integers(2, 4)) + 1)]
    hosts = tuple(host(name, draw(st.integers(100, 10_000))) for name in names)
    vms, moves = [], []
    for number in range(draw(st.integers(1, 6))):
        source, target = draw(st.permutations(names))[:2]
        memory_mib = draw(st.integers(1, 8192))
        facts = {"dirty_rate_mib_s": draw(st.floats(0, 400)), "working_set_mib": draw(st.integers(0, memory_mib))}
        vms.append(vm(f"vm{number}", source, memory_mib, **facts))
        cap, converge = draw(st.sampled_from([0.0, 50.0])), draw(st.booleans())
        moves.append(running(f"id-vm{number}", source, target, memory_mib, START, number, cap_mib_s=cap, auto_converge=converge))
    links = (Link("rack", frozenset(names[:1]), draw(st.integers(100, 2000))),) if draw(st.booleans()) else ()
    down = Fault(FaultKind.LINK_DOWN, host=names[-1], at_seconds=draw(st.floats(0, 30)), until_seconds=draw(st.floats(30, 60)))
    return world(hosts, tuple(vms), links=links, faults=(down,) if draw(st.booleans()) else ()), begun(*moves, at=START)


moments = st.lists(st.floats(0.01, 60), min_size=1, max_size=8).map(lambda steps: [START + passed for passed in itertools.accumulate(steps)])


@settings(max_examples=60)
@given(busy_sites(), moments)
def test_the_same_past_gives_the_same_present_however_often_one_looks(site: tuple[World, State], looks: list[float]) -> None:
    made, state = site
    at_once = advance(made, state, looks[-1])
    assert advance(made, state, looks[-1]) == at_once
    in_steps = state
    for look in looks:
        in_steps = advance(made, in_steps, look)
    for one, other in zip(at_once.moves, in_steps.moves, strict=True):
        assert one.stage is other.stage or abs((one.ended_at or looks[-1]) - (other.ended_at or looks[-1])) < 1e-3
        assert one.sent_bytes == pytest.approx(other.sent_bytes, rel=1e-3, abs=MIB)


@settings(max_examples=60)
@given(busy_sites(), moments)
def test_copies_only_grow_never_faster_than_their_links_and_never_beyond_what_was_written(site: tuple[World, State], looks: list[float]) -> None:
    made, state = site
    for look in looks:
        later = advance(made, state, look)
        passed = look - state.at
        for before, after in zip(state.moves, later.moves, strict=True):
            assert after.sent_bytes >= before.sent_bytes
            assert after.iteration >= before.iteration
            assert after.throttle_percent >= before.throttle_percent
            guest = made.vm(after.vm)
            written = after.memory_bytes + (guest.dirty_rate_mib_s or 0) * MIB * (look - START)
            assert after.sent_bytes <= written * (1 + 1e-6) + 1000
            assert not before.cap_mib_s or after.sent_bytes - before.sent_bytes <= before.cap_mib_s * MIB * passed * (1 + 1e-6) + 1000
            assert before.is_active or before == after
        for one in made.site.hosts:
            carried = passed * (one.management_link_mbps or 0) * 1e6 / 8 * (1 + 1e-6) + 10_000
            for end in ("source", "target"):
                pairs = zip(state.moves, later.moves, strict=True)
                assert sum(after.sent_bytes - before.sent_bytes for before, after in pairs if getattr(after, end) == one.name) <= carried
        for link in made.site.links:
            leaving = [(old, new) for old, new in zip(state.moves, later.moves, strict=True) if new.source in link.hosts and new.target not in link.hosts]
            assert sum(new.sent_bytes - old.sent_bytes for old, new in leaving) <= passed * link.bandwidth_mbps * 1e6 / 8 * (1 + 1e-6) + 10_000
        state = later


@settings(max_examples=60)
@given(busy_sites())
def test_whoever_arrives_has_sent_all_its_memory_and_is_where_it_was_sent(site: tuple[World, State]) -> None:
    made, state = site
    later = advance(made, state, START + HOUR)
    for move in later.moves:
        if move.stage is Stage.ARRIVED:
            assert move.sent_bytes >= move.memory_bytes - 1
            assert later.vms[move.vm].host == move.target
            assert move.downtime_ms is not None
        else:
            assert move.is_active
            assert move.vm not in later.vms
