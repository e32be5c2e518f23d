# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running guests move to another host with their disks: several at once, other pools and formats, whole or over a base; and every byte arrives."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, Transport

from tests.labs.kvm.driver_world import driver_of, read_vm
from tests.labs.kvm.image import count_on_disk
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import (
    LOCAL,
    TEMPLATE,
    DataDisk,
    allocated_mib,
    contents,
    extra_pool,
    files_of,
    guest_with_disks,
    image_info,
    move_with_storage,
    pause,
    put_template,
    relocate,
    secrets_of,
    shared_pools,
    storage_move,
)

pytestmark = pytest.mark.kvm


@pytest.mark.rule("CSK-12", sign="+")
@pytest.mark.rule("CSK-17", sign="+")
@pytest.mark.rule("CSK-13", sign="+")
@pytest.mark.parametrize("root", ["raw", "qcow2"])
def test_a_running_guest_moves_with_all_its_disks_and_never_stops(kvm_lab: Lab, root: str) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root=root, data=(DataDisk(), DataDisk(format="raw")), autostart=True, dirty_mib_s=2)
    names = files_of(kvm_lab.hosts["kvm1"])
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        assert migration.disk_copy is DiskCopy.FULL
        move_with_storage(driver, guest, migration)
        vm = read_vm(driver, guest)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert (vm.autostart, vm.note, {volume.pool for volume in vm.volumes}) == (True, None, {"kvm2/local"})
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])
    assert (files_of(kvm_lab.hosts["kvm1"]), files_of(kvm_lab.hosts["kvm2"])) == (set(), names)
    assert (secrets_of(kvm_lab.hosts["kvm1"]), secrets_of(kvm_lab.hosts["kvm2"])) == ([], [])


@pytest.mark.rule("CSK-12", sign="+")
@pytest.mark.parametrize("root", ["raw", "qcow2", "linked"])
def test_every_disk_holds_the_same_bytes_afterwards(kvm_lab: Lab, root: str) -> None:
    """The guest is paused, so that nothing is written while the disks are compared; it arrives paused."""
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root=root, data=(DataDisk(), DataDisk(format="raw")))
    pause(kvm_lab, guest, "kvm1")
    before = contents(kvm_lab, guest, "kvm1")
    with driver_of(kvm_lab) as driver:
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
    assert kvm_lab.where(guest) == {"kvm2": ("paused", True)}
    assert len(set(before.values())) == 3
    assert contents(kvm_lab, guest, "kvm2") == before


def test_sparse_disks_stay_sparse(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(256, 4), DataDisk(256, 4, "raw")))
    source, target = kvm_lab.hosts["kvm1"].pool_folder("local"), kvm_lab.hosts["kvm2"].pool_folder("local")
    before = {path.name: allocated_mib(path) for path in source.iterdir()}
    with driver_of(kvm_lab) as driver:
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
    after = {path.name: allocated_mib(path) for path in target.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[name] < before[name] + 2 for name in before), (before, after)


@pytest.mark.rule("CSK-09", sign="+")
@pytest.mark.rule("CSK-10", sign="+")
@pytest.mark.rule("CSK-16", sign="+")
def test_a_linked_clone_stays_one_over_the_same_template(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", data=(DataDisk(),), disk_mib=8)
    put_template(kvm_lab, "kvm1", "kvm2")
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        assert migration.disk_copy is DiskCopy.INCREMENTAL
        note = move_with_storage(driver, guest, migration)
    info = image_info(kvm_lab, "kvm2", note.volumes[0].target_path)
    assert note.created == ()
    assert (info["backing-filename"], info["backing-filename-format"], info["virtual-size"]) == (f"{LOCAL}/{TEMPLATE}", "qcow2", 8 << 20)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert guest.faults() == []
    assert files_of(kvm_lab.hosts["kvm1"]) == {TEMPLATE}


@pytest.mark.rule("CSK-16", sign="+")
def test_a_linked_clone_that_is_flattened_rests_on_nothing(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked")
    pause(kvm_lab, guest, "kvm1")
    before = contents(kvm_lab, guest, "kvm1")
    with driver_of(kvm_lab) as driver:
        note = move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2", flatten=True))
    assert "backing-filename" not in image_info(kvm_lab, "kvm2", note.volumes[0].target_path)
    assert contents(kvm_lab, guest, "kvm2") == before
    assert files_of(kvm_lab.hosts["kvm2"]) == {note.volumes[0].target_path.rpartition("/")[2]}


def test_disks_go_to_other_pools_under_other_paths_and_in_another_format(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="qcow2", data=(DataDisk(),))
    ssd = extra_pool(kvm_lab.hosts["kvm2"], "ssd")
    pause(kvm_lab, guest, "kvm1")
    before = contents(kvm_lab, guest, "kvm1")
    with driver_of(kvm_lab) as driver:
        pools = {"hda": "kvm2/ssd", "hdb": "kvm2/local"}
        note = move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2", pools=pools, formats={"hda": "raw"}))
        volumes = {volume.device: (volume.pool, volume.format) for volume in read_vm(driver, guest).volumes}
    assert volumes == {"hda": ("kvm2/ssd", "raw"), "hdb": ("kvm2/local", "qcow2")}
    assert {path.name for path in ssd.iterdir()} == {note.volumes[0].target_path.rpartition("/")[2]}
    assert note.volumes[0].target_path.endswith(".raw")
    assert contents(kvm_lab, guest, "kvm2") == before


@pytest.mark.rule("PCD-14", sign="+")
def test_a_disk_in_a_shared_pool_stays_there_while_the_other_is_copied(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(format="raw"),), start=False)
    data = f"{guest.spec.file_stem}-data0.raw"
    relocate(kvm_lab, guest, "kvm1", data, "shared")
    with driver_of(kvm_lab) as driver:
        note = move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "kvm2/local"}))
        volumes = {volume.device: volume.pool for volume in read_vm(driver, guest).volumes}
    assert [volume.device for volume in note.volumes] == ["hda"]
    assert volumes == {"hda": "kvm2/local", "hdb": "shared"}
    assert {path.name for path in kvm_lab.hosts["kvm1"].pool_folder("shared").iterdir()} == {data}
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}


