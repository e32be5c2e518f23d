# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fits the duration model to moves that were measured: the share of the link that carries memory, and the seconds that every move takes besides.

Two parameters, by least squares of the relative error: long moves count no more than short ones. With the efficiency given, the best set-up time has a closed
form; the efficiency itself is sought by golden sections (Kiefer 1953), because what a guest rewrites depends on it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..model.measured import MeasuredMove
from .durations import DEFAULT_CALIBRATION, Calibration, estimate

LEAST_MOVES = 3
"""Two parameters need more than two moves."""

DEFAULT_ERROR_PERCENT = 9.1
"""How far the defaults are off on average on 1,000 real moves of one testbed (tests/benchmarks/grid5000.py); elsewhere it may be more."""

_LOWEST, _HIGHEST = 0.05, 1.0
_STEPS = 40
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration, the number of moves that it rests on (0: the defaults), and its mean absolute error in percent."""

    calibration: Calibration
    moves: int
    error_percent: float


def fit(moves: Sequence[MeasuredMove]) -> Fitted:
    """The calibration that suits these moves best; the defaults where there are fewer than LEAST_MOVES usable ones (more than no second, some bandwidth)."""
    usable = sorted((move for move in moves if move.seconds > 0 and move.bandwidth_mbps > 0 and move.memory_mib > 0), key=repr)
    if len(usable) < LEAST_MOVES:
        return Fitted(DEFAULT_CALIBRATION, 0, DEFAULT_ERROR_PERCENT)
    best = _with_setup(usable, _best_efficiency(usable))
    return Fitted(best, len(usable), round(100 * _mean_error(usable, best), 1))


def _best_efficiency(moves: Sequence[MeasuredMove]) -> float:
    low, high = _LOWEST, _HIGHEST
    for _step in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if _squares(moves, left) <= _squares(moves, right):
            high = right
        else:
            low = left
    return (low + high) / 2


def _squares(moves: Sequence[MeasuredMove], efficiency: float) -> float:
    calibration = _with_setup(moves, efficiency)
    return sum(_error(move, calibration) ** 2 for move in moves)


def _with_setup(moves: Sequence[MeasuredMove], efficiency: float) -> Calibration:
    """With each move weighted by 1 / seconds squared, the best set-up time is the weighted mean of what copying leaves unexplained."""
    bare = dataclasses.replace(DEFAULT_CALIBRATION, efficiency=efficiency, setup_seconds=0.0)
    weights = [1 / move.seconds**2 for move in moves]
    rest = [move.seconds - _seconds(move, bare) for move in moves]
    setup = sum(weight * left for weight, left in zip(weights, rest, strict=True)) / sum(weights)
    return dataclasses.replace(bare, setup_seconds=max(0.0, setup))


def _mean_error(moves: Sequence[MeasuredMove], calibration: Calibration) -> float:
    return sum(abs(_error(move, calibration)) for move in moves) / len(moves)


def _error(move: MeasuredMove, calibration: Calibration) -> float:
    return _seconds(move, calibration) / move.seconds - 1


def _seconds(move: MeasuredMove, calibration: Calibration) -> float:
    return estimate(move.memory_mib, move.dirty_rate_mib_s, move.working_set_mib, move.bandwidth_mbps, calibration, move.disk_bytes).seconds
