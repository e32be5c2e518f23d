# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves on the vSphere lab: every file where it was planned, cancelled, failed, adopted; what vCenter refuses is refused before the start."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.driver import VsphereDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Progress
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.vsphere.lab import VsphereLab

pytestmark = pytest.mark.vsphere

OPTIONS = MoveOptions()


def planned(driver: VsphereDriver, moid: str, target: str, pools: dict[int, str] | None = None, **changes: Any) -> Migration:
    """The move of a VM to a host, and of its disks (by number) to pools."""
    vm = driver.snapshot(EVERYTHING).vm_by_id[moid]
    volumes = tuple(VolumeMove(volume.id, volume.pool, (pools or {}).get(index, volume.pool), device=volume.device) for index, volume in enumerate(vm.volumes))
    kind = MigrationType.HOST if not pools else MigrationType.STORAGE if target == vm.host else MigrationType.HOST_STORAGE
    migration = Migration("m1", vm.id, vm.name, vm.host, target, type=kind, volumes=volumes)
    return dataclasses.replace(migration, **changes)


def begun(driver: VsphereDriver, migration: Migration, power: str = "running") -> Job:
    """The move with its note written, started."""
    note = VmNote(
        "op1",
        this_controller(),
        time.time(),
        NotePhase.MOVING,
        migration.source_host,
        migration.target_host,
        migration.type.value,
        migration.mode.value,
        power_state=power,
    )
    return driver.start(migration, driver.write_note(migration, note, OPTIONS), OPTIONS)