@pytest.mark.rule("CSK-01", sign="+")
def test_a_running_guest_goes_from_one_shared_pool_to_another_with_its_host(kvm_lab: Lab) -> None:
    first, second = shared_pools(kvm_lab, "nfs-a", "nfs-b")
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", start=False)
    relocate(kvm_lab, guest, "kvm1", guest.image.name, "shared/nfs-a")
    with driver_of(kvm_lab) as driver:
        before = count_on_disk(first / guest.image.name)
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "nfs-b"}))
        assert {volume.pool for volume in read_vm(driver, guest).volumes} == {"nfs-b"}
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])
    assert (list(first.iterdir()), [path.name for path in second.iterdir()]) == ([], [guest.image.name])
    assert count_on_disk(second / guest.image.name) >= before


@pytest.mark.rule("CSK-15", sign="+")
def test_a_clone_whose_template_is_in_a_shared_pool_keeps_it_there(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", start=False)
    top = f"{LOCAL}/{guest.image.stem}.qcow2"
    kvm_lab.hosts["kvm1"].run(["mv", f"{LOCAL}/{TEMPLATE}", f"/srv/shared/{TEMPLATE}"])
    kvm_lab.hosts["kvm1"].run(["qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", f"/srv/shared/{TEMPLATE}", top])
    with kvm_lab.hosts["kvm1"].connection() as connection:
        for pool in connection.listAllStoragePools():
            pool.refresh()
        connection.lookupByUUIDString(guest.uuid).create()
    guest.wait_beating()
    pause(kvm_lab, guest, "kvm1")
    before = contents(kvm_lab, guest, "kvm1")
    with driver_of(kvm_lab) as driver:
        note = move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
    assert note.created == ()
    assert image_info(kvm_lab, "kvm2", top)["backing-filename"] == f"/srv/shared/{TEMPLATE}"
    assert contents(kvm_lab, guest, "kvm2") == before


def test_a_suspended_guest_waits_while_its_memory_moves_and_goes_on_at_its_destination(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(),))
    slowly = MoveOptions(bandwidth_mib_s=16)
    with driver_of(kvm_lab) as driver:
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"), slowly)
        live_gap_ms = guest.largest_gap_ms()
        guest.reset_gap()
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm2", "kvm1", mode=Mode.SUSPENDED), slowly)
    print(f"longest silence: live {live_gap_ms:.0f} ms, suspended {guest.largest_gap_ms():.0f} ms")
    assert guest.largest_gap_ms() > live_gap_ms
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


@pytest.mark.rule("CSK-13", sign="-")
def test_a_transient_guest_moves_with_its_disks_and_stays_transient(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(),))
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).undefine()
    with driver_of(kvm_lab) as driver:
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
    assert kvm_lab.where(guest) == {"kvm2": ("running", False)}
    assert files_of(kvm_lab.hosts["kvm1"]) == set()


def test_the_controller_may_carry_the_move_itself(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(),))
    options = MoveOptions(transport=Transport.MANAGED)
    with driver_of(kvm_lab) as driver:
        move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"), options, warns=("managed_transport",))
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert files_of(kvm_lab.hosts["kvm1"]) == set()
