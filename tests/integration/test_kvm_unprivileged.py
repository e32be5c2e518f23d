# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KVM hosts as a distribution sets them up: QEMU runs as a user of its own, libvirt gives it the files of each guest, and nobody may read the pools."""

from __future__ import annotations

import pytest

from tests.integration.modules import evacuate, migrate
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import everyone_lives, running_on

pytestmark = pytest.mark.kvm


def test_these_hosts_run_their_guests_as_a_user_who_may_not_read_the_pools(unprivileged_kvm_world: KvmWorld) -> None:
    world = unprivileged_kvm_world
    first, _second, _third = world.hosts
    world.add_vm("web1", first, local_disk=True)
    host = world.lab.hosts[first]
    (owner,) = {line.split()[0] for line in host.run(["ps", "-eo", "user:20,comm"]).splitlines() if "qemu" in line.split()[-1]}
    assert owner in ("libvirt-qemu", "64055")
    for pool in ("shared", "local"):
        refused = host.run(["setpriv", "--reuid", "64055", "--clear-groups", "ls", f"/srv/{pool}"], check=False)
        assert refused == ""


def test_a_drain_and_the_way_back(unprivileged_kvm_world: KvmWorld) -> None:
    world = unprivileged_kvm_world
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(2)]
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    for guest in guests:
        assert world.where(guest) in (running_on(second), running_on(third))
    assert everyone_lives(world, *guests)
    assert not evacuate(world, first, state="available").failed
    assert not migrate(world, guests[0], target_host=first).failed
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []
