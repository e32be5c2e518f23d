# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies in a storage pool, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .reason import Reason


class Owner(StrEnum):
    """``vm``: a VM's disk; ``template``: other images rest on it; ``iso``: removable media; ``orphan``: nobody that answers uses it."""

    VM = "vm"
    TEMPLATE = "template"
    ISO = "iso"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class PoolContent:
    """One volume that is in a pool. ``size_bytes`` is what it takes there (None: not known). ``vms`` are names of the VMs that need it, ``volumes`` ids of
    detached volumes that rest on it; ``reasons`` say why it is still there, or what to do about it.
    """

    pool: str
    volume: str
    name: str
    owner: Owner
    path: str = ""
    size_bytes: int | None = None
    vms: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def is_needed(self) -> bool:
        """True where a VM would miss it: then the pool is not empty."""
        return bool(self.vms)
