# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of move, each type in each mode with each kind of copy: the guest as promised, every byte of its disks, one definition, nothing left over."""

from __future__ import annotations

import dataclasses
import hashlib
from xml.etree import ElementTree

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.cold_world import files_in, secrets_on
from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, read_vm, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.image import COUNTED_SECTORS, FIRST_COUNTED_SECTOR, SECTOR_BYTES
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import TEMPLATE, DataDisk, guest_with_disks, image_info, put_template, storage_move

pytestmark = pytest.mark.kvm

OPTIONS = MoveOptions(shutdown_seconds=0.2, bandwidth_mib_s=64)
RUNNING = (Mode.LIVE, Mode.SUSPENDED)
COPIES = ("full", "linked", "flatten", "format")


def disks_without_counter(lab: Lab, guest: Guest, host: str) -> dict[str, str]:
    """Device -> checksum of what the guest sees of the disk, but for the sectors that it writes to all the time."""
    whole, found = lab.folder / "whole.raw", {}
    with lab.hosts[host].connection() as connection:
        xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    for disk in ElementTree.fromstring(xml).findall("devices/disk"):
        device, path, kind = disk.find("target"), disk.find("source"), disk.find("driver")
        assert device is not None
        assert path is not None
        assert kind is not None
        lab.hosts[host].run(["qemu-img", "convert", "-U", "-f", kind.get("type", ""), "-O", "raw", path.get("file", ""), str(whole)])
        content = bytearray(whole.read_bytes())
        whole.unlink()
        begin, length = FIRST_COUNTED_SECTOR * SECTOR_BYTES, COUNTED_SECTORS * SECTOR_BYTES
        content[begin : begin + length] = bytes(length)
        found[device.get("dev", "")] = hashlib.sha256(content).hexdigest()
    return found


def planned(lab: Lab, driver: LibvirtDriver, kind: MigrationType, mode: Mode, copy: str) -> tuple[Guest, Migration]:
    """A guest with two disks in the local pool of kvm1 and its move: to kvm2's, or to the shared pool on the same host."""
    linked, start = copy in ("linked", "flatten"), mode is not Mode.OFFLINE
    guest = guest_with_disks(lab, "web1", "kvm1", root="linked" if linked else "qcow2", data=(DataDisk(8, 2),), start=start, autostart=True)
    if linked and kind is MigrationType.HOST_STORAGE:
        put_template(lab, "kvm1", "kvm2")
    target, pool = ("kvm1", "shared") if kind is MigrationType.STORAGE else ("kvm2", "kvm2/local")
    formats = {"hdb": "raw"} if copy == "format" else {}
    pools = {"hda": pool, "hdb": pool}
    migration = storage_move(driver, guest, "kvm1", target, pools=pools, formats=formats, flatten=copy == "flatten", mode=mode)
    return guest, dataclasses.replace(migration, type=kind)


def arrives(driver: LibvirtDriver, guest: Guest, migration: Migration) -> None:
    """Check, note, start, wait, verify, finish, with nothing to say."""
    assert driver.check(migration, OPTIONS) == ()
    note = note_of(migration, read_vm(driver, guest), migration_type=migration.type.value, mode=migration.mode.value)
    note = driver.write_note(migration, note, OPTIONS)
    last = wait_for_end(driver, driver.start(migration, note, OPTIONS))[-1]
    verification = driver.verify(migration, note)
    assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ()), last.message
    assert driver.finish(migration, note) == ()


def as_promised(lab: Lab, guest: Guest, host: str, mode: Mode) -> None:
    """One definition and one guest; it never stopped, was started once more, or stayed off."""
    assert lab.where(guest) == {host: ("shutoff" if mode is Mode.OFFLINE else "running", True)}
    assert guest.is_beating() is (mode is not Mode.OFFLINE)
    if mode in RUNNING:
        assert (guest.restarts(), guest.faults()) == (0, [])
    elif mode is Mode.COLD:
        assert guest.restarts() == 1


@pytest.mark.matrix
@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("mode", RUNNING)
@pytest.mark.parametrize("kind", [MigrationType.STORAGE, MigrationType.HOST_STORAGE])
def test_a_running_guest_takes_every_byte_along_in_every_way_of_copying(kvm_lab: Lab, kind: MigrationType, mode: Mode, copy: str) -> None:
    with driver_of(kvm_lab) as driver:
        guest, migration = planned(kvm_lab, driver, kind, mode, copy)
        all_is_there_once(kvm_lab, driver, guest, migration, copy)


@pytest.mark.matrix
@pytest.mark.parametrize("copy", ["full", "linked"])
@pytest.mark.parametrize("mode", [Mode.COLD, Mode.OFFLINE])
@pytest.mark.parametrize("kind", [MigrationType.STORAGE, MigrationType.HOST_STORAGE])
def test_a_guest_that_is_stopped_or_off_takes_every_byte_along(kvm_lab: Lab, kind: MigrationType, mode: Mode, copy: str) -> None:
    with driver_of(kvm_lab) as driver:
        guest, migration = planned(kvm_lab, driver, kind, mode, copy)
        all_is_there_once(kvm_lab, driver, guest, migration, copy)


