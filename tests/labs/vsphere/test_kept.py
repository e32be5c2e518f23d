# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims and notes that are kept with hosts: one controller at a time, also where another died with the lock in its hand."""

from __future__ import annotations

import dataclasses
import threading
import time

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import LIGHT, HostLoad
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.driver import VsphereDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, hard
from pyVmomi import vim

from tests.labs.vsphere.lab import VsphereLab

pytestmark = pytest.mark.vsphere


def claim_of(lab: VsphereLab, operation: str = "op1", kind: ClaimKind = ClaimKind.VM, subject: str = "vm-1", amount_mib: int = 0) -> Claim:
    """A claim on the first host, by this process."""
    now = time.time()
    return Claim(kind, lab.hosts[0], subject, operation, this_controller(), now, now, amount_mib)


def test_a_claim_is_made_once_renewed_and_released(vsphere_lab: VsphereLab) -> None:
    mine, other = claim_of(vsphere_lab), claim_of(vsphere_lab, "op2")
    with VsphereDriver(vsphere_lab.site_options()) as driver, VsphereDriver(vsphere_lab.site_options()) as second:
        assert driver.claim(mine) is None
        refused = second.claim(other)
        assert refused is not None
        assert (refused.code, "op1" in refused.message) == ("operation_in_progress", True)
        driver.renew([mine])
        (found,) = second.claims(mine.host)
        assert found.renewed_at > mine.renewed_at
        driver.release([other])
        assert len(second.claims(mine.host)) == 1
        driver.release([mine])
        assert second.claims(mine.host) == ()
        assert second.claim(other) is None


def test_of_many_that_claim_at_once_one_has_it(vsphere_lab: VsphereLab) -> None:
    made: list[Reason | None] = []

    def run(number: int) -> None:
        with VsphereDriver(vsphere_lab.site_options()) as driver:
            made.append(driver.claim(claim_of(vsphere_lab, f"op{number}")))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(refused is None for refused in made) == 1
    assert len(made) == 6


def test_the_claim_of_a_dead_process_is_replaced_and_dropped(vsphere_lab: VsphereLab) -> None:
    alive = claim_of(vsphere_lab)
    dead = dataclasses.replace(alive, operation_id="op0", controller=dataclasses.replace(alive.controller, pid=2**22 - 1, started_ticks=1))
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        assert driver.claim(dead) is None
        assert driver.claims(dead.host) == ()
        assert driver.claim(alive) is None
        driver.release([alive])
        assert driver.claim(dead) is None
        driver.drop_stale_claims()
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        assert driver._book.read(driver._reader.inventory().host(dead.host).ref).claims == ()


def test_memory_is_admitted_under_the_lock_with_the_fresh_load(vsphere_lab: VsphereLab) -> None:
    first = vsphere_lab.hosts[0]
    web = vsphere_lab.add_vm("web1", first, memory_mib=96)
    seen: list[HostLoad] = []

    def admits(load: HostLoad) -> Reason | None:
        seen.append(load)
        return hard("insufficient_memory", "no room") if len(seen) > 1 else None

    with VsphereDriver(vsphere_lab.site_options()) as driver:
        assert driver.claim(claim_of(vsphere_lab, kind=ClaimKind.MEMORY, subject="vm-7", amount_mib=64), admits) is None
        refused = driver.claim(claim_of(vsphere_lab, "op2", ClaimKind.MEMORY, "vm-8", 64), admits)
    assert refused is not None
    assert [(entry.vm, entry.memory_mib) for entry in seen[0].vms] == [(web, 96)]
    assert [claim.subject for claim in seen[1].claims] == ["vm-7"]


def test_a_lock_that_somebody_died_with_is_broken_after_a_while(vsphere_lab: VsphereLab) -> None:
    host = vsphere_lab.host(vsphere_lab.hosts[0])
    name = f"vmops.migration.lock.{host._moId}"
    vsphere_lab.content.customFieldsManager.AddCustomFieldDef(name, vim.ManagedEntity)
    began = time.monotonic()
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        assert driver.claim(claim_of(vsphere_lab)) is None
    assert time.monotonic() - began > 9
    assert name not in {field.name for field in vsphere_lab.content.customFieldsManager.field}


def test_what_this_version_cannot_read_is_left_alone(vsphere_lab: VsphereLab) -> None:
    host = vsphere_lab.host(vsphere_lab.hosts[0])
    manager = vsphere_lab.content.customFieldsManager
    field = manager.AddCustomFieldDef("vmops.migration", vim.ManagedEntity)
    manager.SetField(host, field.key, '{"future": 1}')
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        assert not driver.snapshot(LIGHT).host_by_name[host.name].is_open
        with pytest.raises(StateConflict, match="cannot be read"):
            driver.claim(claim_of(vsphere_lab))
    assert [value.value for value in host.customValue] == ['{"future": 1}']


def test_maintenance_is_esxis_own_and_waits_for_running_vms(vsphere_lab: VsphereLab) -> None:
    first = vsphere_lab.hosts[0]
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.set_maintenance(first, Maintenance(MaintenanceState.PREPARING, "me", "new memory"))
        assert not vsphere_lab.host(first).runtime.inMaintenanceMode
        driver.set_maintenance(first, Maintenance(MaintenanceState.MAINTENANCE, "me", "new memory"))
        assert vsphere_lab.host(first).runtime.inMaintenanceMode
        note = driver.snapshot(LIGHT).host_by_name[first].maintenance
        assert (note.state, note.by, note.why) == (MaintenanceState.MAINTENANCE, "me", "new memory")
        driver.set_maintenance(first, Maintenance())
        assert not vsphere_lab.host(first).runtime.inMaintenanceMode
        assert driver.snapshot(LIGHT).host_by_name[first].is_open


def test_pools_and_stop_requests_are_kept_too(vsphere_lab: VsphereLab) -> None:
    first = vsphere_lab.hosts[0]
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.set_pool_maintenance("shared", Maintenance(MaintenanceState.PREPARING, "me"))
        assert driver.snapshot(LIGHT).pool_by_id["shared"].maintenance.state is MaintenanceState.PREPARING
        driver.set_pool_maintenance("shared", Maintenance())
        assert driver.snapshot(LIGHT).pool_by_id["shared"].maintenance == Maintenance()
        driver.request_stop(first, "a colleague")
        assert driver.stop_requested(first) == "a colleague"
        driver.clear_stop(first)
        assert driver.stop_requested(first) is None
