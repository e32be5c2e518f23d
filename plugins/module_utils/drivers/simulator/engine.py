# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated world in motion: its file, its state and its clock put together. Reads compute; only ``changing`` writes."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...model.errors import InputError
from ...model.options import SimulatorOptions
from .advance import advance
from .clock import SimulatedClock
from .moment import Moment
from .reading import OPTION as WORLD_OPTION
from .state import State
from .store import OPTION as STATE_OPTION
from .store import StateFile
from .world import World, load_world


@dataclasses.dataclass
class Draft:
    """A change in the making: what was found, as of now, and the state that shall take its place."""

    moment: Moment
    state: State

    def look_again(self) -> Moment:
        """The same moment with what has been changed so far."""
        return Moment(self.moment.world, self.state)


class Engine:
    """One opened world. May be used by several threads; several processes may have the same world open."""

    def __init__(self, options: SimulatorOptions) -> None:
        if not options.world:
            raise InputError(WORLD_OPTION, "no world is named.", code="world_missing", hint="Give the path of a world file, such as examples/site.yml.")
        if not 0 < options.speed <= 1e6 or math.isnan(options.speed):
            raise InputError("site.simulator.speed", f"{options.speed} is not above 0 and at most 1000000.")
        path = Path(options.world).expanduser()
        self.world: World = load_world(path)
        self._file = StateFile(Path(options.state_file).expanduser() if options.state_file else path.with_name(path.name + ".state.json"))
        self._speed = options.speed
        self._has_changed = False
        self._lock = threading.Lock()
        # The latest state that was read, and how far time has been computed from it: with every look only the time since the last one is computed.
        self._read: State | None = None
        self._advanced: State | None = None
        self.clock = SimulatedClock(options.speed, lambda: self._file.read().anchor)

    def moment(self) -> Moment:
        """The world as of now. Writes nothing."""
        state = self._file.read()
        now = max(self.clock.now(), state.at)
        with self._lock:
            if state is not self._read or self._advanced is None or self._advanced.at > now:
                self._check(state)
                self._read, self._advanced = state, state
            self._advanced = advance(self.world, self._advanced, now)
            return Moment(self.world, self._advanced)

    @contextmanager
    def changing(self) -> Iterator[Draft]:
        """Change the world: alone among all threads and processes, from its state as of now. What the block leaves in the draft is written, if it changed."""
        with self._file.locked():
            state = self._file.read()
            self._check(state)
            now = max(self.clock.now(), state.at)
            anchor = state.anchor
            if anchor is None or (anchor.speed != self._speed and not self._has_changed):
                anchor = self.clock.anchored(now)
            found = advance(self.world, dataclasses.replace(state, anchor=anchor), now)
            draft = Draft(Moment(self.world, found), found)
            yield draft
            if draft.state is not found:
                self._file.write(draft.state)
                self._has_changed = True

    def _check(self, state: State) -> None:
        """A state that speaks of VMs, hosts, pools or volumes that the world does not have belongs to another world."""
        site = self.world.site
        hosts, vms, pools = site.host_by_name, site.vm_by_id, site.pool_by_id
        named_hosts = {vm.host for vm in state.vms.values()} | {host for move in state.moves for host in (move.source, move.target)}
        named_vms = state.vms.keys() | {move.vm for move in state.moves if move.vm}
        disks = {volume for changed in state.vms.values() for volume in changed.volumes or ()} | set(state.volumes.values())
        named_pools = {volume.pool for volume in disks if volume.pool} | state.pool_maintenance.keys()
        named_pools |= {pool for move in state.moves for disk in move.disks for pool in (disk.source_pool, disk.target_pool)}
        unknown = (named_hosts - hosts.keys()) | (named_vms - vms.keys()) | (named_pools - pools.keys())
        unknown |= state.volumes.keys() - {volume.id for volume in site.volumes}
        for name in sorted(unknown):
            hint = "Remove it to begin again, or name another file in site.simulator.state_file."
            raise InputError(STATE_OPTION, f"{self._file.path} speaks of {name!r}, which the world does not have.", code="state_of_another_world", hint=hint)
