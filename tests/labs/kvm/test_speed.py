# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A speed caps the copying of disks; libvirt takes one cap for disks and memory at the start, which is lifted when the memory's turn comes."""

from __future__ import annotations

import time

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.commands import wait_until
from tests.labs.kvm.driver_world import driver_of, wait_for_copying, wait_for_end
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import DataDisk, guest_with_disks, note_for, storage_move

pytestmark = pytest.mark.kvm

SPEED_MIB_S = 12
DISK_MIB = 36
WORKING_SET_MIB = 96


@pytest.mark.parametrize("adopts", ["", "adopts"])
def test_the_disks_keep_to_the_speed_and_the_memory_does_not(kvm_lab: Lab, adopts: str) -> None:
    data = (DataDisk(DISK_MIB + 1, DISK_MIB, "raw"),)
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=data, memory_mib=WORKING_SET_MIB + 32, working_set_mib=WORKING_SET_MIB, dirty_mib_s=1)
    with driver_of(kvm_lab) as driver, driver_of(kvm_lab) as second:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        options = MoveOptions(speed_mib_s=SPEED_MIB_S)
        note = note_for(driver, guest, migration, options)
        began = time.monotonic()
        job = driver.start(migration, note, options)
        if adopts:
            wait_for_copying(driver, job)
            (found,) = second.in_flight()
            wait_for_end(second, second.adopt(found))
        else:
            wait_for_end(driver, job)
        seconds = time.monotonic() - began
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        assert driver.finish(migration, note) == ()
    print(f"{seconds:.1f} s")
    assert seconds > 0.8 * DISK_MIB / SPEED_MIB_S
    assert seconds < (DISK_MIB + 0.7 * WORKING_SET_MIB) / SPEED_MIB_S, "the memory kept to the speed as well"
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_a_move_that_does_not_happen_leaves_the_speed_as_it_was(kvm_lab: Lab) -> None:
    """What lifts the cap in its middle would hold for the VM's next moves as well."""
    data = (DataDisk(5, 4, "raw"),)
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=data, memory_mib=WORKING_SET_MIB + 32, working_set_mib=WORKING_SET_MIB, dirty_mib_s=1)
    with driver_of(kvm_lab) as driver, kvm_lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.migrateSetMaxSpeed(777, 0)
        migration, options = storage_move(driver, guest, "kvm1", "kvm2"), MoveOptions(speed_mib_s=SPEED_MIB_S, bandwidth_mib_s=5)
        note = note_for(driver, guest, migration, options)
        job = driver.start(migration, note, options)
        wait_until(lambda: driver.poll([job]) and domain.migrateGetMaxSpeed(0) == 5, "the memory's turn", timeout_s=60)
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
        assert domain.migrateGetMaxSpeed(0) == 777
    assert guest.is_beating()
