# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations that are fitted to earlier moves."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.measured import MeasuredMove
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.planning.calibration import DEFAULT_ERROR_PERCENT, fit
from ansible_collections.vmops.migration.plugins.module_utils.planning.durations import DEFAULT_CALIBRATION, Calibration, estimate
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan

from tests.unit.planning.world import drain, host, site, vm

SLOW_PLACE = Calibration(efficiency=0.6, setup_seconds=4.0)
SIZES_MIB = (512, 2048, 4096, 16384, 65536)


def _real(truth: Calibration, noise: tuple[float, ...] = (1.0,)) -> list[MeasuredMove]:
    """Moves of a place where ``truth`` holds, each off by one of ``noise``."""
    found = []
    for number, (size, mbps) in enumerate((size, mbps) for size in SIZES_MIB for mbps in (500.0, 1000.0, 10000.0)):
        seconds = estimate(size, 5.0, None, mbps, truth).seconds * noise[number % len(noise)]
        found.append(MeasuredMove(size, mbps, seconds, dirty_rate_mib_s=5.0))
    return found


def test_both_parameters_are_found_again() -> None:
    fitted = fit(_real(SLOW_PLACE))
    assert fitted.calibration.efficiency == pytest.approx(0.6, abs=0.001)
    assert fitted.calibration.setup_seconds == pytest.approx(4.0, abs=0.01)
    assert (fitted.moves, fitted.error_percent) == (15, pytest.approx(0.0, abs=0.1))


def test_noise_moves_the_parameters_little_and_is_told_as_the_error() -> None:
    fitted = fit(_real(SLOW_PLACE, (0.97, 1.03, 1.0)))
    assert fitted.calibration.efficiency == pytest.approx(0.6, rel=0.05)
    assert 1.0 < fitted.error_percent < 4.0


def test_a_fit_is_never_worse_than_the_defaults_and_knows_no_order() -> None:
    moves = _real(SLOW_PLACE, (0.9, 1.1, 1.05))
    fitted = fit(moves)

    def error(calibration: Calibration) -> float:
        return sum(abs(estimate(move.memory_mib, 5.0, None, move.bandwidth_mbps, calibration).seconds / move.seconds - 1) for move in moves)

    assert error(fitted.calibration) < error(DEFAULT_CALIBRATION)
    assert fit(moves[::-1]) == fitted


def test_with_too_few_moves_the_defaults_hold_and_say_how_far_they_may_be_off() -> None:
    unusable = MeasuredMove(1024, 1000.0, 0.0)
    for moves in ([], _real(SLOW_PLACE)[:2], [*_real(SLOW_PLACE)[:2], unusable]):
        fitted = fit(moves)
        assert (fitted.calibration, fitted.moves, fitted.error_percent) == (DEFAULT_CALIBRATION, 0, DEFAULT_ERROR_PERCENT)


@pytest.mark.rule("CAS-42", sign="+")
def test_a_plan_reckons_with_earlier_moves_where_they_are_given() -> None:
    world = site([host("a"), host("b")], [vm("web", "a", 4096)])
    usual = make_plan(world, drain(world, "a"))
    slower = make_plan(world, drain(world, "a", measured=tuple(_real(SLOW_PLACE))))
    assert slower.makespan_seconds == pytest.approx(estimate(4096, 1.0, None, 1000, SLOW_PLACE).seconds, rel=0.01)
    assert slower.makespan_seconds > 1.3 * usual.makespan_seconds
    assert slower.lower_bound_seconds <= slower.makespan_seconds
    assert usual == make_plan(world, PlanRequest(("web",), avoid_hosts=frozenset({"a"})))
