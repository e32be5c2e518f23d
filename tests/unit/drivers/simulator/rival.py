# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process of its own that works in a simulated world: ``python rival.py ACT WORLD ARGUMENT SPEED``.

It says ``ready``, waits for a line, acts, and says how it went.
"""

from __future__ import annotations

import itertools
import sys
import time

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import HostLoad
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.note import ClaimKind
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, hard
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.unit.drivers.simulator.small_world import claim, migration, note
from tests.unit.drivers.simulator.storage_world import LOCAL2, moving


def half_full(load: HostLoad) -> Reason | None:
    """Admit as long as the claims so far leave room for one more of 1024 MiB."""
    used = sum(each.amount_mib for each in load.claims)
    return None if used + 1024 <= (load.memory_mib or 0) else hard("insufficient_memory", "full")


def claim_vm(driver: SimulatorDriver, operation_id: str) -> None:
    """Claim one VM, stay alive until told to go."""
    print(driver.claim(claim(ClaimKind.VM, "kvm1", "id-web", operation_id, time.time())) is None, flush=True)
    sys.stdin.readline()


def claim_memory(driver: SimulatorDriver, operation_id: str) -> None:
    """Claim memory on one host for twenty VMs, stay alive until told to go."""
    made = [claim(ClaimKind.MEMORY, "kvm2", f"{operation_id}-{number}", operation_id, time.time(), amount_mib=1024) for number in range(20)]
    print(sum(driver.claim(each, half_full) is None for each in made), flush=True)
    sys.stdin.readline()


def write_for_ever(driver: SimulatorDriver, operation_id: str) -> None:
    """Change the state as often as possible, until killed."""
    for number in itertools.count():
        driver.request_stop("kvm1", f"{operation_id} " * (1 + number % 500))
        print(number, flush=True)


def start_a_move(driver: SimulatorDriver, operation_id: str) -> None:
    """Start a move and stay, until killed."""
    planned = migration("web", "kvm1", "kvm2")
    written = note(planned, operation_id)
    driver.write_note(planned, written)
    driver.start(planned, written, MoveOptions())
    print("started", flush=True)
    sys.stdin.readline()


def start_a_cold_move(driver: SimulatorDriver, operation_id: str) -> None:
    """Start a cold move of a VM with its disks and stay, until killed."""
    planned = moving(LOCAL2, mode=Mode.COLD)
    written = driver.write_note(planned, note(planned, operation_id, autostart=True))
    driver.start(planned, written, MoveOptions())
    print("started", flush=True)
    sys.stdin.readline()


def write_a_note(driver: SimulatorDriver, operation_id: str) -> None:
    """Write the note of a move of disks and stay, until killed."""
    planned = moving(LOCAL2)
    driver.write_note(planned, note(planned, operation_id, autostart=True))
    print("noted", flush=True)
    sys.stdin.readline()


ACTS = {
    "claim_vm": claim_vm,
    "claim_memory": claim_memory,
    "write_for_ever": write_for_ever,
    "start_a_move": start_a_move,
    "start_a_cold_move": start_a_cold_move,
    "write_a_note": write_a_note,
}

if __name__ == "__main__":
    act, world, argument, speed = sys.argv[1:]
    driver = SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(world, speed=float(speed))))
    print("ready", flush=True)
    sys.stdin.readline()
    ACTS[act](driver, argument)
