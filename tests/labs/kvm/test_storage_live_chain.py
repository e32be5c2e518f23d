# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linked clones and their templates: what libvirt would lose in silence is refused, or copied first, once, and proven to be the same."""

from __future__ import annotations

import threading
import time

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.stream_copy import CopyControl
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, VerifyCopy

from tests.labs.kvm.driver_world import driver_of, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import (
    LOCAL,
    TEMPLATE,
    DataDisk,
    contents,
    files_of,
    guest_with_disks,
    image_info,
    move_with_storage,
    note_for,
    pause,
    put_template,
    secrets_of,
    storage_move,
)

pytestmark = pytest.mark.kvm


def stayed(driver: LibvirtDriver, guest: Guest, migration: Migration, options: MoveOptions | None = None) -> str:
    """Try a move that may not succeed, roll it back, and give what was said."""
    note = note_for(driver, guest, migration)
    message = wait_for_end(driver, driver.start(migration, note, options or MoveOptions()))[-1].message
    assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
    assert driver.rollback(migration, note) == ()
    return message


@pytest.mark.rule("CSK-15", sign="-")
def test_bare_libvirt_loses_the_templates_data_and_we_do_not(kvm_lab: Lab) -> None:
    """The destination has an image of the right size without the template below it: libvirt succeeds, and what only the template held is gone."""
    lost, kept = (guest_with_disks(kvm_lab, name, "kvm1", root="linked") for name in ("lost", "kept"))
    source, target = kvm_lab.hosts["kvm1"], kvm_lab.hosts["kvm2"]
    for guest in (lost, kept):
        pause(kvm_lab, guest, "kvm1")
    before = contents(kvm_lab, lost, "kvm1")
    target.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{LOCAL}/{lost.image.stem}.qcow2", f"{lost.spec.disk_mib}M"])
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_NON_SHARED_INC
    with source.connection() as connection:
        connection.lookupByUUIDString(lost.uuid).migrateToURI3(target.peer_uri(), {}, flags)
    assert kvm_lab.where(lost)["kvm2"] == ("paused", True)
    assert contents(kvm_lab, lost, "kvm2") != before, "libvirt does not lose data any more: this trap is closed"

    before = contents(kvm_lab, kept, "kvm1")
    with driver_of(kvm_lab) as driver:
        move_with_storage(driver, kept, storage_move(driver, kept, "kvm1", "kvm2"))
    assert contents(kvm_lab, kept, "kvm2") == before


@pytest.mark.rule("CSK-11", sign="+")
@pytest.mark.rule("CSK-10", sign="+")
@pytest.mark.parametrize("how", list(VerifyCopy))
def test_a_template_that_the_destination_lacks_is_copied_before_the_guest(kvm_lab: Lab, how: VerifyCopy) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", data=(DataDisk(),))
    pause(kvm_lab, guest, "kvm1")
    before = contents(kvm_lab, guest, "kvm1")
    with driver_of(kvm_lab) as driver:
        note = move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"), MoveOptions(verify_copy=how))
    assert note.created == (f"{LOCAL}/{TEMPLATE}",)
    assert contents(kvm_lab, guest, "kvm2") == before
    copied, original = (kvm_lab.hosts[host].pool_folder("local") / TEMPLATE for host in ("kvm2", "kvm1"))
    assert copied.read_bytes() == original.read_bytes()
    assert secrets_of(kvm_lab.hosts["kvm2"]) == []


@pytest.mark.rule("CSK-11", sign="+")
def test_a_template_is_copied_once_for_guests_that_move_at_once(kvm_lab: Lab) -> None:
    guests = [guest_with_disks(kvm_lab, name, "kvm1", root="linked") for name in ("web1", "web2")]
    inode: list[int] = []
    with driver_of(kvm_lab) as driver:
        moves = [storage_move(driver, guest, "kvm1", "kvm2") for guest in guests]
        notes = [note_for(driver, guest, migration) for guest, migration in zip(guests, moves, strict=True)]
        jobs = [driver.start(migration, note, MoveOptions()) for migration, note in zip(moves, notes, strict=True)]
        watcher = threading.Thread(target=lambda: inode.append(_inode_of_template(kvm_lab)))
        watcher.start()
        for job in jobs:
            wait_for_end(driver, job)
        watcher.join()
        assert [driver.verify(job.migration, job.note).reasons for job in jobs] == [(), ()]
        assert [driver.finish(job.migration, job.note) for job in jobs] == [(), ()]
    assert _inode_of_template(kvm_lab) == inode[0]
    assert kvm_lab.placements()["kvm2"] == ["web1", "web2"]
    assert files_of(kvm_lab.hosts["kvm1"]) == {TEMPLATE}
    assert secrets_of(kvm_lab.hosts["kvm2"]) == []


def _inode_of_template(lab: Lab) -> int:
    """The number of the first file that has that name on the destination."""
    path = lab.hosts["kvm2"].pool_folder("local") / TEMPLATE
    while not path.exists():
        pass
    return path.stat().st_ino