def ended(driver: VsphereDriver, job: Job) -> Progress:
    """The last sample of a job."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        (sample,) = driver.poll([job])
        if sample.ended:
            return sample
        time.sleep(0.05)
    raise AssertionError("the move did not end")


def pools(lab: VsphereLab, driver: VsphereDriver, moid: str) -> list[str | None]:
    """Where the disks are, after vCenter and after the lab."""
    told = [volume.pool for volume in driver.snapshot(EVERYTHING).vm_by_id[moid].volumes]
    files = [one.backing.fileName for one in lab.vm(moid).config.hardware.device if hasattr(one.backing, "diskMode")]
    assert [f"[{pool}]" for pool in told] == [file.partition(" ")[0] for file in files]
    return told


@pytest.mark.rule("CSV-10", sign="+")
@pytest.mark.parametrize("powered_on", [True, False])
def test_each_disk_goes_where_it_was_planned(vsphere_lab: VsphereLab, powered_on: bool) -> None:
    first, second, _third = vsphere_lab.hosts
    vsphere_lab.add_datastore("shared2", list(vsphere_lab.hosts))
    web = vsphere_lab.add_vm("web1", first, pools=("shared", "shared2"), powered_on=powered_on)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        migration = planned(driver, web, second, {0: f"local-{second}"}, mode=Mode.LIVE if powered_on else Mode.OFFLINE)
        assert driver.check(migration, OPTIONS) == ()
        job = begun(driver, migration, "running" if powered_on else "off")
        assert ended(driver, job).message == ""
        verification = driver.verify(migration, job.note)
        assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ())
        assert driver.finish(migration, job.note) == ()
        assert pools(vsphere_lab, driver, web) == [f"local-{second}", "shared2"]
        vm = driver.snapshot(EVERYTHING).vm_by_id[web]
        assert (vm.host, vm.note) == (second, None)
    assert vsphere_lab.vm(web).config.files.vmPathName == f"[local-{second}] web1/web1.vmx"
    assert [one.name for one in vsphere_lab.host(first).vm] == []


def test_disks_alone_move_and_may_change_their_format(vsphere_lab: VsphereLab) -> None:
    first = vsphere_lab.hosts[0]
    vsphere_lab.add_datastore("shared2", list(vsphere_lab.hosts))
    web = vsphere_lab.add_vm("web1", first, thin=False)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        migration = planned(driver, web, first, {0: "shared2"})
        (move,) = migration.volumes
        migration = dataclasses.replace(migration, volumes=(dataclasses.replace(move, format="thin"),))
        job = begun(driver, migration)
        ended(driver, job)
        assert driver.verify(migration, job.note).verdict is Verdict.ARRIVED
        (volume,) = driver.snapshot(EVERYTHING).vm_by_id[web].volumes
        assert (volume.pool, volume.format) == ("shared2", "thin")


def test_a_cancelled_move_leaves_the_vm_and_no_note(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    web = vsphere_lab.add_vm("web1", first)
    vsphere_lab.settings(move_seconds=20)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        migration = planned(driver, web, second)
        job = begun(driver, migration)
        assert driver.verify(migration, job.note).verdict is Verdict.IN_FLIGHT
        driver.cancel(job)
        ended(driver, job)
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, job.note) == ()
        vm = driver.snapshot(EVERYTHING).vm_by_id[web]
        assert (vm.host, vm.note) == (first, None)
        with pytest.raises(StateConflict):
            driver.cancel(job)


def test_a_move_that_breaks_says_what_vcenter_says(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    web = vsphere_lab.add_vm("web1", first)
    vsphere_lab.settings(move_seconds=0.4, fail={"vm": "web1", "at_percent": 50})
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        migration = planned(driver, web, second)
        job = begun(driver, migration)
        assert "the copy broke off" in ended(driver, job).message
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE


def test_a_move_is_found_and_adopted_by_another_controller(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    web = vsphere_lab.add_vm("web1", first)
    vsphere_lab.settings(move_seconds=2)
    with VsphereDriver(vsphere_lab.site_options()) as one:
        begun(one, planned(one, web, second))
    with VsphereDriver(vsphere_lab.site_options()) as other:
        (found,) = other.in_flight()
        assert (found.vm, found.source_host, found.target_host, found.is_ours) == (web, first, second, True)
        job = other.adopt(found)
        assert not other.poll([job])[0].ended
        ended(other, job)
        assert other.verify(job.migration, job.note).verdict is Verdict.ARRIVED
        assert other.finish(job.migration, job.note) == ()
        assert other.in_flight() == ()


def test_a_start_whose_answer_is_lost_is_not_made_twice(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    web = vsphere_lab.add_vm("web1", first)
    vsphere_lab.settings(move_seconds=2)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        migration = planned(driver, web, second)
        note = VmNote("op1", this_controller(), time.time(), NotePhase.MOVING, first, second)
        written = driver.write_note(migration, note, OPTIONS)
        vsphere_lab.settings(lose_answer_of="RelocateVM_Task")
        job = driver.start(migration, written, OPTIONS)
        ended(driver, job)
        assert driver.verify(migration, written).verdict is Verdict.ARRIVED
    assert vsphere_lab.control("calls")["methods"]["RelocateVM_Task"] == 1


def test_what_vcenter_would_refuse_is_refused_before_anything_is_written(vsphere_lab: VsphereLab) -> None:
    first, second, third = vsphere_lab.hosts
    web, tied = vsphere_lab.add_vm("web1", first), vsphere_lab.add_vm("tied", first, pools=(f"local-{first}",))
    large = vsphere_lab.add_vm("large", first, disk_gib=50)
    vsphere_lab.add_datastore("small", [first, second], capacity_gib=10, free_gib=10)
    vsphere_lab.wait(vsphere_lab.host(third).EnterMaintenanceMode_Task(10))
    versions = {moid: vsphere_lab.vm(moid).config.changeVersion for moid in (web, tied, large)}
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        cases = [
            (planned(driver, tied, second), "pool_not_on_host"),
            (planned(driver, large, first, {0: "small"}), "insufficient_storage"),
            (planned(driver, web, third), "check_missing"),
        ]
        for migration, code in cases:
            assert [reason.code for reason in driver.check(migration, OPTIONS)] == [code]
        vsphere_lab.control("hosts", name=second, vmotion=False)
        assert [reason.code for reason in driver.check(planned(driver, web, second), OPTIONS)] == ["vmotion_missing"]
        vsphere_lab.control("hosts", name=second, vmotion=True, version="6.5.0")
        assert [reason.code for reason in driver.check(planned(driver, web, second), OPTIONS)] == ["hardware_version"]
    assert versions == {moid: vsphere_lab.vm(moid).config.changeVersion for moid in versions}


def test_a_template_is_refused_by_name(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    golden = vsphere_lab.add_vm("golden", first, powered_on=False)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        migration = planned(driver, golden, second, mode=Mode.OFFLINE)
        vsphere_lab.vm(golden).MarkAsTemplate()
        assert [reason.code for reason in driver.check(migration, OPTIONS)] == ["is_template"]


def test_whoever_waits_for_a_move_costs_the_server_nothing(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    web = vsphere_lab.add_vm("web1", first)
    vsphere_lab.settings(move_seconds=3)

    def reads() -> int:
        return int(vsphere_lab.control("calls")["methods"]["RetrievePropertiesEx"])

    with VsphereDriver(vsphere_lab.site_options()) as driver:
        job = begun(driver, planned(driver, web, second))
        driver.poll([job])
        before, percents = reads(), set()
        for _look in range(100):
            (progress,) = driver.poll([job])
            percents.add(progress.percent)
            time.sleep(0.01)
        assert reads() == before
        assert len(percents) > 10
        vsphere_lab.settings(expire_sessions=True)
        vsphere_lab.forget_session()
        ended(driver, job)
        assert driver.verify(job.migration, job.note).verdict is Verdict.ARRIVED
