# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A question about what is asked for one VM: do type, mode and options agree with each other, the VM and its two hosts?"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.capabilities import Capabilities
from ..model.host import Host
from ..model.intent import Intent
from ..model.migration import MigrationType, Mode, VolumeMove
from ..model.site import Site
from ..model.vm import PowerState, Vm
from .volume_case import stays_in_memory


@dataclass(frozen=True, slots=True)
class OptionCase:
    """What is asked for, and of whom.

    ``target`` is None as long as none is chosen. ``volumes`` says which pools the volumes leave and reach, as far as that is known. ``capabilities`` None:
    the driver has its own say later.
    """

    site: Site
    vm: Vm
    source: Host | None
    target: Host | None
    intent: Intent
    volumes: tuple[VolumeMove, ...] = ()
    capabilities: Capabilities | None = None

    @property
    def is_live(self) -> bool:
        """True where the guest is to stay in memory while it moves."""
        return self.intent.mode is Mode.LIVE

    @property
    def in_memory(self) -> bool:
        """True where the guest runs, or waits in memory, during the move that is asked for."""
        return stays_in_memory(self.vm, self.intent.mode)

    @property
    def is_running(self) -> bool:
        """True where the guest's CPUs run."""
        return self.vm.power_state is PowerState.RUNNING

    @property
    def moves_host(self) -> bool:
        """True where the host changes."""
        return self.intent.type is not MigrationType.STORAGE

    @property
    def moves_storage(self) -> bool:
        """True where pools change."""
        return self.intent.type is not MigrationType.HOST

    @property
    def link(self) -> tuple[int | None, str]:
        """Speed (megabit per second) of the slowest part of the way that memory takes, ends and shared links, and the path of the fact that this rests on."""
        ends = [end for end in (self.source, self.target) if end is not None]
        kind = "migration" if len(ends) == 2 and all(end.migration_address for end in ends) else "management"
        speeds = {end.name: end.migration_link_mbps if kind == "migration" else end.management_link_mbps for end in ends}
        unknown = next((name for name, speed in sorted(speeds.items()) if speed is None), None)
        known = [speed for speed in speeds.values() if speed is not None]
        path = f"site.hosts.{unknown or self.vm.host}.{kind}_link_mbps"
        names = {end.name for end in ends}
        crossed = [link.bandwidth_mbps for link in self.site.links if len(ends) == 2 and len(names & link.hosts) == 1]
        return (min(known + crossed), path) if known and unknown is None else (None, path)
