# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a guest needs of its destination besides disks and networks: secrets, media, an emulator, huge pages. Missing, it is told before anything is touched."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.connection import Connection
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domain_needs import read_needs
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.precheck_needs import unmet_needs
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.cold_world import QUICK, cold_migration, move
from tests.labs.kvm.commands import run
from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, read_vm, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

SECRET = str(uuid.uuid4())
PASSPHRASE = "a passphrase of the lab"
EJECT = MoveOptions(eject_media=True, bandwidth_mib_s=8)


def a_guest_with(lab: Lab, change: Callable[[ElementTree.Element], object], *, start: bool = True) -> Guest:
    guest = lab.guest("web1", "kvm1", dirty_mib_s=4, start=False)
    with lab.hosts["kvm1"].connection() as connection:
        root = ElementTree.fromstring(connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        change(root)
        domain = connection.defineXML(ElementTree.tostring(root, encoding="unicode"))
        for pool in connection.listAllStoragePools():
            pool.refresh()
        if start:
            domain.create()
    if start:
        guest.wait_beating()
    return guest


def add_device(root: ElementTree.Element, xml: str) -> None:
    devices = root.find("./devices")
    assert devices is not None
    devices.append(ElementTree.fromstring(xml))


def define_secret(lab: Lab, host: str) -> None:
    with lab.hosts[host].connection() as connection:
        usage = "<usage type='volume'><volume>/srv/shared/locked.luks</volume></usage>"
        secret = connection.secretDefineXML(f"<secret ephemeral='no' private='yes'><uuid>{SECRET}</uuid>{usage}</secret>")
        secret.setValue(PASSPHRASE.encode())


def with_locked_disk(lab: Lab) -> Guest:
    image = lab.hosts["kvm1"].pool_folder("shared") / "locked.luks"
    options = ["-o", "key-secret=s0,iter-time=10"]
    run(["qemu-img", "create", "-q", "-f", "luks", "--object", f"secret,id=s0,data={PASSPHRASE}", *options, image, "1M"])
    define_secret(lab, "kvm1")
    source = f"<source file='/srv/shared/locked.luks'><encryption format='luks'><secret type='passphrase' uuid='{SECRET}'/></encryption></source>"
    disk = f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>{source}<target dev='hdb' bus='ide'/></disk>"
    return a_guest_with(lab, lambda root: add_device(root, disk))


def moves(driver: LibvirtDriver, guest: Guest, options: MoveOptions) -> None:
    migration = migration_of(guest, "kvm1", "kvm2")
    note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), options)
    wait_for_end(driver, driver.start(migration, note, options))
    verification = driver.verify(migration, note)
    assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ())
    assert driver.finish(migration, note) == ()


def against(driver: LibvirtDriver, guest: Guest, options: MoveOptions | None = None) -> dict[str, Reason]:
    return {reason.code: reason for reason in driver.check(migration_of(guest, "kvm1", "kvm2"), options or MoveOptions())}


@pytest.mark.rule("CAS-25", sign="-")
def test_a_locked_disk_is_refused_where_its_secret_is_missing(kvm_lab: Lab) -> None:
    guest = with_locked_disk(kvm_lab)
    with driver_of(kvm_lab) as driver:
        found = against(driver, guest)
    assert set(found) == {"secret_missing"}
    assert found["secret_missing"].blocks
    assert SECRET in found["secret_missing"].message
    assert "disk hdb" in found["secret_missing"].message
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


@pytest.mark.rule("CAS-25", sign="+")
def test_a_locked_disk_moves_where_its_secret_is(kvm_lab: Lab) -> None:
    guest = with_locked_disk(kvm_lab)
    define_secret(kvm_lab, "kvm2")
    with driver_of(kvm_lab) as driver:
        assert against(driver, guest) == {}
        moves(driver, guest, MoveOptions())
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()


def with_medium(lab: Lab, pool: str) -> Guest:
    (lab.hosts["kvm1"].pool_folder(pool) / "tools.iso").write_bytes(bytes(65536))
    drive = f"<disk type='file' device='cdrom'><source file='/srv/{pool}/tools.iso'/><target dev='hdc' bus='ide'/><readonly/></disk>"
    return a_guest_with(lab, lambda root: add_device(root, drive))


