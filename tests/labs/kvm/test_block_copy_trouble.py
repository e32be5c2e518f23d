# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage moves of running guests on one host that do not go well: cancelled, a pool that fills up, a controller that is killed, files of others in the way."""

from __future__ import annotations

import dataclasses
import time

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.block_world import (
    MIB,
    DataDisk,
    begin,
    content,
    disks_of,
    expect,
    files,
    guest_with,
    has_block_job,
    kill,
    make_image,
    small_pool,
    storage_move,
)
from tests.labs.kvm.commands import wait_until
from tests.labs.kvm.driver_world import SwitchWonError, driver_of, note_of, python, read_vm, until_the_cancel_wins, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

SLOW = MoveOptions(bandwidth_mib_s=2)
BIG = DataDisk(data_mib=24)


def originals(guest: Guest) -> dict[str, str]:
    return {"hda": f"/srv/shared/{guest.spec.image_name}", "hdb": "/srv/shared/data-hdb.raw"}


def copies(guest: Guest) -> dict[str, str]:
    return {device: path.replace("/srv/shared", "/srv/local") for device, path in originals(guest).items()}


def assert_untouched(lab: Lab, guest: Guest) -> None:
    """The guest runs as before, from its own files, and there is nothing else."""
    assert disks_of(lab, guest) == originals(guest)
    assert files(lab) == set(originals(guest).values())
    assert not has_block_job(lab, guest)
    assert lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


def without_note(driver: LibvirtDriver, guest: Guest) -> bool:
    return read_vm(driver, guest).note is None


@pytest.mark.rule("CAS-08", sign="+")
@pytest.mark.rule("CAS-26", sign="+")
@pytest.mark.parametrize("percent", [10, 50, 90])
@pytest.mark.matrix
def test_a_move_that_is_cancelled_leaves_the_guest_and_its_files_and_nothing_else(kvm_lab: Lab, percent: int) -> None:
    until_the_cancel_wins(kvm_lab, lambda: cancel_at(kvm_lab, percent))


def cancel_at(lab: Lab, percent: int) -> None:
    guest = guest_with(lab, BIG)
    before = content(lab, "/srv/shared/data-hdb.raw", "raw")
    with driver_of(lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hda", "hdb"), MoveOptions(bandwidth_mib_s=4))
        sample = wait_for_copying(driver, job)
        while sample.percent < percent:
            sample = driver.poll([job])[0]
            if sample.ended:
                raise SwitchWonError(str(sample))
        print(f"cancelled at {sample.percent} %")
        driver.cancel(job)
        end = wait_for_end(driver, job)[-1]
        if driver.verify(job.migration, job.note).verdict is Verdict.ARRIVED:
            raise SwitchWonError(str(sample))
        assert "aborted" in end.message
        assert expect(driver, job, Verdict.AT_SOURCE) == []
        driver.cancel(job)  # of a move that is over: well
        assert without_note(driver, guest)
    assert_untouched(lab, guest)
    assert content(lab, "/srv/shared/data-hdb.raw", "raw") == before


@pytest.mark.rule("CSH-23", sign="+")
def test_a_pool_that_fills_up_on_the_way_ends_the_move_and_costs_the_guest_nothing(kvm_lab: Lab) -> None:
    """libvirt drops the job in silence: the guest's own path tells, and the room in the pool says why."""
    guest = guest_with(kvm_lab, BIG)
    with small_pool(kvm_lab, 40) as folder, driver_of(kvm_lab) as driver:
        migration = storage_move(guest, "hda", "hdb", to="kvm1/small")
        assert driver.check(migration, MoveOptions()) == ()
        kvm_lab.hosts["kvm1"].run(["dd", "if=/dev/zero", f"of={folder}/another", "bs=1M", "count=20"])
        job = begin(driver, guest, migration)
        message = wait_for_end(driver, job)[-1].message
        assert "QEMU gave up copying disk hdb" in message
        assert "bytes are free in pool kvm1/small" in message
        assert expect(driver, job, Verdict.AT_SOURCE) == []
        assert kvm_lab.hosts["kvm1"].run(["ls", folder]).split() == ["another"]
        assert without_note(driver, guest)
    assert_untouched(kvm_lab, guest)


def test_the_same_pool_with_room_takes_the_disks(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    with small_pool(kvm_lab, 40), driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hda", "hdb", to="kvm1/small"))
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.ARRIVED) == []
        assert disks_of(kvm_lab, guest)["hdb"] == "/srv/small/data-hdb.raw"
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).destroy()


