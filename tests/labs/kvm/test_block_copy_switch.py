# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The moment in which a running guest switches to its copied disks: it is held still, and goes on whoever comes after a controller that died in it."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.block_mirror import hold_guest
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.block_world import begin, expect, guest_with, storage_move
from tests.labs.kvm.driver_world import driver_of, wait_for_end
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


def test_the_guest_is_held_for_an_instant_and_beats_on(kvm_lab: Lab) -> None:
    """QEMU 7.2 can die where a guest writes in the moment of the switch; a guest that is paused does not write."""
    guest = guest_with(kvm_lab)
    with driver_of(kvm_lab) as driver:
        guest.reset_gap()
        job = begin(driver, guest, storage_move(guest, "hda"))
        assert wait_for_end(driver, job)[-1].message == ""
        assert expect(driver, job, Verdict.ARRIVED) == []
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    print(f"largest gap: {guest.largest_gap_ms():.0f} ms")
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_a_guest_that_a_killed_controller_held_goes_on_with_the_next_run(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = storage_move(guest, "hda")
        job = begin(driver, guest, migration, MoveOptions(bandwidth_mib_s=1))
        driver.cancel(job)
        wait_for_end(driver, job)
        # As a controller leaves it that dies between holding the guest and letting it go on.
        driver._hosts.get("kvm1").run("holding the guest", lambda link: hold_guest(link, guest.uuid, job.note))
        assert kvm_lab.where(guest) == {"kvm1": ("paused", True)}
    with driver_of(kvm_lab) as second:
        assert second.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        second.rollback(migration, job.note)
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_a_guest_that_its_owner_paused_during_the_copy_stays_paused(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = storage_move(guest, "hda")
        job = begin(driver, guest, migration, MoveOptions(bandwidth_mib_s=1))
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).suspend()
        wait_for_end(driver, job)
        driver.verify(migration, job.note)
        driver.finish(migration, job.note)
    assert kvm_lab.where(guest) == {"kvm1": ("paused", True)}