def medium(lab: Lab, guest: Guest, host: str) -> set[str | None]:
    """What is in its drive now, and what will be after its next start."""
    with lab.hosts[host].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        found = set()
        for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
            source = ElementTree.fromstring(domain.XMLDesc(flags)).find("./devices/disk[@device='cdrom']/source")
            found.add(None if source is None else source.get("file"))
        return found


def test_a_medium_that_the_destination_has_comes_along(kvm_lab: Lab) -> None:
    guest = with_medium(kvm_lab, "shared")
    with driver_of(kvm_lab) as driver:
        assert against(driver, guest, EJECT) == {}
        moves(driver, guest, EJECT)
    assert medium(kvm_lab, guest, "kvm2") == {"/srv/shared/tools.iso"}


def test_a_medium_that_the_destination_lacks_is_refused_or_taken_out_on_request(kvm_lab: Lab) -> None:
    guest = with_medium(kvm_lab, "local")
    with driver_of(kvm_lab) as driver:
        refused = against(driver, guest)["volume_not_on_host"]
        assert refused.blocks
        assert "eject_media" in refused.hint
        warned = against(driver, guest, EJECT)
        assert set(warned) == {"medium_ejected"}
        assert not warned["medium_ejected"].blocks
        assert medium(kvm_lab, guest, "kvm1") == {"/srv/local/tools.iso"}
        moves(driver, guest, EJECT)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert medium(kvm_lab, guest, "kvm2") == {None}
    assert guest.is_beating()


def test_a_cold_move_does_the_same(kvm_lab: Lab) -> None:
    guest = with_medium(kvm_lab, "local")
    migration, eject = cold_migration(guest, "kvm1", "kvm2"), dataclasses.replace(QUICK, eject_media=True)
    with driver_of(kvm_lab) as driver:
        (refused,) = driver.check(migration, QUICK)
        assert (refused.code, refused.blocks, "eject_media" in refused.hint) == ("volume_not_on_host", True, True)
        (warned,) = driver.check(migration, eject)
        assert (warned.code, warned.blocks) == ("medium_ejected", False)
        assert move(driver, guest, migration, eject) == ()
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert medium(kvm_lab, guest, "kvm2") == {None}


def test_a_medium_that_only_the_stored_definition_has_is_taken_out_for_a_cold_move(kvm_lab: Lab) -> None:
    """The guest's owner ejected it for the time until the next start; that start is the one at the target."""
    guest = with_medium(kvm_lab, "local")
    migration, eject = cold_migration(guest, "kvm1", "kvm2"), dataclasses.replace(QUICK, eject_media=True)
    with kvm_lab.hosts["kvm1"].connection() as connection:
        drive = "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>"
        connection.lookupByUUIDString(guest.uuid).updateDeviceFlags(drive, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    with driver_of(kvm_lab) as driver:
        assert [reason.code for reason in driver.check(migration, eject)] == ["medium_ejected"]
        assert move(driver, guest, migration, eject) == ()
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert medium(kvm_lab, guest, "kvm2") == {None}


def test_a_medium_that_is_named_by_its_pool_is_taken_out_as_well(kvm_lab: Lab) -> None:
    (kvm_lab.hosts["kvm1"].pool_folder("local") / "tools.iso").write_bytes(bytes(2**20))
    source = "<driver name='qemu' type='raw'/><source pool='local' volume='tools.iso'/><target dev='hdc' bus='ide'/><readonly/>"
    guest = a_guest_with(kvm_lab, lambda root: add_device(root, f"<disk type='volume' device='cdrom'>{source}</disk>"))
    migration, eject = cold_migration(guest, "kvm1", "kvm2"), dataclasses.replace(QUICK, eject_media=True)
    with driver_of(kvm_lab) as driver:
        assert [reason.code for reason in driver.check(migration, QUICK)] == ["volume_not_on_host"]
        assert [reason.code for reason in driver.check(migration, eject)] == ["medium_ejected"]
        assert move(driver, guest, migration, eject) == ()
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}


