# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kind of move is asked for: type, mode, purpose, options and mapping, as far as rules judge them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .migration import MigrationType, Mode


class Purpose(StrEnum):
    """``manual``: an administrator asks for it; ``drain``: a host or pool is emptied; ``recover``: the VM's host is dead."""

    MANUAL = "manual"
    DRAIN = "drain"
    RECOVER = "recover"


class VolumeFormat(StrEnum):
    """The format of a volume after its move (CAS-48): as it is, ``qcow2`` (intelligent) or ``raw`` (high speed)."""

    SAME = "same"
    QCOW2 = "qcow2"
    RAW = "raw"


class StorageClass(StrEnum):
    """Whether a volume lives in a pool of one host, or in one that several share."""

    LOCAL = "local"
    SHARED = "shared"


class TimeoutAction(StrEnum):
    """What happens to a move that exceeds its timeout (CAS-22): ``suspend`` pauses the guest until the copy is whole, ``post_copy`` lets it run at the
    destination while the rest follows.
    """

    ABORT = "abort"
    SUSPEND = "suspend"
    POST_COPY = "post_copy"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Intent:
    """What is asked for one VM, or one volume.

    ``planned_pools`` (volume ids to pool ids) is the mapping that a plan has chosen already: kept to, and not taken for the operator's own.
    ``volume_pools`` maps volumes (id or device) to pool ids; ``root_pool`` maps the ROOT volume alone, the rest is completed in the same destination cluster
    (CSV-14). ``leave_pools``: volumes in these pools move, into others than these. ``target_pools``: what nobody
    mapped goes into these alone (empty: any). ``single_pool``: all into the one pool, strictly (CSV-16).
    ``new_storage_class`` changes the declared class of what is moved (CSH-12). ``network_map`` maps networks of the VM to networks of the destination.
    ``speed_mib_s`` 0: no cap. ``timeout_seconds`` bounds one move; None: the default of its type. ``volume`` (id or device) is set where one volume of a VM,
    or a detached one, is to be moved. The
    consent to downtime is per VM (``VmPolicy``) or ``allow_downtime`` here.
    """

    type: MigrationType = MigrationType.HOST
    mode: Mode = Mode.LIVE
    purpose: Purpose = Purpose.MANUAL
    volume: str = ""
    volume_pools: Mapping[str, str] = field(default_factory=dict)
    planned_pools: Mapping[str, str] = field(default_factory=dict)
    root_pool: str = ""
    single_pool: bool = False
    leave_pools: frozenset[str] = frozenset()
    target_pools: frozenset[str] = frozenset()
    new_storage_class: StorageClass | None = None
    volume_format: VolumeFormat = VolumeFormat.SAME
    flatten: bool = False
    network_map: Mapping[str, str] = field(default_factory=dict)
    speed_mib_s: int = 0
    allow_downtime: bool = False
    allow_system_vm: bool = False
    post_copy: bool = False
    auto_converge: bool = False
    encrypt: bool = False
    on_timeout: TimeoutAction = TimeoutAction.ABORT
    timeout_seconds: float | None = None
    fenced: bool = False

    @property
    def is_plain(self) -> bool:
        """True for a live move by host without an option that a rule judges for each host."""
        general = {
            "purpose": Purpose.MANUAL,
            "allow_downtime": False,
            "allow_system_vm": False,
            "timeout_seconds": None,
            "auto_converge": False,
        }
        return dataclasses.replace(self, **general) == Intent()  # type: ignore[arg-type]

    @property
    def kind(self) -> str:
        """``live``, ``cold`` or ``recover``: the three kinds of move that Private Cloud Director tells apart (PCD-05)."""
        if self.purpose is Purpose.RECOVER:
            return "recover"
        return "live" if self.mode is Mode.LIVE else "cold"
