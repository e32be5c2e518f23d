# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a driver can do at all: the rest is refused with ``capability_missing`` before anything is touched."""

from __future__ import annotations

from dataclasses import dataclass

from .migration import MigrationType, Mode


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do (CSV-01, CSH-36).

    ``live_*``: of a VM that holds memory. ``cold`` and ``suspended``: with a pause of the service; ``cold`` is also the move of a VM that is off.
    ``post_copy``, ``encrypt``: options of a live move. ``needs_controller``: modes whose moves stand still, or whose VMs stay stopped, without their
    controller, so that it does not leave them; the hypervisor carries the others alone.
    """

    live_host: bool = True
    live_storage: bool = False
    live_host_storage: bool = False
    cold: bool = False
    suspended: bool = False
    post_copy: bool = False
    encrypt: bool = False
    needs_controller: frozenset[Mode] = frozenset({Mode.COLD, Mode.OFFLINE})

    def can(self, kind: MigrationType, mode: Mode) -> bool:
        """True where such a move is possible."""
        if mode is Mode.LIVE:
            return {MigrationType.HOST: self.live_host, MigrationType.STORAGE: self.live_storage, MigrationType.HOST_STORAGE: self.live_host_storage}[kind]
        return self.suspended if mode is Mode.SUSPENDED else self.cold
