# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage moves on one host that cannot be: said before anything is written, and files of others in the way stay."""

from __future__ import annotations

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.block_world import (
    DataDisk,
    begin,
    content,
    files,
    guest_with,
    make_image,
    small_pool,
    storage_move,
)
from tests.labs.kvm.driver_world import driver_of, note_of, read_vm
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

BIG = DataDisk(data_mib=24)


def originals(guest: Guest) -> dict[str, str]:
    return {"hda": f"/srv/shared/{guest.spec.image_name}", "hdb": "/srv/shared/data-hdb.raw"}


def without_note(driver: LibvirtDriver, guest: Guest) -> bool:
    return read_vm(driver, guest).note is None


@pytest.mark.rule("CAS-16", sign="-")
@pytest.mark.parametrize(("size_mib", "to_format", "refused"), [(36, "", True), (37, "", False), (71, "qcow2", True), (73, "qcow2", False)])
def test_a_pool_without_the_room_is_refused_before_anything_is_written(kvm_lab: Lab, size_mib: int, to_format: str, refused: bool) -> None:
    guest = guest_with(kvm_lab, BIG)
    with small_pool(kvm_lab, size_mib), driver_of(kvm_lab) as driver:
        before = kvm_lab.snapshot_state()
        reasons = driver.check(storage_move(guest, "hda", "hdb", to="kvm1/small", to_format=to_format), MoveOptions())
        assert [reason.code for reason in reasons] == (["insufficient_storage"] if refused else [])
        assert kvm_lab.snapshot_state() == before


def test_a_file_of_somebody_else_in_the_way_is_refused_and_stays(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    make_image(kvm_lab, "/srv/local/data-hdb.raw", "raw", 32, 1)
    before = content(kvm_lab, "/srv/local/data-hdb.raw", "raw")
    with driver_of(kvm_lab) as driver:
        migration = storage_move(guest, "hdb")
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["volume_exists"]
        with pytest.raises(StateConflict, match="is there already"):
            begin(driver, guest, migration)
        assert without_note(driver, guest)
    assert content(kvm_lab, "/srv/local/data-hdb.raw", "raw") == before


def test_a_file_of_somebody_else_that_comes_after_the_note_stays_too(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    with driver_of(kvm_lab) as driver:
        migration = storage_move(guest, "hda", "hdb")
        note = driver.write_note(migration, note_of(migration, migration_type="storage"))
        make_image(kvm_lab, "/srv/local/data-hdb.raw", "raw", 32, 1)
        with pytest.raises(StateConflict, match="is there already"):
            driver.start(migration, note, MoveOptions())
        found = read_vm(driver, guest).note
        assert found is not None
        assert driver.rollback(migration, found) == ()
    assert files(kvm_lab) == {*originals(guest).values(), "/srv/local/data-hdb.raw"}


@pytest.mark.rule("CAS-19", sign="-")
def test_a_guest_with_snapshots_is_refused(kvm_lab: Lab) -> None:
    """A mirror copies what the disk holds now: the snapshots inside the old file would be lost with it."""
    guest = guest_with(kvm_lab, DataDisk(format="qcow2"))
    with kvm_lab.hosts["kvm1"].connection() as connection:
        xml = "<domainsnapshot><name>before</name><disks><disk name='hda' snapshot='no'/><disk name='hdb' snapshot='external'/></disks></domainsnapshot>"
        connection.lookupByUUIDString(guest.uuid).snapshotCreateXML(xml, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
    with driver_of(kvm_lab) as driver:
        assert [reason.code for reason in driver.check(storage_move(guest, "hdb"), MoveOptions())] == ["has_snapshots"]


@pytest.mark.parametrize(
    ("devices", "change", "code"),
    [
        (["hdz"], {}, "volume_unknown"),
        (["hdb"], {"to": "kvm1/nowhere"}, "pool_not_on_host"),
        (["hdb"], {"to": "kvm2/local"}, "pool_not_on_host"),
        (["hdb"], {"to_format": "vmdk"}, "format_unsupported"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(kvm_lab: Lab, devices: list[str], change: dict[str, str], code: str) -> None:
    guest = guest_with(kvm_lab, BIG)
    with driver_of(kvm_lab) as driver:
        before = kvm_lab.snapshot_state()
        assert [reason.code for reason in driver.check(storage_move(guest, *devices, **change), MoveOptions())] == [code]  # type: ignore[arg-type]
        assert kvm_lab.snapshot_state() == before


def test_a_pool_that_is_not_active_is_refused(kvm_lab: Lab) -> None:
    guest = guest_with(kvm_lab, BIG)
    with small_pool(kvm_lab, 64), driver_of(kvm_lab) as driver:
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.storagePoolLookupByName("small").destroy()
        assert [reason.code for reason in driver.check(storage_move(guest, "hdb", to="kvm1/small"), MoveOptions())] == ["pool_not_on_host"]


@pytest.mark.rule("CAS-47", sign="-")
def test_a_linked_clone_that_stays_one_keeps_its_format(kvm_lab: Lab) -> None:
    make_image(kvm_lab, "/srv/shared/template.raw", "raw", 16, 4)
    guest = guest_with(kvm_lab, DataDisk(format="qcow2", size_mib=16, data_mib=2, base=("/srv/shared/template.raw", "raw")))
    migration = storage_move(guest, "hdb", to_format="raw", copy=DiskCopy.INCREMENTAL)
    with driver_of(kvm_lab) as driver:
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["format_change_with_backing"]