CONTROLLER = """
import sys, time
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of, note_of
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import *
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
name, uuid, until, bandwidth = sys.argv[1:]
lab = Lab.existing(LabConfig(name=name))
with driver_of(lab) as driver:
    volumes = tuple(VolumeMove(f"{uuid}/{device}", "shared", "kvm1/local", device=device) for device in ("hda", "hdb"))
    migration = Migration("m1", uuid, "web1", "kvm1", "kvm1", type=MigrationType.STORAGE, volumes=volumes, disk_copy=DiskCopy.FULL)
    options = MoveOptions(bandwidth_mib_s=int(bandwidth))
    note = driver.write_note(migration, note_of(migration, migration_type="storage"), options)
    if until != "note":
        job = driver.start(migration, note, options)
        while until == "copy" and driver.poll([job])[0].percent < 40 or until == "switch" and not driver.poll([job])[0].ended:
            time.sleep(0.02)
    print(note.operation_id, flush=True)
    sys.stdin.read()
"""


def killed_controller(lab: Lab, guest: Guest, until: str, bandwidth_mib_s: int = 4) -> str:
    """Another process begins to move both disks and is killed at that point. Its operation id."""
    controller = python(CONTROLLER, lab.config.name, guest.uuid, until, str(bandwidth_mib_s))
    assert controller.stdout
    operation = controller.stdout.readline().strip()
    assert operation, "the first controller did not come so far"
    kill(controller)
    return operation


def adopted(driver: LibvirtDriver, operation: str) -> Job:
    (found,) = driver.in_flight()
    assert (found.vm_name, found.source_host, found.target_host, found.is_ours) == ("web1", "kvm1", "kvm1", True)
    assert found.note is not None
    assert found.note.operation_id == operation
    return driver.adopt(found)


def test_a_controller_killed_while_it_copies_costs_nothing_and_the_next_one_switches(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    before = content(kvm_lab, "/srv/shared/data-hdb.raw", "raw")
    operation = killed_controller(kvm_lab, guest, "copy")
    with driver_of(kvm_lab) as driver:
        job = adopted(driver, operation)
        assert driver.verify(job.migration, job.note).verdict is Verdict.IN_FLIGHT
        assert wait_for_end(driver, job)[-1].message == ""
        assert expect(driver, job, Verdict.ARRIVED) == []
        assert driver.in_flight() == ()
        assert without_note(driver, guest)
    assert disks_of(kvm_lab, guest) == copies(guest)
    assert files(kvm_lab) == set(copies(guest).values())
    assert content(kvm_lab, "/srv/local/data-hdb.raw", "raw") == before
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_an_adopted_move_can_be_cancelled(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    operation = killed_controller(kvm_lab, guest, "copy", bandwidth_mib_s=2)
    with driver_of(kvm_lab) as driver:
        job = adopted(driver, operation)
        driver.cancel(job)
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.AT_SOURCE) == []
    assert_untouched(kvm_lab, guest)


def test_mirrors_that_are_ready_wait_for_whoever_switches(kvm_lab: Lab) -> None:
    """The guest may run that way for long: what it writes goes to both."""
    guest = guest_with(kvm_lab, BIG)
    operation = killed_controller(kvm_lab, guest, "copy")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        wait_until(lambda: domain.XMLDesc(0).count("ready='yes'") == domain.XMLDesc(0).count("<mirror "), "the mirrors to be ready", timeout_s=60)
    kvm_lab.hosts["kvm1"].restart_daemon()
    with driver_of(kvm_lab) as driver:
        job = adopted(driver, operation)
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.ARRIVED) == []
    assert disks_of(kvm_lab, guest) == copies(guest)
    assert guest.is_beating()


