# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves by copying on KVM, as playbooks ask for them: a controller that is killed in the middle costs a second run, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.integration.modules import begin_migrate, migrate
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import WorldVm, off_on, running_on, wait_until

pytestmark = pytest.mark.kvm

MIB = 1024 * 1024


def fill(world: KvmWorld, vm: WorldVm) -> tuple[Path, bytes]:
    """Something in the disk of a VM on the first host that takes a while to copy."""
    (image,) = world.lab.hosts[world.hosts[0]].pool_folder("local").iterdir()
    assert vm.name in image.name
    with image.open("r+b") as disk:
        disk.seek(MIB)
        disk.write(os.urandom(3 * MIB))
    return image, image.read_bytes()


def files(world: KvmWorld, host: str) -> list[str]:
    return sorted(path.name for path in world.lab.hosts[host].pool_folder("local").iterdir())


def test_the_same_task_ends_what_a_killed_copy_of_a_vm_that_is_off_left_behind(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True, power="off", autostart=True)
    image, content = fill(world, web)
    wanted = {"type": "host_storage", "mode": "offline", "target_host": second}
    run = begin_migrate(world, web, **wanted, bandwidth_mib_s=1)
    wait_until(lambda: bool(files(world, second)), "the copy to begin")
    time.sleep(0.5)
    run.kill()
    assert world.where(web) == off_on(first)
    answer = migrate(world, web, **wanted)
    assert not answer.failed, str(answer)
    assert world.where(web) == off_on(second)
    assert world.autostart(web)
    assert files(world, first) == []
    assert (world.lab.hosts[second].pool_folder("local") / image.name).read_bytes() == content
    assert world.left_behind() == []
    assert not migrate(world, web, **wanted).changed


def test_a_run_that_was_killed_while_the_guest_was_shutting_down_leaves_it_to_the_next_one(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True, autostart=True)
    run = begin_migrate(world, web, type="host_storage", mode="cold", target_host=second, allow_downtime=True)
    wait_until(lambda: not world.autostart(web), "the guest to be asked to shut down")
    run.kill()
    answer = migrate(world, web, target_host=first)
    assert "shutdown_pending" in str(answer)
    assert not migrate(world, web, target_host=first).changed
    assert world.where(web) == running_on(first)
    assert world.was_never_restarted(web)
    assert world.autostart(web)
    assert files(world, second) == []
    assert world.left_behind() == []


def test_a_run_that_is_told_to_end_starts_the_guest_again_before_it_does(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, local_disk=True, autostart=True)
    fill(world, web)
    run = begin_migrate(world, web, type="host_storage", mode="cold", target_host=second, allow_downtime=True, shutdown_seconds=1, bandwidth_mib_s=1)
    wait_until(lambda: bool(files(world, second)), "the copy to begin")
    run.terminate()
    answer = run.answer()
    assert answer.failed
    assert "controller_stopped" in str(answer)
    assert world.where(web) == running_on(first)
    assert world.autostart(web)
    assert files(world, second) == []
    assert world.left_behind() == []
