# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever moves, and however it ends: no volume is lost or doubled, and every byte of the pools is accounted for."""

from __future__ import annotations

import dataclasses
from collections import Counter

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import DEFAULTS, Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator import moves, settling
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.advance import advance
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.disks import size_bytes
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.engine import Draft
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.moment import Moment
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.order import order_of
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.state import State
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.world import World
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode, encode
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.note import VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.drivers.simulator.small_world import note, vm
from tests.unit.drivers.simulator.storage_world import GIB, POOLS, disk, moving, moving_volume, pool, storage_world

START = 1_700_000_000.0


class Pools(RuleBasedStateMachine):
    """Controllers that start moves, look, abort, finish, roll back and die at any moment, in a world that is read back from its file at every step."""

    world: World
    state: State

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Up to three VMs and two detached volumes in pools that may be nearly full; some moves are to fail."""
        sizes = st.integers(1, 6)
        vms = [self._vm(data, number) for number in range(data.draw(st.integers(1, 3)))]
        loose = [disk(f"old{number}", data.draw(st.sampled_from(POOLS)), data.draw(sizes), device="") for number in range(data.draw(st.integers(0, 2)))]
        pools = tuple(pool(name, free_bytes=data.draw(st.integers(0, 12)) * GIB) for name in POOLS)
        failing = data.draw(st.lists(st.sampled_from([each.name for each in vms]), unique=True))
        faults = tuple(Fault(FaultKind.MOVE_FAILS, vm=name, at_percent=data.draw(st.floats(0, 100)), times=1) for name in failing)
        self.world = storage_world(*vms, volumes=tuple(loose), pools=pools, faults=faults)
        self.state = State(at=START)
        self.jobs: list[Job] = []
        self.names = Counter(volume.name for volume in self._volumes())
        self.total = self._held() + self._free()

    def _vm(self, data: st.DataObject, number: int) -> Vm:
        host = data.draw(st.sampled_from(["kvm1", "kvm2"]))
        where = st.sampled_from([name for name in POOLS if "/" not in name or name.startswith(host)])
        disks = tuple(
            disk(f"vm{number}-{index}", data.draw(where), data.draw(st.integers(1, 6)), device=f"vd{index}", backing=("/srv/local/base",))
            for index in range(data.draw(st.integers(1, 2)))
        )
        state = data.draw(st.sampled_from([PowerState.RUNNING, PowerState.PAUSED, PowerState.OFF]))
        return vm(f"vm{number}", host, 64, volumes=disks, power_state=state)

    @property
    def moment(self) -> Moment:
        """Now."""
        return Moment(self.world, self.state)

    def _change(self, act):  # type: ignore[no-untyped-def]
        draft = Draft(self.moment, self.state)
        try:
            return act(draft)
        except MigrationError:
            return None
        finally:
            self.state = decode(State, encode(draft.state))

    def _volumes(self) -> list[Volume]:
        return [volume for each in self.world.site.vms for volume in self.moment.volumes(each.id)] + list(self.moment.loose_volumes.values())

    def _held(self) -> int:
        return sum(size_bytes(volume) for volume in self._volumes())

    def _free(self) -> int:
        return sum(self.moment.pool(name).free_bytes or 0 for name in POOLS)

    @rule(data=st.data(), mode=st.sampled_from(list(Mode)), to=st.sampled_from(["kvm1", "kvm2"]), where=st.sampled_from(POOLS))
    def move_a_vm(self, data: st.DataObject, mode: Mode, to: str, where: str) -> None:
        """Any VM, or those of its disks that are drawn, to anywhere: what is impossible fails."""
        each = data.draw(st.sampled_from(self.world.site.vms))
        now = dataclasses.replace(each, host=self.moment.host_of(each.id), volumes=self.moment.volumes(each.id))
        planned = moving(where, to, mode, of=now, flatten=data.draw(st.booleans()))
        some = data.draw(st.lists(st.sampled_from(planned.volumes), unique=True))
        self._start(dataclasses.replace(planned, volumes=tuple(some)))

    @rule(data=st.data(), where=st.sampled_from(POOLS), hosts=st.tuples(*[st.sampled_from(["kvm1", "kvm2"])] * 2))
    def move_a_volume(self, data: st.DataObject, where: str, hosts: tuple[str, str]) -> None:
        """Any detached volume."""
        if self.moment.loose_volumes:
            self._start(moving_volume(data.draw(st.sampled_from(list(self.moment.loose_volumes.values()))), where, *hosts))

    def _start(self, planned: Migration) -> None:
        written = note(planned, f"op-{self.state.moves_made}-{len(self.jobs)}")
        kept: VmNote | None = self._change(lambda draft: settling.put_note(draft, planned, written))
        if kept is not None:
            begun = self._change(lambda draft: moves.begin(draft, order_of(planned, kept.operation_id, DEFAULTS)))
            self.jobs.append(Job(planned, kept, self.state.at, handle=begun.id if begun else None))

    @rule(seconds=st.floats(0.1, 30))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.state = decode(State, encode(advance(self.world, self.state, self.state.at + seconds)))

    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        """Somebody wants it no more."""
        if self.jobs:
            job = data.draw(st.sampled_from(self.jobs))
            self._change(lambda draft: moves.abort(draft, job))

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """What an executor does; and what a confused one would do, any old job finished or rolled back at any time."""
        if self.jobs:
            job = data.draw(st.sampled_from(self.jobs))
            end = settling.verify(self.moment, job.migration, job.note).verdict
            right = settling.finish if end is Verdict.ARRIVED else settling.roll_back
            act = data.draw(st.sampled_from([right, right, settling.finish, settling.roll_back]))
            self._change(lambda draft: act(draft, job.migration, job.note))

    @invariant()
    def no_volume_is_lost_or_doubled(self) -> None:
        """Every volume is there once, in a pool of the world, under an id of its own."""
        volumes = self._volumes()
        assert Counter(volume.name for volume in volumes) == self.names
        assert len({volume.id for volume in volumes}) == len(volumes)
        assert all(volume.pool in POOLS for volume in volumes)

    @invariant()
    def every_vm_can_reach_its_disks(self) -> None:
        """Where it is now."""
        for each in self.world.site.vms:
            assert {volume.pool for volume in self.moment.volumes(each.id)} <= self.moment.host(self.moment.host_of(each.id)).pools

    @invariant()
    def space_is_conserved_and_never_negative(self) -> None:
        """What is free, what volumes hold and what second copies hold is the same for ever."""
        free = {name: self.moment.pool(name).free_bytes or 0 for name in POOLS}
        assert min(free.values()) >= 0
        copies = sum(int(each.size_bytes) for move in self.state.moves if not move.settled for each in move.disks)
        assert self._held() + sum(free.values()) + copies == self.total

    def teardown(self) -> None:
        """A last run ends everything that others left: nothing but the volumes takes space."""
        if not hasattr(self, "total"):
            return
        self.wait(100_000.0)
        for job in self.jobs:
            self._change(lambda draft, job=job: settling.finish(draft, job.migration, job.note))
            self._change(lambda draft, job=job: settling.roll_back(draft, job.migration, job.note))
        self.space_is_conserved_and_never_negative()
        # A copy whose operation was overtaken by another one on the same VM stays where it is: nobody may remove what is not proven to be its own.
        last = {job.note.operation_id for job in {job.migration.vm: job for job in self.jobs if job.migration.vm}.values()}
        assert not [move for move in self.state.moves if move.disks and not move.settled and move.operation_id in last]


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
