# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies share links fairly: nobody gets more than a link carries, and nobody less than it could have."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.sharing import Flow, Resource, fair_rates
from hypothesis import given
from hypothesis import strategies as st

LINKS: list[Resource] = [("link", name) for name in "abcde"]


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Flow], dict[Resource, float]]:
    capacity = {link: draw(st.floats(0, 1e9)) for link in LINKS}
    crossing = st.lists(st.sampled_from(LINKS), min_size=1, max_size=4, unique=True).map(tuple)
    caps = st.one_of(st.just(0.0), st.floats(1, 1e9))
    return draw(st.lists(st.builds(Flow, crossing, caps), max_size=12)), capacity


def test_two_copies_over_one_link_get_half_each() -> None:
    assert fair_rates([Flow((LINKS[0],)), Flow((LINKS[0],))], {LINKS[0]: 100.0}) == (50.0, 50.0)


def test_what_a_capped_copy_leaves_goes_to_the_others() -> None:
    assert fair_rates([Flow((LINKS[0],), 10.0), Flow((LINKS[0],)), Flow((LINKS[0],))], {LINKS[0]: 100.0}) == (10.0, 45.0, 45.0)


def test_what_a_copy_cannot_use_because_of_another_link_goes_to_the_others() -> None:
    assert fair_rates([Flow((LINKS[0], LINKS[1])), Flow((LINKS[0],))], {LINKS[0]: 100.0, LINKS[1]: 20.0}) == (20.0, 80.0)


def test_a_link_that_is_down_stops_only_those_who_cross_it() -> None:
    assert fair_rates([Flow((LINKS[0], LINKS[1])), Flow((LINKS[0],))], {LINKS[0]: 100.0, LINKS[1]: 0.0}) == (0.0, 100.0)


@given(situations())
def test_no_link_carries_more_than_it_can_and_no_copy_exceeds_its_cap(situation: tuple[list[Flow], dict[Resource, float]]) -> None:
    flows, capacity = situation
    rates = fair_rates(flows, capacity)
    for link in LINKS:
        assert sum(rate for rate, flow in zip(rates, flows, strict=True) if link in flow.resources) <= capacity[link] * (1 + 1e-6) + 1e-6
    assert all(rate >= 0 and (not flow.cap or rate <= flow.cap * (1 + 1e-6)) for rate, flow in zip(rates, flows, strict=True))


@given(situations())
def test_nobody_could_have_more_without_taking_from_one_who_has_no_more(situation: tuple[list[Flow], dict[Resource, float]]) -> None:
    flows, capacity = situation
    rates = fair_rates(flows, capacity)
    for rate, flow in zip(rates, flows, strict=True):
        at_its_cap = bool(flow.cap) and rate == pytest.approx(flow.cap)
        held_back = False
        for link in flow.resources:
            users = [other for other, each in zip(rates, flows, strict=True) if link in each.resources]
            is_full = sum(users) >= capacity[link] * (1 - 1e-6) - 1e-6
            held_back = held_back or (is_full and rate >= max(users) - 1e-6 * max(1.0, *users))
        assert at_its_cap or held_back


@given(situations())
def test_the_order_in_which_copies_are_named_does_not_matter(situation: tuple[list[Flow], dict[Resource, float]]) -> None:
    flows, capacity = situation
    backwards = fair_rates(flows[::-1], capacity)[::-1]
    assert fair_rates(flows, capacity) == pytest.approx(backwards, rel=1e-6, abs=1e-6)
