# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long one live migration takes: pre-copy of memory that the guest goes on rewriting.

The form is physical: the first round copies the whole memory, each further one what was rewritten in the round before, at most the working set; the last one
is copied while the guest stands still. While the working set does not bound it, that is M / (B - D) for memory M, bandwidth B and dirty rate D
(Clark et al., NSDI 2005; Kherbache, Madelaine, Hermenier, IEEE TCC 2017).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Calibration:
    """How real moves differ from the form. Measured ones may be given instead of the defaults.

    ``efficiency`` is the share of a link's rate that carries guest memory. Default: what TCP leaves of Ethernet frames of 1,538 bytes on the wire, 1,448 of
    payload (RFC 894, RFC 7323 time stamps), 0.9415. ``setup_seconds`` is what a move takes besides copying. Default: 128 MiB guests on idle libvirt hosts
    take about one second in all. ``max_downtime_ms`` is QEMU's default downtime limit.
    """

    efficiency: float = 1448 / 1538
    setup_seconds: float = 1.0
    max_downtime_ms: float = 300.0


DEFAULT_CALIBRATION = Calibration()

# Where nothing is known of a guest. An assumption, between idle guests (about 2 MiB/s) and busy ones; it never makes a guest too fast for its link, and
# because the working set is assumed small as well, it lengthens an estimate by an eighth at most. A plan that rests on it says so (duration_assumed).
ASSUMED_DIRTY_RATE_MIB_S = 10.0
ASSUMED_SHARE_OF_LINK = 0.25
ASSUMED_WORKING_SET_SHARE = 0.1

# As many rounds as Xen makes before it stops the guest; QEMU goes on, so more than that means: does not converge by itself.
MAX_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """``seconds`` from start to end, ``downtime_ms`` of the last round, ``converges``: whether it ends by itself, ``bytes`` on the wire."""

    seconds: float
    downtime_ms: float
    converges: bool
    bytes: int


def with_disks(course: Estimate, disk_bytes: int, bandwidth_mbps: float, calibration: Calibration, speed_mib_s: int = 0, uncapped_bytes: int = 0) -> Estimate:
    """The course with disks copied besides, over the same way. ``speed_mib_s`` caps their copying (0: no cap), but for ``uncapped_bytes`` of them."""
    if disk_bytes <= 0:
        return course
    rate_mib_s = bandwidth_mbps * 1e6 / 8 / MIB * calibration.efficiency
    capped_bytes = disk_bytes - uncapped_bytes
    seconds = uncapped_bytes / MIB / rate_mib_s + capped_bytes / MIB / (min(rate_mib_s, speed_mib_s) if speed_mib_s else rate_mib_s)
    return Estimate(course.seconds + seconds, course.downtime_ms, course.converges, course.bytes + disk_bytes)


@functools.lru_cache(maxsize=65536)
def estimate(
    memory_mib: int,
    dirty_rate_mib_s: float | None,
    working_set_mib: int | None,
    bandwidth_mbps: float,
    calibration: Calibration = DEFAULT_CALIBRATION,
    disk_bytes: int = 0,
) -> Estimate:
    """The expected course of one move at a steady ``bandwidth_mbps`` (megabit per second, before protocol overhead).

    ``dirty_rate_mib_s`` or ``working_set_mib`` None: assumed as stated above. ``disk_bytes`` are copied once, before the memory. Without convergence the
    figures are those after MAX_ROUNDS rounds. Raises ValueError for a bandwidth that is not positive.
    """
    if bandwidth_mbps <= 0:
        raise ValueError(f"bandwidth must be positive, not {bandwidth_mbps}")
    rate_mib_s = bandwidth_mbps * 1e6 / 8 / MIB * calibration.efficiency
    dirty_mib_s = min(ASSUMED_DIRTY_RATE_MIB_S, ASSUMED_SHARE_OF_LINK * rate_mib_s) if dirty_rate_mib_s is None else dirty_rate_mib_s
    hot_mib = ASSUMED_WORKING_SET_SHARE * memory_mib if working_set_mib is None else float(working_set_mib)
    if working_set_mib is None and dirty_rate_mib_s is not None:
        hot_mib = float(memory_mib)  # a measured rate is not bounded by a guess
    limit_mib = rate_mib_s * calibration.max_downtime_ms / 1000
    left_mib, sent_mib, rounds = float(memory_mib), 0.0, 0
    while rounds < MAX_ROUNDS and (rounds == 0 or left_mib > limit_mib):
        sent_mib += left_mib
        left_mib = min(hot_mib, dirty_mib_s * left_mib / rate_mib_s)
        rounds += 1
    sent_mib += left_mib
    seconds = calibration.setup_seconds + sent_mib / rate_mib_s + disk_bytes / MIB / rate_mib_s
    return Estimate(seconds, 1000 * left_mib / rate_mib_s, left_mib <= limit_mib, round(sent_mib * MIB) + disk_bytes)
