# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has changed in a simulated world since its file was written: the form of the state file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ...model.host import Maintenance
from ...model.migration import MigrationType, Mode, NetworkRole
from ...model.note import Claim, Home, VmNote
from ...model.pool import Volume
from ...model.recovery import RecoveryNote
from ...model.vm import Nic

FORM = 1
"""Raised when an older state file cannot be read any more."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Ties simulated time to real time: at ``real`` (epoch seconds) it was ``simulated``, and from then on it runs ``speed`` times as fast."""

    real: float
    simulated: float
    speed: float


class Stage(StrEnum):
    """Where a move stands. ``stopping``: a guest that is moved cold shuts down. ``copying_disks`` goes disk by disk, ``copying`` round by round through the
    memory. From ``switching`` and ``post_copy`` on there is no way back: the guest is paused, or runs at the destination already. ``starting``: it boots
    there. The last three are ends.
    """

    CONNECTING = "connecting"
    STOPPING = "stopping"
    COPYING_DISKS = "copying_disks"
    COPYING = "copying"
    SWITCHING = "switching"
    POST_COPY = "post_copy"
    RESUMING = "resuming"
    STARTING = "starting"
    ARRIVED = "arrived"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Stage.ARRIVED, Stage.FAILED, Stage.CANCELLED})
SENDING = frozenset({Stage.COPYING_DISKS, Stage.COPYING, Stage.SWITCHING, Stage.POST_COPY})
"""The stages in which a move sends something over its links and pools."""
REVOCABLE = frozenset({Stage.CONNECTING, Stage.STOPPING, Stage.COPYING_DISKS, Stage.COPYING})
"""The stages in which a move can be aborted."""


@dataclass(frozen=True, slots=True)
class DiskTransfer:
    """One disk's way from pool to pool: ``volume`` is its id before, ``target_volume`` the one afterwards. ``format`` is empty where it stays, ``flatten``:
    what it rests on becomes part of it.
    """

    volume: str
    target_volume: str
    source_pool: str
    target_pool: str
    size_bytes: float = 0.0
    device: str = ""
    format: str = ""
    flatten: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """One migration of the hypervisors, as far as it had come at the state's time ``at``.

    ``vm`` is empty where a detached ``volume`` (its id before) moves. ``disks`` are those that change their pool, none where the move is doomed.
    ``operation_id`` is empty for a foreign one. ``cap_mib_s`` bounds its rate (0: only the links do), ``copy_cap_mib_s`` while it copies disks. Bytes:
    ``round_bytes`` is the size of the present round, ``remaining_bytes`` what of it, or of the present disk (number ``disk``), is still to be sent,
    ``dirtied_bytes`` what the guest rewrote meanwhile, ``sent_bytes`` all that was sent. ``stops_guest``: a cold move of a VM that held memory, which takes
    ``stop_seconds`` to stop. ``paused_since``: the move has paused its guest. ``doom`` is the error that awaits it when it has connected; ``fails_at_bytes``
    (-1: never) and ``fails_with`` come from a fault. ``message`` is the hypervisor's word at the end; ``downtime_ms`` is known once it has arrived.
    ``settled``: one of each two copies of its disks was removed.
    """

    id: str
    vm: str
    source: str
    target: str
    started_at: float
    stage_since: float
    memory_bytes: float
    operation_id: str = ""
    volume: str = ""
    type: MigrationType = MigrationType.HOST
    mode: Mode = Mode.LIVE
    network: NetworkRole = NetworkRole.MANAGEMENT
    cap_mib_s: float = 0.0
    copy_cap_mib_s: float = 0.0
    max_downtime_ms: float = 300.0
    auto_converge: bool = False
    may_post_copy: bool = False
    stops_guest: bool = False
    stop_seconds: float = 0.0
    disks: tuple[DiskTransfer, ...] = ()
    network_map: Mapping[str, str] = field(default_factory=dict)
    disk: int = 0
    stage: Stage = Stage.CONNECTING
    iteration: int = 0
    round_bytes: float = 0.0
    remaining_bytes: float = 0.0
    dirtied_bytes: float = 0.0
    sent_bytes: float = 0.0
    throttle_percent: int = 0
    paused_since: float | None = None
    stopped_since: float | None = None
    post_copy_since: float | None = None
    doom: str = ""
    fails_at_bytes: float = -1.0
    fails_with: str = ""
    ended_at: float | None = None
    message: str = ""
    downtime_ms: float | None = None
    settled: bool = False

    @property
    def subject(self) -> str:
        """The id of the VM, or of the detached volume, that moves."""
        return self.vm or self.volume

    @property
    def rate_cap_mib_s(self) -> float:
        """The most that it sends now, in MiB per second; 0: only the links bound it."""
        return (self.copy_cap_mib_s or self.cap_mib_s) if self.stage is Stage.COPYING_DISKS else self.cap_mib_s

    @property
    def is_active(self) -> bool:
        """True until its end."""
        return self.stage not in ENDED

    @property
    def is_in_memory(self) -> bool:
        """True where a guest is handed over with its memory, so that the target shows its receiving half."""
        return bool(self.vm) and self.mode in (Mode.LIVE, Mode.SUSPENDED) and self.source != self.target

    @property
    def disk_bytes(self) -> float:
        """All bytes of its disks."""
        return sum(disk.size_bytes for disk in self.disks)

    @property
    def disk_bytes_to_come(self) -> float:
        """Bytes of the disks that have not been begun."""
        if self.stage in (Stage.CONNECTING, Stage.STOPPING):
            return self.disk_bytes
        return sum(disk.size_bytes for disk in self.disks[self.disk + 1 :]) if self.stage is Stage.COPYING_DISKS else 0.0

    def ended(self, stage: Stage, at: float, message: str = "", downtime_ms: float | None = None) -> Move:
        """The same move at its end."""
        return dataclasses.replace(self, stage=stage, stage_since=at, ended_at=at, message=message, downtime_ms=downtime_ms)


@dataclass(frozen=True, slots=True)
class VmState:
    """Everything of a VM that a migration can change, whole. ``home`` is that of its note, or of the world file. ``volumes`` are None as long as none of them
    has moved, ``nics`` as long as none was attached to another network. ``crashed``: it died with a host in the middle of a post-copy.
    """

    host: str
    autostart: bool = False
    also_on: tuple[str, ...] = ()
    note: VmNote | None = None
    home: Home | None = None
    volumes: tuple[Volume, ...] | None = None
    nics: tuple[Nic, ...] | None = None
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The whole state at the simulated time ``at``. ``moves`` hold every active move, the last one of each VM or volume, and those whose second copies are
    still there; ``fault_uses`` how often a fault struck. ``volumes`` are the detached volumes that have moved, by the id that they have in the
    world file; ``volume_notes`` are by the id of the volume before its move; ``pool_maintenance`` is by the pool's id.
    """

    form: int = FORM
    anchor: Anchor | None = None
    at: float = 0.0
    first_start_at: float | None = None
    moves_made: int = 0
    vms: Mapping[str, VmState] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    volume_notes: Mapping[str, VmNote] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    moves: tuple[Move, ...] = ()
    claims: tuple[Claim, ...] = ()
    maintenance: Mapping[str, Maintenance] = field(default_factory=dict)
    pool_maintenance: Mapping[str, Maintenance] = field(default_factory=dict)
    stops: Mapping[str, str] = field(default_factory=dict)
    recoveries: Mapping[str, RecoveryNote] = field(default_factory=dict)
    fault_uses: Mapping[str, int] = field(default_factory=dict)


PRISTINE = State()
"""The state of a world in which nothing has been done yet."""