@pytest.mark.rule("CSK-11", sign="-")
@pytest.mark.rule("CSK-15", sign="-")
def test_another_template_of_the_same_name_and_size_is_refused(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked")
    put_template(kvm_lab, "kvm1", "kvm2")
    other = kvm_lab.hosts["kvm2"].pool_folder("local") / TEMPLATE
    content = bytearray(other.read_bytes())
    content[-1] ^= 1
    other.write_bytes(content)
    with driver_of(kvm_lab) as driver:
        assert "template_mismatch" in stayed(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert files_of(kvm_lab.hosts["kvm2"]) == {TEMPLATE}
    assert secrets_of(kvm_lab.hosts["kvm2"]) == []


@pytest.mark.rule("CSK-15", sign="-")
def test_a_template_of_another_size_is_told_by_the_check(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked")
    target = kvm_lab.hosts["kvm2"]
    target.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{LOCAL}/{TEMPLATE}", "64M"])
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["template_mismatch"]
        with pytest.raises(StateConflict, match="size 4194304 and 67108864"):
            note_for(driver, guest, migration)
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


def make_chain(lab: Lab, guest: Guest, host: str, *, folder: str = LOCAL) -> None:
    """Put a middle image between a stopped linked clone and its template."""
    where = lab.hosts[host]
    top = f"{LOCAL}/{guest.image.stem}.qcow2"
    where.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{LOCAL}/{TEMPLATE}", f"{folder}/middle.qcow2"])
    where.run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", f"{folder}/middle.qcow2", top])
    with where.connection() as connection:
        for pool in connection.listAllStoragePools():
            pool.refresh()
        connection.lookupByUUIDString(guest.uuid).create()
    guest.wait_beating()


@pytest.mark.rule("CSK-09", sign="+")
@pytest.mark.rule("CSK-15", sign="+")
def test_a_chain_of_several_images_arrives_whole(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", start=False)
    make_chain(kvm_lab, guest, "kvm1")
    pause(kvm_lab, guest, "kvm1")
    before = contents(kvm_lab, guest, "kvm1")
    with driver_of(kvm_lab) as driver:
        note = move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
    assert note.created == (f"{LOCAL}/{TEMPLATE}", f"{LOCAL}/middle.qcow2")
    assert image_info(kvm_lab, "kvm2", note.volumes[0].target_path)["backing-filename"] == f"{LOCAL}/middle.qcow2"
    assert contents(kvm_lab, guest, "kvm2") == before


@pytest.mark.rule("CSK-09", sign="-")
@pytest.mark.rule("CSK-16", sign="-")
def test_a_chain_that_could_not_rest_on_itself_at_its_new_place_is_refused_but_may_be_flattened(kvm_lab: Lab) -> None:
    """A middle image keeps the path of the template inside; in another folder it would rest on a file that is not there."""
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", start=False)
    make_chain(kvm_lab, guest, "kvm1")
    target = kvm_lab.hosts["kvm2"]
    (target.pool_folder("local") / "ssd").mkdir()
    with target.connection() as connection:
        connection.storagePoolDefineXML(f"<pool type='dir'><name>ssd</name><target><path>{LOCAL}/ssd</path></target></pool>").create()
    with driver_of(kvm_lab) as driver:
        pools = {"hda": "kvm2/ssd"}
        codes = [reason.code for reason in driver.check(storage_move(driver, guest, "kvm1", "kvm2", pools=pools), MoveOptions())]
        assert codes == ["backing_chain_path"]
        note = move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2", pools=pools, flatten=True))
    assert "backing-filename" not in image_info(kvm_lab, "kvm2", note.volumes[0].target_path)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert files_of(kvm_lab.hosts["kvm1"]) == {TEMPLATE, "middle.qcow2"}


@pytest.mark.rule("CSK-10", sign="-")
def test_a_name_that_is_taken_is_refused_and_the_file_stays(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked")
    other = kvm_lab.hosts["kvm2"].pool_folder("local") / f"{guest.image.stem}.qcow2"
    other.write_bytes(b"somebody's")
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["target_name_taken"]
        with pytest.raises(StateConflict, match="already"):
            note_for(driver, guest, migration)
    assert other.read_bytes() == b"somebody's"
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


def test_a_move_that_is_cancelled_while_its_template_is_copied_leaves_nothing(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked")
    target, real = kvm_lab.hosts["kvm2"], CopyControl.passed

    def slowly(control: CopyControl, piece: bytes | int) -> None:
        time.sleep(0.5)
        real(control, piece)

    monkeypatch.setattr(CopyControl, "passed", slowly)
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        job = driver.start(migration, note, MoveOptions())
        while TEMPLATE not in files_of(target):
            sample = driver.poll([job])[0]
            assert (sample.ended, sample.phase) == (False, Phase.PREPARING)
        assert secrets_of(target) == [f"vmops/partial/local/{TEMPLATE}"]
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert (files_of(target), secrets_of(target)) == (set(), [])


def test_a_template_copy_that_another_image_rests_on_by_now_survives_the_rollback(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", data=(DataDisk(),), dirty_mib_s=4)
    target = kvm_lab.hosts["kvm2"]
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=2))
        while TEMPLATE not in files_of(target) or not any(sample.total_bytes and sample.phase.value == "copying" for sample in driver.poll([job])):
            pass
        target.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{LOCAL}/{TEMPLATE}", f"{LOCAL}/others.qcow2"])
        with target.connection() as connection:
            connection.storagePoolLookupByName("local").refresh()
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert files_of(target) == {TEMPLATE, "others.qcow2"}
    assert secrets_of(target) == []
