# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves on the hypervisors that was killed between two of its calls: made with the driver's own calls, in the name of a process that is dead."""

from __future__ import annotations

import dataclasses
import subprocess
import time
import uuid

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Driver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.interface.opening import open_site
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, Controller, Home, NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.integration.worlds import World, WorldVm, wait_until

STEPS = ("closed", "claimed", "noted", "in_flight", "arrived")
"""The last thing that the dead run did; each follows the one before."""

CLAIMED_SECONDS = 3.0
"""How long a claim of the dead run counts where nobody can look up that it is dead; shorter than a real one's, so that nobody waits for long."""


def dead_controller() -> Controller:
    """A process of this machine that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return dataclasses.replace(this_controller(), pid=process.pid, started_ticks=1)


def vanished_controller() -> Controller:
    """A process of another machine: whether it still lives cannot be looked up, only seen from claims that nobody renews."""
    return dataclasses.replace(this_controller(), host="elsewhere", boot_id="11111111-2222-3333-4444-555555555555")


def die_after(world: World, step: str, vm: WorldVm, source: str, target: str, controller: Controller | None = None) -> None:
    """Drain ``source`` of one VM as far as that step, and do nothing more. ``controller``: who it was, else a dead process of this machine."""
    reached = STEPS.index(step)
    with open_site({"site": world.site_options()}) as driver:
        run = _DeadDrain(driver, vm, source, target, world.autostart(vm), controller or dead_controller())
        for act in (run.close, run.claim, run.note, run.start)[: reached + 1]:
            act()
    if step == "arrived":
        wait_until(lambda: vm.name not in world.in_flight(), f"the arrival of {vm.name}")


class _DeadDrain:
    def __init__(self, driver: Driver, vm: WorldVm, source: str, target: str, autostart: bool, controller: Controller) -> None:
        self._driver = driver
        self._operation_id = uuid.uuid4().hex[:12]
        self._controller = controller
        self._migration = Migration("m1", vm.id, vm.name, source, target, memory_mib=vm.memory_mib)
        self._note = VmNote(
            operation_id=self._operation_id,
            controller=self._controller,
            started_at=driver.clock.now(),
            phase=NotePhase.MOVING,
            source=source,
            target=target,
            autostart=autostart,
            reserved_memory_mib=vm.memory_mib,
            home=Home(source, (), driver.clock.now()),
        )

    def close(self) -> None:
        self._driver.set_maintenance(self._migration.source_host, Maintenance(MaintenanceState.PREPARING, "somebody@dead", "", self._driver.clock.now()))
        self._make(ClaimKind.DRAIN, self._migration.source_host, self._migration.source_host)

    def claim(self) -> None:
        self._make(ClaimKind.VM, self._migration.source_host, self._migration.vm)
        self._make(ClaimKind.MEMORY, self._migration.target_host, self._migration.vm)

    def note(self) -> None:
        self._driver.write_note(self._migration, self._note)

    def start(self) -> None:
        job = self._driver.start(self._migration, self._note, MoveOptions())
        until = time.monotonic() + 1.0
        while time.monotonic() < until and not self._driver.poll([job])[0].ended:
            time.sleep(0.05)

    def _make(self, kind: ClaimKind, host: str, subject: str) -> None:
        now = time.time()
        claim = Claim(kind, host, subject, self._operation_id, self._controller, now, now, self._migration.memory_mib, CLAIMED_SECONDS)
        assert self._driver.claim(claim) is None
