# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks of real running guests move to another pool of their host: the guest runs on, its data is whole, the old files are gone, sparse stays sparse."""

from __future__ import annotations

import json

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.block_world import (
    DataDisk,
    allocated_bytes,
    begin,
    content,
    disks_of,
    expect,
    files,
    guest_with,
    make_image,
    on_machine,
    qemu_img_info,
    storage_move,
)
from tests.labs.kvm.driver_world import driver_of, read_vm, wait_for_end
from tests.labs.kvm.image import count_on_disk
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


@pytest.mark.rule("CAS-09", sign="+")
@pytest.mark.rule("CSK-17", sign="+")
def test_all_disks_of_a_running_guest_move_to_another_pool_of_its_host(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, DataDisk())
    before, written = content(kvm_lab, "/srv/shared/data-hdb.raw", "raw"), guest.disk_count()
    migration = storage_move(guest, "hda", "hdb")
    root = f"/srv/local/{guest.spec.image_name}"
    with driver_of(kvm_lab) as driver:
        assert driver.check(migration, MoveOptions()) == ()
        job = begin(driver, guest, migration)
        samples = wait_for_end(driver, job)
        assert samples[-1].message == ""
        assert expect(driver, job, Verdict.ARRIVED) == []
        vm = read_vm(driver, guest)
    print(f"largest gap of the guest's heartbeat: {guest.largest_gap_ms():.0f} ms")
    assert disks_of(kvm_lab, guest) == {"hda": root, "hdb": "/srv/local/data-hdb.raw"}
    assert files(kvm_lab) == {root, "/srv/local/data-hdb.raw"}
    assert content(kvm_lab, "/srv/local/data-hdb.raw", "raw") == before
    assert (vm.note, [volume.pool for volume in vm.volumes]) == (None, ["kvm1/local", "kvm1/local"])
    guest.wait_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])
    assert count_on_disk(on_machine(kvm_lab, root)) > written
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


def test_progress_counts_all_disks_until_nothing_remains(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, DataDisk(data_mib=24))
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hda", "hdb"), MoveOptions(bandwidth_mib_s=16))
        samples = [sample for sample in wait_for_end(driver, job) if sample.total_bytes]
        expect(driver, job, Verdict.ARRIVED)
    assert samples[0].total_bytes >= 36 << 20
    assert len({sample.remaining_bytes for sample in samples}) > 2
    assert samples[-1].remaining_bytes == 0
    assert samples[-1].ended


@pytest.mark.parametrize(("before", "after"), [("raw", "raw"), ("raw", "qcow2"), ("qcow2", "raw"), ("qcow2", "qcow2")])
def test_a_disk_may_change_its_format_and_stays_sparse(kvm_lab: Lab, before: str, after: str) -> None:
    guest = guest_with(kvm_lab, DataDisk(format=before, size_mib=64, data_mib=4))
    digest = content(kvm_lab, f"/srv/shared/data-hdb.{before}", before)
    with driver_of(kvm_lab) as driver:
        migration = storage_move(guest, "hdb", to_format=after)
        assert driver.check(migration, MoveOptions()) == ()
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.ARRIVED) == []
    copy = f"/srv/local/data-hdb.{after}"
    assert disks_of(kvm_lab, guest)["hdb"] == copy
    assert content(kvm_lab, copy, after) == digest
    assert json.loads(qemu_img_info(kvm_lab, copy))["format"] == after
    assert json.loads(qemu_img_info(kvm_lab, copy))["virtual-size"] == 64 << 20
    assert allocated_bytes(on_machine(kvm_lab, copy)) < 8 << 20
    assert f"/srv/shared/data-hdb.{before}" not in files(kvm_lab)
    restart(kvm_lab, guest.uuid)
    guest.wait_beating()


def restart(lab: Lab, uuid: str) -> None:
    """Off and on again: the definition that was kept is what the guest starts with."""
    with lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(uuid)
        domain.destroy()
        domain.create()


