# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""VMs, hosts and datastores of vSphere that a move is refused for, or that change while one is under way: named, with nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pyVmomi", reason="pyvmomi is not installed")

from pyVmomi import vim

from tests.integration.modules import begin_migrate, evacuate, migrate
from tests.integration.world_vsphere import VsphereWorld
from tests.integration.worlds import off_on, running_on, wait_until

pytestmark = pytest.mark.vsphere


def passthrough() -> Any:
    """A PCI device of the host."""
    kind = vim.vm.device.VirtualPCIPassthrough
    backing = kind.DeviceBackingInfo(deviceName="gpu0", id="0000:03:00.0", deviceId="1234", systemId="x", vendorId=0x10DE)
    return vim.vm.device.VirtualDeviceSpec(operation="add", device=kind(key=-1, backing=backing))


def test_a_vm_with_a_device_of_its_host_stays(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, power="off")
    world.lab.wait(world.lab.vm(web.id).ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[passthrough()])))
    before = world.digest()
    answer = migrate(world, web, target_host=second, mode="offline")
    assert answer.failed
    assert "host_device" in str(answer)
    assert world.digest() == before


def test_a_template_is_refused_and_a_drain_says_so(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    golden = world.add_vm("golden", first, power="off")
    world.lab.vm(golden.id).MarkAsTemplate()
    answer = migrate(world, golden, target_host=second, mode="offline")
    assert answer.failed
    assert "is_template" in str(answer)
    assert world.where(golden) == off_on(first)


def test_a_host_in_maintenance_takes_nothing(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.lab.wait(world.lab.host(second).EnterMaintenanceMode_Task(10))
    before = world.digest()
    answer = migrate(world, web, target_host=second)
    assert answer.failed
    assert answer.code == "target_closed"
    assert world.digest() == before


def test_a_full_datastore_is_told_before_anything_moves(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.lab.add_datastore("full", [first], capacity_gib=1, free_gib=0)
    before = world.digest()
    answer = migrate(world, web, type="storage", target_pool="full", storage_class="local")
    assert answer.failed
    assert "insufficient_storage" in str(answer)
    assert world.digest() == before


def test_a_session_that_ends_in_the_middle_is_renewed_and_the_move_goes_on(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    run = begin_migrate(world, web, target_host=second)
    wait_until(lambda: web.name in world.in_flight(), "the move")
    world.lab.settings(expire_sessions=True)
    world.lab.forget_session()
    answer = run.answer()
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert world.left_behind() == []


def test_a_timeout_cancels_the_task_in_vcenter_and_says_so(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.lab.settings(move_seconds=60)
    answer = migrate(world, web, target_host=second, timeout_seconds=1, retries=0)
    assert answer.failed
    assert "move_timeout" in str(answer)
    assert world.in_flight() == frozenset()
    assert world.where(web) == running_on(first)
    assert world.left_behind() == []


def test_a_vm_that_is_suspended_to_disk_moves_and_stays_so(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.lab.wait(world.lab.vm(web.id).SuspendVM_Task())
    live = migrate(world, web, target_host=second)
    assert live.failed
    answer = migrate(world, web, target_host=second, mode="offline")
    assert not answer.failed, str(answer)
    runtime = world.lab.vm(web.id).runtime
    assert (runtime.host.name, str(runtime.powerState)) == (second, "suspended")
    assert not migrate(world, web, target_host=second, mode="offline").changed


@pytest.mark.parametrize("mode", ["cold", "suspended"])
def test_a_run_that_is_killed_with_its_guest_stopped_is_ended_by_the_next_one(vsphere_world: VsphereWorld, mode: str) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.slow_links()
    options = {"target_host": second, "mode": mode, "allow_downtime": True}
    run = begin_migrate(world, web, **options)
    wait_until(lambda: web.name in world.in_flight(), "the relocation of the stopped VM")
    run.kill()
    assert not world.is_alive(web)
    answer = migrate(world, web, **options)
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert world.was_never_restarted(web) is (mode == "suspended")
    assert world.left_behind() == []


def test_a_guest_that_does_not_shut_down_in_time_is_powered_off_and_one_that_does_is_not(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    polite, deaf = world.add_vm("polite", first), world.add_vm("deaf", first)
    world.lab.control("vms", name="polite", shutdown_seconds=0.5)
    world.lab.control("vms", name="deaf", shutdown_seconds=-1)
    for vm in (polite, deaf):
        before = world.lab.control("calls")["methods"].get("PowerOffVM_Task", 0)
        answer = migrate(world, vm, target_host=second, mode="cold", allow_downtime=True, shutdown_seconds=3)
        assert not answer.failed, str(answer)
        assert world.where(vm) == running_on(second)
        hard = world.lab.control("calls")["methods"].get("PowerOffVM_Task", 0) - before
        assert hard == (1 if vm is deaf else 0)
    assert world.left_behind() == []


def test_a_move_that_breaks_with_its_guest_stopped_starts_it_where_it_was(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    with world.break_first_copy(web):
        answer = migrate(world, web, target_host=second, mode="cold", allow_downtime=True, retries=0)
    assert answer.failed
    assert world.where(web) == running_on(first)
    assert world.left_behind() == []


def test_a_drain_by_suspension_brings_everyone_over(vsphere_world: VsphereWorld) -> None:
    world = vsphere_world
    first, _second, _third = world.hosts
    vms = [world.add_vm(f"web{number}", first) for number in range(3)]
    answer = evacuate(world, first, state="maintenance", mode="suspended", allow_downtime=True)
    assert not answer.failed, str(answer)
    for vm in vms:
        assert world.is_alive(vm)
        assert world.was_never_restarted(vm)
        assert first not in world.where(vm).defined_on
    assert world.left_behind() == []
