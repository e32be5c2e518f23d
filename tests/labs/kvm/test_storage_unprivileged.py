# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks move between hosts whose QEMU is a user of its own that may read no pool: libvirt has to give it every file that was made for it, and its template."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode

from tests.labs.kvm.cold_world import cold_migration, move
from tests.labs.kvm.driver_world import driver_of
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import DataDisk, files_of, guest_with_disks, move_with_storage, storage_move

pytestmark = pytest.mark.kvm


def starts_again(lab: Lab, guest: Guest, host: str) -> None:
    """With the rights that its files have now."""
    with lab.hosts[host].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.destroy()
        domain.create()
    guest.wait_beating()


@pytest.mark.parametrize("root", ["raw", "linked"])
def test_a_running_guest_moves_with_its_disks(unprivileged_kvm_lab: Lab, root: str) -> None:
    lab = unprivileged_kvm_lab
    guest = guest_with_disks(lab, "web1", "kvm1", root=root, data=(DataDisk(format="raw"),), dirty_mib_s=2)
    names = files_of(lab.hosts["kvm1"])
    with driver_of(lab) as driver:
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
    assert lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])
    assert files_of(lab.hosts["kvm2"]) == names
    starts_again(lab, guest, "kvm2")


def test_a_guest_that_is_copied_while_it_is_stopped_starts_again(unprivileged_kvm_lab: Lab) -> None:
    lab = unprivileged_kvm_lab
    guest = lab.guest("web1", "kvm1", pool="local")
    with driver_of(lab) as driver:
        assert move(driver, guest, cold_migration(guest, "kvm1", "kvm2", {"hda": ("kvm1/local", "kvm2/local")}, Mode.COLD)) == ()
    assert lab.where(guest) == {"kvm2": ("running", True)}
    starts_again(lab, guest, "kvm2")
    assert files_of(lab.hosts["kvm1"]) == set()