@pytest.mark.parametrize("until", ["note", "switch"])
def test_a_controller_killed_before_or_after_the_copying_leaves_a_note_that_tells_what_to_do(kvm_lab: Lab, until: str) -> None:
    guest = guest_with(kvm_lab, BIG)
    killed_controller(kvm_lab, guest, until, bandwidth_mib_s=0)
    with driver_of(kvm_lab) as driver:
        assert driver.in_flight() == ()
        note = read_vm(driver, guest).note
        assert note is not None
        migration = dataclasses.replace(storage_move(guest, "hda", "hdb"), volumes=())  # all that the next run knows is the note
        if until == "note":
            assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
            assert driver.rollback(migration, note) == ()
            assert_untouched(kvm_lab, guest)
            return
        assert files(kvm_lab) == {*originals(guest).values(), *copies(guest).values()}
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        assert driver.finish(migration, note) == ()
        assert driver.finish(migration, note) == ()  # may be repeated
    assert disks_of(kvm_lab, guest) == copies(guest)
    assert files(kvm_lab) == set(copies(guest).values())


@pytest.mark.rule("CSH-35", sign="+")
def test_a_guest_with_one_disk_moved_is_no_success_and_the_next_run_moves_the_rest(kvm_lab: Lab) -> None:
    """As QEMU's end between two switches leaves it: here the guest is switched off when one disk has been switched by hand."""
    guest = guest_with(kvm_lab, BIG)
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hda", "hdb"), SLOW)
        with kvm_lab.hosts["kvm1"].connection() as connection:
            domain = connection.lookupByUUIDString(guest.uuid)
            wait_until(lambda: "ready='yes'" in domain.XMLDesc(0), "the first disk's copy", timeout_s=60)
            domain.blockJobAbort("hda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
            domain.destroy()
        assert "switched off" in wait_for_end(driver, job)[-1].message
        verification = driver.verify(job.migration, job.note)
        assert verification.verdict is Verdict.AT_SOURCE
        assert [reason.code for reason in verification.reasons] == ["power_state_differs", "partly_moved"]
        assert [reason.code for reason in driver.rollback(job.migration, job.note)] == []
        root, data = copies(guest)["hda"], originals(guest)["hdb"]
        assert files(kvm_lab) == {root, data}
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).create()
        guest.wait_beating()
        job = begin(driver, guest, storage_move(guest, "hdb"))
        wait_for_end(driver, job)
        assert expect(driver, job, Verdict.ARRIVED) == []
    assert disks_of(kvm_lab, guest) == copies(guest)
    assert files(kvm_lab) == set(copies(guest).values())


