# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that move a running VM's disks to another pool of its host and do not come to their end: killed, told to end, or stopped by a deadline."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tests.integration.modules import begin_migrate, migrate
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import wait_until

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from tests.labs.kvm.block_world import DataDisk, content, disks_of, files, guest_with, has_block_job
from tests.labs.kvm.driver_world import driver_of, read_vm
from tests.labs.kvm.guests import Guest

pytestmark = pytest.mark.kvm

AWAY = {"type": "storage", "source_pool": "shared", "storage_class": "local"}


def two_disks(world: KvmWorld) -> Guest:
    return guest_with(world.lab, DataDisk(size_mib=48, data_mib=40))


def paths(guest: Guest, folder: str) -> dict[str, str]:
    return {"hda": f"{folder}/{guest.spec.image_name}", "hdb": f"{folder}/data-hdb.raw"}


def assert_well(world: KvmWorld, guest: Guest, folder: str) -> None:
    """The guest runs from its files in that folder, there are no others, and no trace of the move."""
    assert disks_of(world.lab, guest) == paths(guest, folder)
    assert files(world.lab) == set(paths(guest, folder).values())
    assert not has_block_job(world.lab, guest)
    assert world.lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])
    with driver_of(world.lab) as driver:
        assert read_vm(driver, guest).note is None


@pytest.mark.parametrize("end", ["killed", "terminated"])
def test_the_same_task_run_again_adopts_the_copying_and_switches(kvm_world: KvmWorld, end: str) -> None:
    guest = two_disks(kvm_world)
    before = content(kvm_world.lab, "/srv/shared/data-hdb.raw", "raw")
    run = begin_migrate(kvm_world, guest.name, bandwidth_mib_s=4, **AWAY)
    wait_until(lambda: has_block_job(kvm_world.lab, guest) or not run.is_running(), "the first copy")
    time.sleep(1)
    run.kill() if end == "killed" else run.terminate()
    if end == "terminated":
        left = run.answer()
        assert left.failed
        assert "left_in_flight" in str(left)
    assert has_block_job(kvm_world.lab, guest)
    answer = migrate(kvm_world, guest.name, **AWAY)
    assert not answer.failed, str(answer)
    assert [entry["adopted"] for entry in answer["migrations"]] == [True]
    assert_well(kvm_world, guest, "/srv/local")
    assert content(kvm_world.lab, "/srv/local/data-hdb.raw", "raw") == before
    assert not migrate(kvm_world, guest.name, **AWAY).changed


def test_a_deadline_that_cancels_leaves_the_disks_where_they_were(kvm_world: KvmWorld) -> None:
    guest = two_disks(kvm_world)
    deadline = datetime.fromtimestamp(time.time() + 6, UTC).isoformat()
    answer = migrate(kvm_world, guest.name, bandwidth_mib_s=2, deadline=deadline, on_deadline="cancel_running", **AWAY)
    assert answer.failed, str(answer)
    assert "deadline_reached" in str(answer)
    assert_well(kvm_world, guest, "/srv/shared")
