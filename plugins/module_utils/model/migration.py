# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration: one VM's move from where it is to one concrete place, as planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .reason import Reason


class MigrationType(StrEnum):
    """What changes: the host, the storage, or both."""

    HOST = "host"
    STORAGE = "storage"
    HOST_STORAGE = "host_storage"


class Mode(StrEnum):
    """``live``: runs on; ``cold``: stop, move, start; ``suspended``: pause, move, resume; ``offline``: it was off and stays off."""

    LIVE = "live"
    COLD = "cold"
    SUSPENDED = "suspended"
    OFFLINE = "offline"


class DiskCopy(StrEnum):
    """How the disks of one migration are copied: exactly one way for all of them, for the two ways exclude each other (CSK-16).

    ``incremental``: the top image of each volume, over a base that is there already (libvirt: NON_SHARED_INC; a volume without a base is copied whole).
    ``full``: every volume whole and flat (libvirt: NON_SHARED_DISK).
    """

    NONE = "none"
    INCREMENTAL = "incremental"
    FULL = "full"


class NetworkRole(StrEnum):
    """Management = control; migration = memory and disk images between hosts; storage = hosts to storage (CAS-12)."""

    MANAGEMENT = "management"
    MIGRATION = "migration"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True)
class VolumeMove:
    """One volume's way: ids of volume and pools; ``bytes_to_copy`` is 0 where it stays on its (shared) pool.

    ``device`` is the VM's name for it (empty for a detached volume), ``format`` its format after the move where that changes (empty: as it is).
    """

    volume: str
    source_pool: str | None
    target_pool: str | None
    bytes_to_copy: int = 0
    device: str = ""
    format: str = ""

    @property
    def moves(self) -> bool:
        """True where the volume changes its pool."""
        return self.target_pool is not None and self.target_pool != self.source_pool


@dataclass(frozen=True, slots=True)
class Migration:
    """One planned migration with everything that is needed to start it.

    ``id`` is unique within its plan. ``links`` are the shared links crossed. ``bandwidth_mbps`` (megabit per second) and ``expected_seconds``
    come from the duration model; ``expected_start_seconds`` counts from the start of the plan. ``next_targets`` are the hosts to try, in this order,
    when the move fails. ``why`` says in one sentence why this target was chosen. With type ``storage`` the target host is the source host. ``flatten``: what a
    volume rests on becomes part of its copy. ``network_map`` names the networks that the VM's cards get at the destination, by those that they have now; a
    network that is not in it keeps its name.
    """

    id: str
    vm: str
    vm_name: str
    source_host: str
    target_host: str
    type: MigrationType = MigrationType.HOST
    mode: Mode = Mode.LIVE
    memory_mib: int = 0
    volumes: tuple[VolumeMove, ...] = ()
    disk_copy: DiskCopy = DiskCopy.NONE
    flatten: bool = False
    network_map: Mapping[str, str] = field(default_factory=dict)
    networks_used: tuple[NetworkRole, ...] = ()
    network: NetworkRole = NetworkRole.MANAGEMENT
    links: tuple[str, ...] = ()
    bytes_to_copy: int = 0
    bandwidth_mbps: float = 0.0
    expected_seconds: float = 0.0
    expected_start_seconds: float = 0.0
    expected_downtime_ms: float | None = None
    next_targets: tuple[str, ...] = ()
    why: str = ""
    warnings: tuple[Reason, ...] = ()
