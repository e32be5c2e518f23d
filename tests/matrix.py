# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which part of the long matrices a test run takes; `make lab-matrix` takes all."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

PART = int(os.environ.get("VMOPS_MATRIX_PART", "10"))
"""One in so many cases of a long matrix is run, always the same ones, and at least one of each test; 1: all."""

IS_WHOLE = PART <= 1

DEATHS_STEP = 4


def calls_to_die_before() -> Iterator[int]:
    """1, 2, 3 … : the calls before which a run is killed, one after the other, without end; one in four of them where a part of the matrices is run."""
    return itertools.count(1, 1 if IS_WHOLE else DEATHS_STEP)