@pytest.mark.rule("CSK-16", sign="+")
@pytest.mark.parametrize("copy", [DiskCopy.INCREMENTAL, DiskCopy.FULL], ids=["kept", "flattened"])
def test_a_linked_clone_keeps_its_template_or_takes_its_content_along(kvm_lab: Lab, copy: DiskCopy) -> None:
    template = "/srv/shared/template.raw"
    make_image(kvm_lab, template, "raw", 16, 16)
    guest = guest_with(kvm_lab, DataDisk(format="qcow2", size_mib=16, data_mib=2, base=(template, "raw")))
    digest = content(kvm_lab, "/srv/shared/data-hdb.qcow2", "qcow2")
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hdb", copy=copy))
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.ARRIVED) == []
    moved = "/srv/local/data-hdb.qcow2"
    info = json.loads(qemu_img_info(kvm_lab, moved))
    assert info.get("backing-filename") == (template if copy is DiskCopy.INCREMENTAL else None)
    assert (allocated_bytes(on_machine(kvm_lab, moved)) < 8 << 20) is (copy is DiskCopy.INCREMENTAL)
    assert files(kvm_lab) == {str(f"/srv/shared/{guest.spec.image_name}"), template, moved}
    restart(kvm_lab, guest.uuid)
    guest.wait_beating()
    assert content(kvm_lab, moved, "qcow2") == digest


def test_two_disks_of_one_file_name_do_not_meet(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, DataDisk())
    twin = "/srv/shared/twin/data-hdb.raw"
    kvm_lab.hosts["kvm1"].run(["mkdir", "-p", "/srv/shared/twin"])
    make_image(kvm_lab, twin, "raw", 8, 4)
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.storagePoolDefineXML("<pool type='dir'><name>twin</name><target><path>/srv/shared/twin</path></target></pool>").create()
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.destroy()
        disk = f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{twin}'/><target dev='hdc' bus='ide'/></disk>"
        connection.defineXML(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE).replace("<serial", f"{disk}<serial", 1)).create()
    guest.wait_beating()
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hdb", "hdc"))
        wait_for_end(driver, job)
        expect(driver, job, Verdict.ARRIVED)
    moved = disks_of(kvm_lab, guest)
    assert (moved["hdb"], moved["hdc"]) == ("/srv/local/data-hdb.raw", "/srv/local/data-hdb-hdc.raw")


@pytest.mark.rule("CAS-52", sign="+")
def test_a_paused_guest_stays_paused(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, DataDisk())
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).suspend()
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hdb"))
        wait_for_end(driver, job)
        assert driver.verify(job.migration, job.note).reasons == ()
        assert expect(driver, job, Verdict.ARRIVED) == []
    assert kvm_lab.where(guest) == {"kvm1": ("paused", True)}
    assert disks_of(kvm_lab, guest)["hdb"] == "/srv/local/data-hdb.raw"


def test_a_suspended_move_pauses_the_guest_and_lets_it_go_on(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, DataDisk(data_mib=16))
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hdb", mode=Mode.SUSPENDED), MoveOptions(bandwidth_mib_s=8))
        driver_states = set()
        while not driver.poll([job])[0].ended:
            driver_states.add(kvm_lab.where(guest)["kvm1"][0])
        assert "paused" in driver_states
        assert driver.verify(job.migration, job.note).reasons == ()
        assert expect(driver, job, Verdict.ARRIVED) == []
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert guest.restarts() == 0


def test_a_transient_guest_moves_too(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, DataDisk())
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).undefine()
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hdb"))
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.ARRIVED) == []
        assert [volume.path for volume in read_vm(driver, guest).volumes][1] == "/srv/local/data-hdb.raw"
    assert "/srv/shared/data-hdb.raw" not in files(kvm_lab)
    assert kvm_lab.where(guest) == {"kvm1": ("running", False)}
