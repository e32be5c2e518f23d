# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guests with snapshots move live: libvirt refuses that, and afterwards every snapshot is there again, whatever happened on the way."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Scope, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.snapshots import MOST_BYTES
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Home
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.commands import run
from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, python, read_vm, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

REDEFINE_CURRENT = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT
SLOW = MoveOptions(bandwidth_mib_s=8)


@dataclass(frozen=True)
class Snapshots:
    """The snapshots that a host knows of a VM: their definitions by name, and which is the current one."""

    definitions: dict[str, str]
    current: str


def snapshots_of(lab: Lab, guest: Guest, host: str) -> Snapshots:
    with lab.hosts[host].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        current = domain.snapshotCurrent().getName() if domain.hasCurrentSnapshot() else ""
        return Snapshots({snapshot.getName(): snapshot.getXMLDesc() for snapshot in domain.listAllSnapshots()}, current)


def as_qcow2(lab: Lab, guest: Guest, host: str) -> Guest:
    """The same guest on a qcow2 image, running: internal snapshots need one."""
    image = guest.image.with_suffix(".qcow2")
    run(["qemu-img", "convert", "-O", "qcow2", guest.image, image])
    with lab.hosts[host].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        root = ElementTree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        disk = root.find("./devices/disk")
        assert disk is not None
        disk.find("./driver").set("type", "qcow2")  # type: ignore[union-attr]
        disk.find("./source").set("file", f"/srv/shared/{image.name}")  # type: ignore[union-attr]
        connection.storagePoolLookupByName("shared").refresh()
        connection.defineXML(ElementTree.tostring(root, encoding="unicode")).create()
    guest.image = image
    guest.wait_beating()
    guest.reset_gap()
    return guest


def a_guest_with_snapshots(lab: Lab, kind: str = "internal") -> Guest:
    """Three snapshots: two in a row, and a third beside the second, which is the current one. Or two overlays, one on the other."""
    guest = as_qcow2(lab, lab.guest("web1", "kvm1", dirty_mib_s=4, autostart=True, start=False), "kvm1")
    with lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        if kind == "external":
            for name in ("before", "after"):
                domain.snapshotCreateXML(f"<domainsnapshot><name>{name}</name></domainsnapshot>", libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
        else:
            first = domain.snapshotCreateXML("<domainsnapshot><name>first</name><description>&lt;a &amp; 'b'&gt;</description></domainsnapshot>")
            domain.snapshotCreateXML("<domainsnapshot><name>second &amp; \u00e9</name></domainsnapshot>")
            domain.revertToSnapshot(first)
            domain.snapshotCreateXML("<domainsnapshot><name>third</name></domainsnapshot>")
    return guest


@pytest.mark.parametrize("kind", ["internal", "external"])
def test_a_guest_moves_with_all_its_snapshots(kvm_lab: Lab, kind: str) -> None:
    guest = a_guest_with_snapshots(kvm_lab, kind)
    before = snapshots_of(kvm_lab, guest, "kvm1")
    assert len(before.definitions) > 1
    with kvm_lab.hosts["kvm1"].connection() as connection, pytest.raises(libvirt.libvirtError, match="cannot migrate domain with"):
        flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
        connection.lookupByUUIDString(guest.uuid).migrateToURI3(kvm_lab.hosts["kvm2"].peer_uri(), {}, flags)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        assert driver.check(migration, SLOW) == ()
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest), home=Home("kvm1")), SLOW)
        wait_for_end(driver, driver.start(migration, note, SLOW))
        verification = driver.verify(migration, note)
        assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ())
        assert driver.finish(migration, note) == ()
        assert driver.finish(migration, note) == ()
        vm = read_vm(driver, guest)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert snapshots_of(kvm_lab, guest, "kvm2") == before
    assert vm.note is not None
    assert (vm.note.snapshots, vm.note.current_snapshot) == ((), "")
    assert guest.is_beating()


def test_a_snapshot_is_as_good_on_the_destination_as_it_was_on_the_source(kvm_lab: Lab) -> None:
    """The guest goes back to it there, and from its memory runs on."""
    guest = a_guest_with_snapshots(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), MoveOptions())
        wait_for_end(driver, driver.start(migration, note, MoveOptions()))
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        driver.finish(migration, note)
    beat = guest.wait_beating()
    with kvm_lab.hosts["kvm2"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.revertToSnapshot(domain.snapshotLookupByName("first"))
    guest.wait_beating()
    assert guest.wait_beating().tick < beat.tick


def test_an_aborted_move_leaves_all_snapshots_on_the_source(kvm_lab: Lab) -> None:
    guest = a_guest_with_snapshots(kvm_lab)
    before = snapshots_of(kvm_lab, guest, "kvm1")
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), SLOW)
        job = driver.start(migration, note, SLOW)
        wait_for_copying(driver, job)
        assert snapshots_of(kvm_lab, guest, "kvm1").definitions == {}
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert snapshots_of(kvm_lab, guest, "kvm1") == before


def test_a_snapshot_that_somebody_makes_in_between_stops_the_move_and_all_are_kept(kvm_lab: Lab) -> None:
    guest = a_guest_with_snapshots(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), SLOW)
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).snapshotCreateXML("<domainsnapshot><name>late</name></domainsnapshot>")
        before = snapshots_of(kvm_lab, guest, "kvm1")
        with pytest.raises(StateConflict, match="late"):
            driver.start(migration, note, SLOW)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert snapshots_of(kvm_lab, guest, "kvm1") == before


