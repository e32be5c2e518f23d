# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The section ``simulation`` of a world file: what only the simulator needs, namely physics, the guests' true behaviour, and faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Physics:
    """How the simulated world behaves where its facts say nothing. A snapshot never shows these figures.

    ``default_link_mbps`` is the speed of a host's link that is not known. ``efficiency`` is the share of a link that carries payload: 1448 of 1538 bytes on
    the wire for TCP over Ethernet with an MTU of 1500. ``default_dirty_rate_mib_s`` and ``default_working_set_percent`` (of the VM's memory) describe a
    running guest of which nothing is known. ``connect_seconds`` pass before the first byte, ``resume_seconds`` after the last one;
    ``max_downtime_ms`` is QEMU's own default of its migration parameter ``downtime-limit``. ``pool_mib_s`` is what one pool reads, and what it writes, for
    all copies together. A guest that is moved cold needs ``shutdown_seconds`` to stop, and its VM ``boot_seconds`` until it is started again.
    """

    default_link_mbps: int = 1000
    efficiency: float = 0.94
    default_dirty_rate_mib_s: float = 8.0
    default_working_set_percent: float = 10.0
    connect_seconds: float = 0.3
    resume_seconds: float = 0.02
    max_downtime_ms: int = 300
    pool_mib_s: float = 1000.0
    shutdown_seconds: float = 10.0
    boot_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Guest:
    """How one VM (by id or name) really behaves, where that shall differ from the facts that a snapshot shows. None: as the facts say."""

    dirty_rate_mib_s: float | None = None
    working_set_mib: int | None = None
    shutdown_seconds: float | None = None


class FaultKind(StrEnum):
    """What may go wrong on demand; docs/simulator.md describes each."""

    MOVE_FAILS = "move_fails"
    HOST_DIES = "host_dies"
    HOST_UNREACHABLE = "host_unreachable"
    HOST_REFUSES = "host_refuses"
    POOL_DIES = "pool_dies"
    LINK_DOWN = "link_down"
    CHECK_FAILS = "check_fails"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    ``vm`` is an id or a name, ``volume`` the id of a detached volume, ``host``, ``pool`` and ``link`` are names; which of them a kind needs is told by
    ``SUBJECTS``. ``at_seconds`` and ``until_seconds`` count simulated seconds from the first start of any migration in this world; without ``at_seconds``
    the fault holds from the beginning. ``at_percent`` is the share of disks and memory that has been sent when ``move_fails`` strikes. ``times`` is how
    often ``move_fails`` and ``host_refuses`` strike (0: every time). ``message`` replaces the hypervisor's own word.
    """

    kind: FaultKind
    vm: str = ""
    volume: str = ""
    host: str = ""
    pool: str = ""
    link: str = ""
    at_percent: float = 50.0
    times: int = 1
    at_seconds: float | None = None
    until_seconds: float | None = None
    message: str = ""


SUBJECTS: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.MOVE_FAILS: ("vm", "volume"),
    FaultKind.HOST_DIES: ("host",),
    FaultKind.HOST_UNREACHABLE: ("host",),
    FaultKind.HOST_REFUSES: ("host",),
    FaultKind.POOL_DIES: ("pool",),
    FaultKind.LINK_DOWN: ("host", "link"),
    FaultKind.CHECK_FAILS: ("vm", "volume", "host"),
}
"""The fields of which a fault of each kind needs exactly one."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """The whole section."""

    physics: Physics = Physics()
    guests: Mapping[str, Guest] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