@pytest.mark.rule("CSK-17", sign="-")
def test_a_copy_that_is_not_what_was_planned_costs_no_old_file(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hdb"))
        wait_for_end(driver, job)
        planned = dataclasses.replace(job.note, volumes=tuple(dataclasses.replace(volume, format="qcow2") for volume in job.note.volumes))
        verification = driver.verify(job.migration, planned)
        assert verification.verdict is Verdict.ARRIVED
        assert [reason.code for reason in verification.reasons] == ["disks_differ"]
        assert [reason.code for reason in driver.finish(job.migration, planned)] == ["file_left"]
    assert files(kvm_lab) == {*originals(guest).values(), copies(guest)["hdb"]}
    assert guest.is_beating()


def test_a_definition_that_still_names_the_old_file_is_put_right_before_that_is_removed(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, DataDisk(data_mib=8))
    with driver_of(kvm_lab) as driver, kvm_lab.hosts["kvm1"].connection() as connection:
        job = begin(driver, guest, storage_move(guest, "hdb", to_format="qcow2"))
        wait_for_end(driver, job)
        domain = connection.lookupByUUIDString(guest.uuid)
        kept = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        connection.defineXML(kept.replace("/srv/local/data-hdb.qcow2", "/srv/shared/data-hdb.raw"))
        assert expect(driver, job, Verdict.ARRIVED) == []
        assert disks_of(kvm_lab, guest) == {**originals(guest), "hdb": "/srv/local/data-hdb.qcow2"}
        assert "/srv/shared/data-hdb.raw" not in files(kvm_lab)
        domain.destroy()
        domain.create()
    guest.wait_beating()


@pytest.mark.rule("CAS-26", sign="-")
def test_an_old_file_that_another_guest_uses_or_an_image_rests_on_is_left_and_named(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    other = kvm_lab.guest("other", "kvm2", start=False)
    make_image(kvm_lab, "/srv/local/clone.qcow2", "qcow2", 4, 0, base=(originals(guest)["hda"], "raw"))
    with kvm_lab.hosts["kvm2"].connection() as connection:
        xml = connection.lookupByUUIDString(other.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        connection.defineXML(xml.replace(f"/srv/shared/{other.spec.image_name}", "/srv/shared/data-hdb.raw"))
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.storagePoolLookupByName("local").refresh()
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hda", "hdb"))
        wait_for_end(driver, job)
        verification = driver.verify(job.migration, job.note)
        assert verification.verdict is Verdict.ARRIVED
        told = driver.finish(job.migration, job.note)
    assert [reason.code for reason in told] == ["file_left", "file_left"]
    assert "clone.qcow2" in told[0].message
    assert "VM other on kvm2" in told[1].message
    assert set(originals(guest).values()) < files(kvm_lab)


def test_a_block_job_of_a_colleague_is_left_alone(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    xml = "<disk type='file'><driver type='raw'/><source file='/srv/local/mine.raw'/></disk>"
    with kvm_lab.hosts["kvm1"].connection() as connection, driver_of(kvm_lab) as driver:
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.blockCopy("hdb", xml, {libvirt.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH: MIB}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
        assert driver.in_flight() == ()
        migration = storage_move(guest, "hda")
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["block_job_active"]
        note = driver.write_note(migration, note_of(migration, migration_type="storage"))
        assert driver.in_flight() == ()
        assert driver.rollback(migration, note) == ()
        assert "<mirror" in domain.XMLDesc(0)
        domain.blockJobAbort("hdb", 0)
    assert disks_of(kvm_lab, guest) == originals(guest)


def test_a_daemon_that_restarts_on_the_way_does_not_end_the_move(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, storage_move(guest, "hda", "hdb"), MoveOptions(bandwidth_mib_s=4))
        wait_for_copying(driver, job, at_least_bytes=8 * MIB)
        kvm_lab.hosts["kvm1"].restart_daemon()
        wait_for_end_in_spite_of_silence(driver, job)
        assert expect(driver, job, Verdict.ARRIVED) == []
    assert disks_of(kvm_lab, guest) == copies(guest)
    assert guest.is_beating()


def wait_for_end_in_spite_of_silence(driver: LibvirtDriver, job: Job) -> None:
    def has_ended() -> bool:
        try:
            return driver.poll([job])[0].ended
        except StateConflict:
            raise
        except Exception:  # noqa: BLE001 (the host does not answer for a moment)
            return False

    wait_until(has_ended, "the move to end", timeout_s=90)


def test_closing_the_driver_leaves_the_copying_alone(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    with driver_of(kvm_lab) as first:
        job = begin(first, guest, storage_move(guest, "hdb"), MoveOptions(bandwidth_mib_s=4))
        wait_for_copying(first, job)
    time.sleep(0.5)
    with driver_of(kvm_lab) as second:
        (found,) = second.in_flight()
        again = second.adopt(found)
        wait_for_end(second, again)
        assert expect(second, again, Verdict.ARRIVED) == []
    assert disks_of(kvm_lab, guest)["hdb"] == copies(guest)["hdb"]
    assert files(kvm_lab) == {originals(guest)["hda"], copies(guest)["hdb"]}


def test_a_suspended_move_whose_controller_is_killed_lets_the_guest_run_again(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    with driver_of(kvm_lab) as driver:
        migration = storage_move(guest, "hdb", mode=Mode.SUSPENDED)
        note = driver.write_note(migration, note_of(migration, migration_type="storage", mode="suspended"))
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).suspend()  # as far as the killed one came
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert_untouched(kvm_lab, guest)