CONTROLLER = """
import os, signal, sys
import libvirt
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of, note_of, wait_for_end
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt import live
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
name, uuid, vm_name, where = sys.argv[1:]

def die(*_arguments):
    os.kill(os.getpid(), signal.SIGKILL)

if where == "between two definitions taken off":
    deleted = []
    delete = libvirt.virDomainSnapshot.delete
    libvirt.virDomainSnapshot.delete = lambda *given: die() if deleted else deleted.append(delete(*given))
if where == "all taken off, before the start":
    live.begin = die
if where == "between two definitions put back":
    made = []
    make = libvirt.virDomain.snapshotCreateXML
    libvirt.virDomain.snapshotCreateXML = lambda *given: die() if made else made.append(make(*given))
if where == "all put back, before the note is settled":
    from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt import settle
    settle.put_note = die
with driver_of(Lab.existing(LabConfig(name=name))) as driver:
    migration = Migration("m1", uuid, vm_name, "kvm1", "kvm2")
    note = driver.write_note(migration, note_of(migration, autostart=True))
    if where == "after the note":
        die()
    job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=16))
    if where == "in flight":
        die()
    wait_for_end(driver, job)
    if where == "arrived, before the end":
        die()
    driver.verify(migration, note)
    driver.finish(migration, note)
"""


@pytest.mark.parametrize(
    ("where", "host"),
    [
        ("after the note", "kvm1"),
        ("between two definitions taken off", "kvm1"),
        ("all taken off, before the start", "kvm1"),
        ("in flight", ""),
        ("arrived, before the end", "kvm2"),
        ("between two definitions put back", "kvm2"),
        ("all put back, before the note is settled", "kvm2"),
    ],
)
@pytest.mark.matrix
def test_wherever_a_controller_is_killed_the_next_one_puts_every_snapshot_back_from_the_note(kvm_lab: Lab, where: str, host: str) -> None:
    guest = a_guest_with_snapshots(kvm_lab)
    before = snapshots_of(kvm_lab, guest, "kvm1")
    controller = python(CONTROLLER, kvm_lab.config.name, guest.uuid, guest.name, where)
    controller.communicate()
    assert controller.returncode == -9
    with driver_of(kvm_lab) as driver:
        for found in driver.in_flight():
            wait_for_end(driver, driver.adopt(found))
        vm = driver.snapshot(Scope(vms=frozenset({guest.uuid}), hosts=frozenset())).vm_by_id[guest.uuid]
        assert vm.note is not None
        migration = migration_of(guest, "kvm1", "kvm2")
        verdict = driver.verify(migration, vm.note).verdict
        end = {Verdict.ARRIVED: driver.finish, Verdict.AT_SOURCE: driver.rollback}[verdict]
        assert end(migration, vm.note) == ()
        vm = read_vm(driver, guest)
    assert vm.host == host or not host
    assert (vm.note, vm.autostart) == (None, True)
    assert kvm_lab.where(guest) == {vm.host: ("running", True)}
    assert snapshots_of(kvm_lab, guest, vm.host) == before
    assert guest.is_beating()


def test_a_new_move_that_meets_the_note_of_an_unfinished_one_loses_no_snapshot(kvm_lab: Lab) -> None:
    guest = a_guest_with_snapshots(kvm_lab)
    before = snapshots_of(kvm_lab, guest, "kvm1")
    python(CONTROLLER, kvm_lab.config.name, guest.uuid, guest.name, "all taken off, before the start").communicate()
    assert snapshots_of(kvm_lab, guest, "kvm1").definitions == {}
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm3")
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), MoveOptions())
        wait_for_end(driver, driver.start(migration, note, MoveOptions()))
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        assert driver.finish(migration, note) == ()
    assert snapshots_of(kvm_lab, guest, "kvm3") == before


def pad(lab: Lab, guest: Guest, to_bytes: int) -> None:
    """Make the definitions as long as that in all, by a description of nothing but characters that notes have to spell out."""
    with lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        others = sum(len(snapshot.getXMLDesc()) for snapshot in domain.listAllSnapshots() if snapshot.getName() != "third")
        text = domain.snapshotLookupByName("third").getXMLDesc()
        bare = text if "<description>" not in text else text[: text.index("  <description>")] + text[text.index("</description>") + 15 :]
        described = "<description>" + "&quot;" * ((to_bytes - others - len(bare) - 31) // 6) + "</description>"
        domain.snapshotCreateXML(bare.replace("<name>third</name>", f"<name>third</name>{described}"), REDEFINE_CURRENT)


def test_a_note_holds_as_much_as_is_promised_and_more_is_refused_before_anything_is_touched(kvm_lab: Lab) -> None:
    guest = a_guest_with_snapshots(kvm_lab)
    pad(kvm_lab, guest, MOST_BYTES + 100)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["has_snapshots"]
        pad(kvm_lab, guest, MOST_BYTES - 1000)
        before = snapshots_of(kvm_lab, guest, "kvm1")
        assert driver.check(migration, MoveOptions()) == ()
        note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), MoveOptions())
        wait_for_end(driver, driver.start(migration, note, MoveOptions()))
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        assert driver.finish(migration, note) == ()
    assert snapshots_of(kvm_lab, guest, "kvm2") == before
