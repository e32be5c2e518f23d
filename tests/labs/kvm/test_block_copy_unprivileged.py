# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage moves on a host whose QEMU is no root: the file that is made for it is root's, and libvirt gives it to QEMU only for the copy."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.block_world import DataDisk, begin, content, disks_of, expect, files, guest_with, storage_move
from tests.labs.kvm.commands import wait_until
from tests.labs.kvm.driver_world import driver_of, wait_for_copying, wait_for_end
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


@pytest.mark.parametrize("to_format", ["raw", "qcow2"])
def test_a_disk_moves_and_the_guest_starts_with_it(unprivileged_kvm_lab: Lab, to_format: str) -> None:
    lab = unprivileged_kvm_lab
    guest = guest_with(lab, DataDisk(data_mib=8))
    before = content(lab, "/srv/shared/data-hdb.raw", "raw")
    with driver_of(lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hda", "hdb", to_format=to_format))
        assert wait_for_end(driver, job)[-1].message == ""
        assert expect(driver, job, Verdict.ARRIVED) == []
    moved = disks_of(lab, guest)
    assert files(lab) == set(moved.values())
    assert content(lab, moved["hdb"], to_format) == before
    with lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.destroy()
        domain.create()
    guest.wait_beating()


def test_a_cancelled_move_leaves_the_guest_able_to_write(unprivileged_kvm_lab: Lab) -> None:
    lab = unprivileged_kvm_lab
    guest = guest_with(lab, DataDisk(data_mib=24))
    with driver_of(lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hdb"), MoveOptions(bandwidth_mib_s=4))
        wait_for_copying(driver, job)
        driver.cancel(job)
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.AT_SOURCE) == []
    written = guest.wait_beating().disk_writes
    wait_until(lambda: guest.wait_beating().disk_writes > written, "the guest to write to its disk", timeout_s=20)
    assert files(lab) == {f"/srv/shared/{guest.spec.image_name}", "/srv/shared/data-hdb.raw"}
    assert lab.where(guest) == {"kvm1": ("running", True)}