def all_is_there_once(lab: Lab, driver: LibvirtDriver, guest: Guest, migration: Migration, copy: str) -> None:
    """Move it, and look at everything on both sides."""
    before = disks_without_counter(lab, guest, "kvm1")
    arrives(driver, guest, migration)
    vm = read_vm(driver, guest)
    as_promised(lab, guest, migration.target_host, migration.mode)
    assert disks_without_counter(lab, guest, migration.target_host) == before
    assert (vm.autostart, vm.note) == (True, None)
    where = {volume.device: (volume.pool, volume.format) for volume in vm.volumes}
    assert where == {move.device: (move.target_pool, move.format or "qcow2") for move in migration.volumes}
    template = [TEMPLATE] if copy in ("linked", "flatten") else []
    at_target = [volume.path.rpartition("/")[2] for volume in vm.volumes]
    at_target += template if migration.type is MigrationType.HOST_STORAGE else []
    left = {"kvm1/local": template} if template else {}
    assert files_in(lab) == {**left, vm.volumes[0].pool: sorted(at_target)}
    assert secrets_on(lab) == []
    root = image_info(lab, migration.target_host, vm.volumes[0].path)
    assert ("backing-filename" in root) is (copy == "linked")


@pytest.mark.matrix
@pytest.mark.parametrize(("copy", "code"), [("flatten", "flatten_not_cold"), ("format", "format_not_changed")])
@pytest.mark.parametrize("mode", [Mode.COLD, Mode.OFFLINE])
@pytest.mark.parametrize("kind", [MigrationType.STORAGE, MigrationType.HOST_STORAGE])
def test_a_copy_of_a_guest_that_is_off_changes_nothing_inside_a_disk_and_says_so(kvm_lab: Lab, kind: MigrationType, mode: Mode, copy: str, code: str) -> None:
    with driver_of(kvm_lab) as driver:
        guest, migration = planned(kvm_lab, driver, kind, mode, copy)
        files = files_in(kvm_lab)
        assert {reason.code for reason in driver.check(migration, OPTIONS) if reason.blocks} == {code}
        assert read_vm(driver, guest).note is None
    assert (files_in(kvm_lab), secrets_on(kvm_lab)) == (files, [])
    assert kvm_lab.where(guest) == {"kvm1": ("shutoff" if mode is Mode.OFFLINE else "running", True)}


@pytest.mark.parametrize("mode", RUNNING)
@pytest.mark.parametrize("kind", [MigrationType.STORAGE, MigrationType.HOST_STORAGE])
def test_a_linked_clone_that_stays_one_takes_no_format_without_a_template(kvm_lab: Lab, kind: MigrationType, mode: Mode) -> None:
    with driver_of(kvm_lab) as driver:
        guest, migration = planned(kvm_lab, driver, kind, mode, "linked")
        moves = tuple(dataclasses.replace(move, format="raw" if move.device == "hda" else "") for move in migration.volumes)
        reasons = driver.check(dataclasses.replace(migration, volumes=moves), OPTIONS)
    assert [(reason.code, TEMPLATE in reason.message, reason.blocks) for reason in reasons] == [("format_change_with_backing", True, True)]
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


@pytest.mark.parametrize("mode", list(Mode))
def test_a_guest_changes_its_host_alone_in_every_mode(kvm_lab: Lab, mode: Mode) -> None:
    guest = kvm_lab.guest("web1", "kvm1", start=mode is not Mode.OFFLINE, autostart=True)
    before, files = disks_without_counter(kvm_lab, guest, "kvm1"), files_in(kvm_lab)
    with driver_of(kvm_lab) as driver:
        arrives(driver, guest, dataclasses.replace(migration_of(guest, "kvm1", "kvm2"), mode=mode))
        vm = read_vm(driver, guest)
    as_promised(kvm_lab, guest, "kvm2", mode)
    assert disks_without_counter(kvm_lab, guest, "kvm2") == before
    assert (vm.autostart, vm.note) == (True, None)
    assert (files_in(kvm_lab), secrets_on(kvm_lab)) == (files, [])


@pytest.mark.parametrize("mode", RUNNING)
def test_while_its_memory_moves_a_guest_runs_or_waits_as_its_mode_says(kvm_lab: Lab, mode: Mode) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        migration = dataclasses.replace(migration_of(guest, "kvm1", "kvm2"), mode=mode)
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest), mode=mode.value))
        job, seen = driver.start(migration, note, MoveOptions(bandwidth_mib_s=8)), []
        while not driver.poll([job])[0].ended:
            seen.append(kvm_lab.where(guest).get("kvm1") == ("paused", True))
        assert driver.verify(migration, note).reasons == ()
        assert driver.finish(migration, note) == ()
    assert (sum(seen) > len(seen) / 2) is (mode is Mode.SUSPENDED)
    as_promised(kvm_lab, guest, "kvm2", mode)