def test_a_medium_that_its_guest_starts_without_stays_in_the_drive(kvm_lab: Lab) -> None:
    (kvm_lab.hosts["kvm1"].pool_folder("local") / "tools.iso").write_bytes(bytes(2**20))
    source = "<driver name='qemu' type='raw'/><source file='/srv/local/tools.iso' startupPolicy='optional'/><target dev='hdc' bus='ide'/><readonly/>"
    guest = a_guest_with(kvm_lab, lambda root: add_device(root, f"<disk type='file' device='cdrom'>{source}</disk>"))
    migration, eject = cold_migration(guest, "kvm1", "kvm2"), dataclasses.replace(QUICK, eject_media=True)
    with driver_of(kvm_lab) as driver:
        assert driver.check(migration, eject) == ()
        assert move(driver, guest, migration, eject) == ()
    with kvm_lab.hosts["kvm2"].connection() as connection:
        assert "/srv/local/tools.iso" in connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}


def test_a_medium_that_was_taken_out_is_back_when_the_move_fails(kvm_lab: Lab) -> None:
    guest = with_medium(kvm_lab, "local")
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), EJECT)
        job = driver.start(migration, note, EJECT)
        wait_for_copying(driver, job)
        assert medium(kvm_lab, guest, "kvm1") == {None}
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert medium(kvm_lab, guest, "kvm1") == {"/srv/local/tools.iso"}
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


def test_an_emulator_or_a_machine_that_the_destination_lacks_is_refused(kvm_lab: Lab) -> None:
    emulator = kvm_lab.hosts["kvm1"].folder / "own-qemu"
    emulator.write_text('#!/bin/sh\nexec /usr/bin/qemu-system-x86_64 "$@"\n')
    emulator.chmod(0o755)

    def use(root: ElementTree.Element) -> None:
        root.find("./devices/emulator").text = str(emulator)  # type: ignore[union-attr]

    guest = a_guest_with(kvm_lab, use)
    with driver_of(kvm_lab) as driver:
        emulator.rename(emulator.with_suffix(".gone"))
        found = against(driver, guest)
    assert found["emulator_missing"].blocks
    assert str(emulator) in found["emulator_missing"].message


def test_huge_pages_that_the_destination_has_not_free_are_told_with_how_much_is_needed(kvm_lab: Lab) -> None:
    """This machine has none, so the guest itself lies in ordinary pages: what is asked is what its definition would say."""
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        xml = connection.lookupByUUIDString(guest.uuid).XMLDesc()
    wants = xml.replace("<os>", "<memoryBacking><hugepages/></memoryBacking><os>", 1)
    with kvm_lab.hosts["kvm2"].connection() as raw:
        migration = migration_of(guest, "kvm1", "kvm2")
        assert unmet_needs(Connection(raw), migration, read_needs(xml)) == ()
        found = {reason.code: reason for reason in unmet_needs(Connection(raw), migration, read_needs(wants))}
    assert set(found) == {"hugepages_missing"}
    assert "needs 64 MiB of them; kvm2 has 0 MiB free" in found["hugepages_missing"].message


def test_firmware_variables_come_along(kvm_lab: Lab) -> None:
    """The guest runs from flash here, with variables of its own beside; both ends keep them in a file."""

    def use(root: ElementTree.Element) -> None:
        system = root.find("./os")
        assert system is not None
        system.append(ElementTree.fromstring("<loader readonly='yes' type='pflash'>/usr/share/seabios/bios-256k.bin</loader>"))
        system.append(ElementTree.fromstring("<nvram>/var/lib/libvirt/qemu/nvram/web1_VARS.fd</nvram>"))

    for host in ("kvm1", "kvm2"):
        (nvram_folder(kvm_lab, host)).mkdir(parents=True, exist_ok=True)
    (nvram_folder(kvm_lab, "kvm1") / "web1_VARS.fd").write_bytes(b"variables of web1".ljust(131072, b"\0"))
    guest = a_guest_with(kvm_lab, use)
    with driver_of(kvm_lab) as driver:
        assert set(against(driver, guest)) == {"firmware_unproven"}
        (nvram_folder(kvm_lab, "kvm2") / "web1_VARS.fd").write_bytes(bytes(131072))
        moves(driver, guest, MoveOptions())
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert (nvram_folder(kvm_lab, "kvm2") / "web1_VARS.fd").read_bytes().startswith(b"variables of web1")


def nvram_folder(lab: Lab, host: str) -> Path:
    return lab.config.host_folder(host) / "libvirt-state/qemu/nvram"
