# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of planner and executor, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .capabilities import Capabilities
from .intent import Intent, TimeoutAction
from .measured import MeasuredMove
from .migration import Mode


class OnDeadline(StrEnum):
    """What happens to running moves when the deadline comes; new ones never start after it."""

    FINISH_RUNNING = "finish_running"
    CANCEL_RUNNING = "cancel_running"


class OnFailure(StrEnum):
    """What a host that could not be emptied is left as: open again, or closed to new placements."""

    REOPEN = "reopen"
    KEEP_CLOSED = "keep_closed"


class Transport(StrEnum):
    """``p2p``: the source's daemon opens the destination, a move outlives its controller. ``managed``: the controller carries it and a crash aborts it."""

    P2P = "p2p"
    MANAGED = "managed"


class VerifyCopy(StrEnum):
    """How a copy that no hypervisor mirrors is proven: by reading it back from its destination, or by the checksum of the stream that wrote it."""

    READBACK = "readback"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """How each move is made and waited for.

    ``bandwidth_mib_s`` caps one move (0: no cap), ``speed_mib_s`` its copying of disks alone. ``timeout_seconds`` bounds one move, ``stall_seconds`` is how
    long nothing may be transferred, ``retries`` how many further targets are tried. ``deadline`` is in epoch seconds, None for none. ``parallel`` caps moves
    at once over the whole run (0: only the site's limits). ``max_downtime_ms`` 0 keeps the hypervisor's own figure. ``storage_timeout_seconds`` bounds a move
    that copies disks (CSK-06). ``post_copy``: the guest may run at the destination before all its memory is there. ``compression`` is the hypervisor's word
    (empty: none), ``connections`` the number of streams for memory (0: one). ``shutdown_seconds``: how long a guest may take to shut down for a cold move.
    ``eject_media``: take removable media out that the destination lacks.
    """

    bandwidth_mib_s: int = 0
    speed_mib_s: int = 0
    max_downtime_ms: int = 0
    auto_converge: bool = False
    post_copy: bool = False
    encrypt: bool = False
    compression: str = ""
    connections: int = 0
    timeout_seconds: float = 3600.0
    storage_timeout_seconds: float = 86400.0
    shutdown_seconds: float = 120.0
    verify_copy: VerifyCopy = VerifyCopy.READBACK
    eject_media: bool = False
    stall_seconds: float = 30.0
    on_timeout: TimeoutAction = TimeoutAction.ABORT
    retries: int = 2
    parallel: int = 0
    transport: Transport = Transport.P2P
    deadline: float | None = None
    on_deadline: OnDeadline = OnDeadline.FINISH_RUNNING
    claim_wait_seconds: float = 60.0
    why: str = ""

    @property
    def copy_cap_mib_s(self) -> int:
        """The most that the copying of one move's disks may use, in MiB per second; 0: no cap."""
        return min((cap for cap in (self.bandwidth_mib_s, self.speed_mib_s) if cap), default=0)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What the planner shall do: move ``vms`` (ids, in order of preference) away from where they are.

    ``target_hosts`` restricts the targets (empty: all). ``avoid_hosts`` may not be targets, besides each VM's own host. ``scope`` bounds candidates:
    ``cluster``, ``pod``, ``zone`` or ``site``. ``consents`` are names of options that turn soft refusals into warnings. ``parallel`` caps moves
    at once over the whole run (0: none). ``bandwidth_mib_s`` caps each move (0: none). ``keep_order``: moves start in the order of ``vms`` wherever slots
    allow, instead of the order that ends soonest. ``intent``: what kind of move is asked for, None for a live move by host.
    ``measured``: earlier moves that durations are fitted to; none: the defaults, with their uncertainty. ``capabilities``: what the driver can do, None where
    that shall not be judged. ``modes`` are those of single VMs (by id) that move in another mode than the intent's: one plan for VMs that run and VMs that are
    off. ``pools`` restricts the target pools of single VMs (by id).
    """

    vms: tuple[str, ...]
    target_hosts: frozenset[str] = frozenset()
    avoid_hosts: frozenset[str] = frozenset()
    scope: str = "zone"
    consents: frozenset[str] = frozenset()
    parallel: int = 0
    bandwidth_mib_s: int = 0
    keep_order: bool = False
    intent: Intent | None = None
    measured: tuple[MeasuredMove, ...] = ()
    capabilities: Capabilities | None = None
    modes: Mapping[str, Mode] = field(default_factory=dict)
    pools: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, vm_id: str) -> PlanRequest:
        """The request as it is for this VM: with the mode that it moves in, and the pools that its volumes may go to."""
        if vm_id not in self.modes and vm_id not in self.pools:
            return self
        intent = self.intent or Intent()
        own = dataclasses.replace(intent, mode=self.modes.get(vm_id, intent.mode), target_pools=self.pools.get(vm_id, intent.target_pools))
        return dataclasses.replace(self, intent=own, modes={}, pools={})
