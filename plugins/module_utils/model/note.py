# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes and claims kept on the hypervisors: what a second run needs to know after the first one has died.

A note of a VM is written before the first act and travels with it. The hypervisors are the only database; no file of the controller is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Controller:
    """Who acts: a process, so that another process of the same machine can tell at once whether it still lives.

    ``host`` is the machine's name, ``boot_id`` and ``pid_namespace`` say whether ``pid`` can be looked up from here, ``started_ticks`` is the
    process's start time in clock ticks since boot, because process numbers are used again. ``user`` is for people.
    """

    host: str = ""
    boot_id: str = ""
    pid_namespace: str = ""
    pid: int = 0
    started_ticks: int = 0
    user: str = ""

    def __str__(self) -> str:
        return f"{self.user or 'somebody'}@{self.host or 'unknown'} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Home:
    """Where a VM was before a drain, and since when (epoch seconds); ``away_on`` is where the drain put it."""

    host: str
    pools: tuple[str, ...] = ()
    since: float = 0.0
    away_on: str = ""


class NotePhase(StrEnum):
    """``moving``: written before the start. ``settled``: the move is verified and finished; only ``home`` still matters."""

    MOVING = "moving"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class NotedVolume:
    """What a second run needs to know of one volume that is copied: where it is read from and written to, by paths as their hosts have them.

    ``created``: the file at ``target_path`` is made by this move, so that a rollback removes it; a finish removes the one at ``source_path``.
    """

    device: str
    source_path: str
    target_path: str
    source_pool: str = ""
    target_pool: str = ""
    format: str = ""
    created: bool = True


@dataclass(frozen=True, slots=True)
class VmNote:
    """The note kept with a VM. Times are epoch seconds of the controller; ``power_state``, ``autostart`` and ``persistent`` are those before the move.

    ``stage`` is the driver's word for how far a move of several steps has come. ``volumes`` are those that are copied, ``created`` other things that this
    move makes on its target (a template's copy), ``snapshots`` the definitions of the snapshots that have to be there again afterwards, in an order in which
    they can be made, ``current_snapshot`` the name of the current one. ``ejected`` are the media that the move takes out, as its hypervisor describes them.
    """

    operation_id: str
    controller: Controller
    started_at: float
    phase: NotePhase
    source: str
    target: str
    migration_type: str = "host"
    mode: str = "live"
    power_state: str = "running"
    autostart: bool = False
    persistent: bool = True
    reserved_memory_mib: int = 0
    stage: str = ""
    volumes: tuple[NotedVolume, ...] = ()
    created: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    current_snapshot: str = ""
    ejected: tuple[str, ...] = ()
    home: Home | None = None


class ClaimKind(StrEnum):
    """What is claimed: a VM or a detached volume (one operation at a time), memory on a destination host, space in a destination pool, the right to drain a
    host, to empty a pool, or to recover from a dead host. ``cancel`` asks whoever moves a VM to abort that move; it lives as long as who asks waits.

    The last cannot be kept with the host that it is about; every other host keeps it.
    """

    VM = "vm"
    VOLUME = "volume"
    MEMORY = "memory"
    SPACE = "space"
    DRAIN = "drain"
    POOL = "pool"
    RECOVER = "recover"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of one operation, kept on ``host``. ``subject`` is the VM's id (kinds vm, memory), the volume's (volume), or the name of the host (drain,
    recover) or pool (pool).

    ``amount_mib`` is memory for kind memory. A claim whose ``renewed_at`` (epoch seconds of its controller) does not change for ``lifetime_seconds``, or
    whose process is known to be dead, is stale.
    """

    kind: ClaimKind
    host: str
    subject: str
    operation_id: str
    controller: Controller
    made_at: float
    renewed_at: float
    amount_mib: int = 0
    lifetime_seconds: float = 30.0
