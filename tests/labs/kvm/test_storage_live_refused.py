# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live moves with storage that are refused, cancelled or fail: the guest runs at its source, and the destination is as it was."""

from __future__ import annotations

import dataclasses
import shutil
import time
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt import progress
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Progress
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.commands import run
from tests.labs.kvm.driver_world import SwitchWonError, driver_of, migration_of, note_of, until_the_cancel_wins, wait_for_end
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import (
    LOCAL,
    TEMPLATE,
    DataDisk,
    extra_pool,
    files_of,
    guest_with_disks,
    image_info,
    move_with_storage,
    note_for,
    pause,
    relocate,
    secrets_of,
    storage_move,
)

pytestmark = pytest.mark.kvm


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The hypervisor's own figures of the newest sample."""
    seen: dict[str, Any] = {}
    real = progress.to_progress

    def remembered(*arguments: Any) -> Progress:
        seen.clear()
        seen.update(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(progress, "to_progress", remembered)
    return seen


def percent_of(stats: dict[str, Any], phase: str) -> float:
    """How much of the disks, or of the memory, is copied; nothing before its phase and after it."""
    total, remaining = stats.get(f"{phase}_total", 0), stats.get(f"{phase}_remaining", 0)
    if not total or (phase == "disk" and stats.get("memory_total", 0)):
        return -1.0
    return 100.0 * (total - remaining) / total


def wait_for(driver: LibvirtDriver, job: Job, reached: Callable[[], bool]) -> Progress:
    """Poll until then (SwitchWonError: the move ended before)."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        sample = driver.poll([job])[0]
        if sample.ended:
            raise SwitchWonError(str(sample))
        if reached():
            return sample
    raise AssertionError("not reached")


@pytest.mark.rule("CAS-08", sign="+")
@pytest.mark.rule("CAS-26", sign="+")
@pytest.mark.parametrize("root", ["raw", "linked"])
@pytest.mark.parametrize("percent", [10, 50, 90])
@pytest.mark.parametrize("phase", ["disk", "memory"])
@pytest.mark.matrix
def test_a_cancelled_move_leaves_the_guest_at_its_source_and_a_clean_destination(
    kvm_lab: Lab, stats: dict[str, Any], root: str, percent: int, phase: str
) -> None:
    until_the_cancel_wins(kvm_lab, lambda: cancel_at(kvm_lab, stats, root, percent, phase))


def cancel_at(lab: Lab, stats: dict[str, Any], root: str, percent: int, phase: str) -> None:
    # A phase lasts some ten seconds: so much is written to the disk, or kept in the guest's memory, at a capped bandwidth.
    data, memory, speed = (DataDisk(96, 64), 16, 8) if phase == "disk" else (DataDisk(8, 1), 24, 2)
    guest = guest_with_disks(lab, "web1", "kvm1", root=root, data=(data,), dirty_mib_s=1, working_set_mib=memory)
    before = files_of(lab.hosts["kvm1"])
    with driver_of(lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=speed))
        sample = wait_for(driver, job, lambda: percent_of(stats, phase) >= percent)
        print(f"{phase} at {percent_of(stats, phase):.1f} %: {sample}")
        driver.cancel(job)
        wait_for_end(driver, job)
        verdict = driver.verify(migration, note).verdict
        if verdict is Verdict.ARRIVED:
            raise SwitchWonError(str(sample))
        assert verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
        assert driver.rollback(migration, note) == ()  # once more does no harm
    assert lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert guest.faults() == []
    assert (files_of(lab.hosts["kvm1"]), files_of(lab.hosts["kvm2"])) == (before, set())
    assert secrets_of(lab.hosts["kvm2"]) == []


def test_disks_count_as_much_as_memory_in_the_progress(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(32, 16),))
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        samples = [sample for sample in wait_for_end(driver, driver.start(migration, note, MoveOptions(bandwidth_mib_s=8))) if sample.total_bytes > 1 << 24]
        driver.finish(migration, note)
    percents = [sample.percent for sample in samples]
    # It falls back a little where the guest writes, and never by what a phase holds.
    assert all(later > earlier - 2 for earlier, later in pairwise(percents)), percents
    assert percents[0] < 50 < percents[-1]


@pytest.mark.rule("CSK-12", sign="-")
def test_a_destination_without_the_room_is_refused(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(1 << 22, 0),))  # of 4 TiB, as its guest sees it
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["pool_full"]
    assert files_of(kvm_lab.hosts["kvm2"]) == set()


@pytest.mark.rule("CSK-16", sign="-")
def test_a_plan_that_does_not_say_how_disks_are_copied_is_refused(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        undecided = dataclasses.replace(migration, disk_copy=DiskCopy.NONE)
        assert [reason.code for reason in driver.check(undecided, MoveOptions())] == ["disk_copy_undefined"]


def test_a_pool_that_the_destination_lacks_or_has_stopped_is_refused(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1")
    extra_pool(kvm_lab.hosts["kvm2"], "ssd")
    with driver_of(kvm_lab) as driver:
        absent = storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "kvm2/hdd"})
        stopped = storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "kvm2/ssd"})
        with kvm_lab.hosts["kvm2"].connection() as connection:
            connection.storagePoolLookupByName("ssd").destroy()
        for migration in (absent, stopped):
            assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["pool_not_on_host"]


def test_the_check_writes_nothing(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", data=(DataDisk(),))
    pause(kvm_lab, guest, "kvm1")
    before = kvm_lab.snapshot_state()
    with driver_of(kvm_lab) as driver:
        assert driver.check(storage_move(driver, guest, "kvm1", "kvm2"), MoveOptions()) == ()
    assert kvm_lab.snapshot_state() == before


@pytest.mark.rule("PCD-14", sign="-")
@pytest.mark.parametrize("kind", ["host", "host_storage"])
def test_two_pools_of_one_name_and_uuid_are_told_apart_by_a_file(kvm_lab: Lab, kind: str) -> None:
    """A definition copied from host to host: same name, same UUID, same path, even a file of the same name; and not the same storage."""
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(8, 2, "raw"),), start=False)
    twin = str(uuid.uuid4())
    here, there = (extra_pool(kvm_lab.hosts[host], "twin", uuid=twin) for host in ("kvm1", "kvm2"))
    name = f"{guest.spec.file_stem}-data0.raw"
    shutil.copyfile(kvm_lab.hosts["kvm1"].pool_folder("local") / name, there / name)
    relocate(kvm_lab, guest, "kvm1", name, "local/twin")
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2") if kind == "host" else storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "kvm2/local"})
        note = driver.write_note(migration, note_of(migration))
        message = wait_for_end(driver, driver.start(migration, note, MoveOptions()))[-1].message
        assert "pool_not_shared" in message
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert files_of(kvm_lab.hosts["kvm2"]) == {name}
    assert {path.name for path in here.iterdir()} == {name}


@pytest.mark.parametrize("what", ["a disk that stays", "a template"])
def test_a_cold_move_proves_what_both_hosts_read_in_place_before_anything_stops(kvm_lab: Lab, what: str) -> None:
    """The same pool by name, UUID and path, and not the same storage: the VM would start over another file, and lose its own."""
    twin = str(uuid.uuid4())
    here, there = (extra_pool(kvm_lab.hosts[host], "twin", uuid=twin) for host in ("kvm1", "kvm2"))
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(8, 2, "raw"),), start=False)
    name = f"{guest.spec.file_stem}-data0.raw"
    local = kvm_lab.hosts["kvm1"].pool_folder("local")
    if what == "a template":
        shutil.move(local / name, here / "base.raw")
        (there / "base.raw").write_bytes(bytes((here / "base.raw").stat().st_size))
        overlay = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f"{LOCAL}/twin/base.raw", f"{LOCAL}/{guest.spec.file_stem}-data0.qcow2"]
        kvm_lab.hosts["kvm1"].run(overlay)
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.storagePoolLookupByName("local").refresh()
            connection.storagePoolLookupByName("twin").refresh()
            xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            whole = xml.replace(f"{LOCAL}/{name}", f"{LOCAL}/{name.replace('.raw', '.qcow2')}")
            first, _driver, second = whole.rpartition("type='raw'")
            connection.defineXML(f"{first}type='qcow2'{second}").create()
        with kvm_lab.hosts["kvm2"].connection() as connection:
            connection.storagePoolLookupByName("twin").refresh()
        guest.wait_beating()
    else:
        shutil.copyfile(local / name, there / name)
        relocate(kvm_lab, guest, "kvm1", name, "local/twin")
    with driver_of(kvm_lab) as driver:
        pools = None if what == "a template" else {"hda": "kvm2/local"}
        migration = storage_move(driver, guest, "kvm1", "kvm2", pools=pools, mode=Mode.COLD)
        note = note_for(driver, guest, migration)
        with pytest.raises(MigrationError) as caught:
            driver.start(migration, note, MoveOptions(shutdown_seconds=0.2))
        assert caught.value.code == "pool_not_shared"
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert (guest.restarts(), guest.faults()) == (0, [])


@pytest.mark.parametrize("kind", ["host", "host_storage"])
def test_a_shared_pool_that_the_daemons_may_not_write_to_is_told_and_trusted_for_disks_in_place_only(kvm_lab: Lab, kind: str) -> None:
    """As NFS with root_squash: the guest writes to its file, root makes none."""
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(8, 2, "raw"),), start=False)
    name = f"{guest.spec.file_stem}-data0.raw"
    shared = kvm_lab.hosts["kvm1"].pool_folder("shared")
    if kind == "host":
        kvm_lab.hosts["kvm1"].run(["mv", f"{LOCAL}/{guest.image.name}", f"/srv/shared/{guest.image.name}"])
        with kvm_lab.hosts["kvm1"].connection() as connection:
            xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            connection.defineXML(xml.replace(f"{LOCAL}/{guest.image.name}", f"/srv/shared/{guest.image.name}"))
    relocate(kvm_lab, guest, "kvm1", name, "shared")
    run(["chattr", "+i", str(shared)])
    try:
        with driver_of(kvm_lab) as driver:
            migration = migration_of(guest, "kvm1", "kvm2") if kind == "host" else storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "kvm2/local"})
            note = driver.write_note(migration, note_of(migration))
            message = wait_for_end(driver, driver.start(migration, note, MoveOptions()))[-1].message
            end = driver.finish if kind == "host" else driver.rollback
            expected = Verdict.ARRIVED if kind == "host" else Verdict.AT_SOURCE
            assert driver.verify(migration, note).verdict is expected, message
            assert [reason.code for reason in end(migration, note)] == (["sharing_unproven"] if kind == "host" else [])
            assert ("sharing_unproven" in message) is (kind == "host_storage")
    finally:
        run(["chattr", "-i", str(shared)])
    assert kvm_lab.where(guest) == {"kvm2" if kind == "host" else "kvm1": ("running", True)}


@pytest.mark.rule("CSK-17", sign="-")
def test_source_files_stay_where_the_destination_is_not_as_planned(kvm_lab: Lab) -> None:
    """Somebody changes the definition on the destination between the arrival and the cleaning."""
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(),))
    before = files_of(kvm_lab.hosts["kvm1"])
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        wait_for_end(driver, driver.start(migration, note, MoveOptions()))
        with kvm_lab.hosts["kvm2"].connection() as connection:
            xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            connection.defineXML(xml.replace(note.volumes[1].target_path, f"{LOCAL}/elsewhere.qcow2"))
        verification = driver.verify(migration, note)
        assert verification.verdict is Verdict.ARRIVED
        assert [reason.code for reason in verification.reasons] == ["disks_differ"]
        assert {reason.code for reason in driver.finish(migration, note)} == {"disks_differ", "source_disks_kept"}
    assert files_of(kvm_lab.hosts["kvm1"]) == before


@pytest.mark.rule("CSK-17", sign="-")
def test_a_source_file_that_another_guest_uses_is_never_removed(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(),))
    other = guest_with_disks(kvm_lab, "web2", "kvm1", start=False)
    with kvm_lab.hosts["kvm1"].connection() as connection:
        xml = connection.lookupByUUIDString(other.uuid).XMLDesc(0)
        connection.defineXML(xml.replace(f"{LOCAL}/{other.image.name}", f"{LOCAL}/{guest.image.name}"))
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        wait_for_end(driver, driver.start(migration, note, MoveOptions()))
        assert driver.verify(migration, note).reasons == ()
        (reason,) = driver.finish(migration, note)
    assert (reason.code, guest.image.name in reason.message, "web2" in reason.message) == ("source_in_use", True, True)
    assert files_of(kvm_lab.hosts["kvm1"]) == {guest.image.name, other.image.name}


@pytest.mark.rule("CSK-11", sign="-")
def test_a_template_whose_copying_another_controller_is_at_is_waited_for_and_then_left_to_it(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked")
    usage = f"vmops/partial/local/{TEMPLATE}"
    with kvm_lab.hosts["kvm2"].connection() as connection:
        text = '{"path":"/x","subject":"another","operation_id":"theirs","controller":{"host":"elsewhere","boot_id":"b","pid":7}}'
        connection.secretDefineXML(f"<secret><description>{text}</description><usage type='ceph'><name>{usage}</name></usage></secret>")
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        message = wait_for_end(driver, driver.start(migration, note, MoveOptions(claim_wait_seconds=1)))[-1].message
        assert "operation_in_progress" in message
        assert driver.rollback(migration, note) == ()
    assert secrets_of(kvm_lab.hosts["kvm2"]) == [usage]
    assert files_of(kvm_lab.hosts["kvm2"]) == set()


@pytest.mark.rule("CAS-26", sign="-")
def test_files_that_a_rollback_could_not_reach_are_replaced_by_the_guests_next_move(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(32, 16),), dirty_mib_s=2)
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=4))
        wait_for(driver, job, lambda: bool(files_of(kvm_lab.hosts["kvm2"])))
        kvm_lab.hosts["kvm2"].kill_daemon()
        driver.cancel(job)
        wait_for_end(driver, job)
        left = driver.rollback(migration, note)
        assert {reason.code for reason in left} == {"leftover_unproven"}
        assert all(any(volume.target_path in reason.message for reason in left) for volume in note.volumes), "what is left is named"
    kvm_lab.hosts["kvm2"].start_daemon()
    assert files_of(kvm_lab.hosts["kvm2"]) != set()
    with driver_of(kvm_lab) as driver:
        again = storage_move(driver, guest, "kvm1", "kvm2")
        second = note_for(driver, guest, again, operation_id="second")
        wait_for_end(driver, driver.start(again, second, MoveOptions()))
        assert (driver.verify(again, second).reasons, driver.finish(again, second)) == ((), ())
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert secrets_of(kvm_lab.hosts["kvm2"]) == []


@pytest.mark.rule("CSK-10", sign="+")
def test_what_a_qcow2_image_is_inside_is_kept(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", start=False)
    path = f"{LOCAL}/{guest.image.stem}.qcow2"
    options = "cluster_size=131072,lazy_refcounts=on"
    kvm_lab.hosts["kvm1"].run(["qemu-img", "convert", "-O", "qcow2", "-o", options, f"{LOCAL}/{guest.image.name}", path])
    (kvm_lab.hosts["kvm1"].pool_folder("local") / guest.image.name).unlink()
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.storagePoolLookupByName("local").refresh()
        xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(0).replace(f"{LOCAL}/{guest.image.name}", path).replace("type='raw'", "type='qcow2'")
        connection.defineXML(xml).create()
    guest.wait_beating()
    with driver_of(kvm_lab) as driver:
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2", mode=Mode.LIVE))
    info = image_info(kvm_lab, "kvm2", path)
    assert (info["cluster-size"], info["format-specific"]["data"]["compat"], info["format-specific"]["data"]["lazy-refcounts"]) == (131072, "1.1", True)
