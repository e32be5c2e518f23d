# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated hypervisors are told to do: one move, as an order that says nothing of who gives it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ...model.intent import TimeoutAction
from ...model.migration import DiskCopy, Migration, MigrationType, Mode, NetworkRole, VolumeMove
from ...model.note import VmNote
from ...model.request import MoveOptions


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """Bring a VM, or with an empty ``vm`` the only one of ``volumes``, from one host to another, and its ``volumes`` from pool to pool.

    ``operation_id`` is empty where somebody else gives the order. ``cap_mib_s`` bounds its rate (0: none), ``copy_cap_mib_s`` that of its
    disks alone, ``max_downtime_ms`` 0: the physics' own.
    ``shutdown_seconds`` is how long a guest may take to shut down (0: as long as it likes). ``flatten``: what the disks rest on becomes part of them.
    ``network_map``: what the VM's networks are called on the target.
    """

    vm: str
    source: str
    target: str
    operation_id: str = ""
    type: MigrationType = MigrationType.HOST
    mode: Mode = Mode.LIVE
    volumes: tuple[VolumeMove, ...] = ()
    flatten: bool = False
    network_map: Mapping[str, str] = dataclasses.field(default_factory=dict)
    network: NetworkRole = NetworkRole.MANAGEMENT
    cap_mib_s: float = 0.0
    copy_cap_mib_s: float = 0.0
    max_downtime_ms: float = 0.0
    auto_converge: bool = False
    may_post_copy: bool = False
    shutdown_seconds: float = 0.0

    @property
    def subject(self) -> str:
        """The id of the VM, or of the detached volume."""
        return self.vm or (self.volumes[0].volume if self.volumes else "")


def order_of(migration: Migration, operation_id: str, options: MoveOptions) -> Order:
    """The order for a planned migration. A copy that is full is flat (libvirt: NON_SHARED_DISK)."""
    return Order(
        vm=migration.vm,
        source=migration.source_host,
        target=migration.target_host,
        operation_id=operation_id,
        type=migration.type,
        mode=migration.mode,
        volumes=moving(migration),
        flatten=migration.flatten or migration.disk_copy is DiskCopy.FULL,
        network_map=migration.network_map,
        network=migration.network,
        cap_mib_s=float(options.bandwidth_mib_s),
        copy_cap_mib_s=float(options.copy_cap_mib_s),
        max_downtime_ms=float(options.max_downtime_ms),
        auto_converge=options.auto_converge,
        may_post_copy=options.post_copy or options.on_timeout is TimeoutAction.POST_COPY,
        shutdown_seconds=options.shutdown_seconds,
    )


def moving(migration: Migration) -> tuple[VolumeMove, ...]:
    """The volumes that change their pool; of a detached one it is the volume itself, whatever its pools are."""
    return tuple(move for move in migration.volumes if move.moves or not migration.vm)


def subject_of(migration: Migration, note: VmNote) -> str:
    """The id of the VM or detached volume that a migration is about; an adopted migration knows its volume by its note alone."""
    if migration.vm:
        return migration.vm
    return migration.volumes[0].volume if migration.volumes else note.volumes[0].source_path if note.volumes else migration.vm_name
