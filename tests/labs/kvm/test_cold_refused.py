# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a move by copying would lose, reset or mix up is refused before anything is touched, with its reason; linked clones come along over their template."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt import cold_check
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.cold_note import definition_of
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.cold_world import (
    MIB,
    QUICK,
    as_qcow2,
    begin,
    cold_migration,
    digest,
    files_in,
    local_to_local,
    move,
    note_for,
    secrets_on,
)
from tests.labs.kvm.driver_world import driver_of, read_vm, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


def domain_of(lab: Lab, guest: Guest, change: Callable[[libvirt.virDomain], object], host: str = "kvm1") -> None:
    """Do something to the guest's domain."""
    with lab.hosts[host].connection() as connection:
        change(connection.lookupByUUIDString(guest.uuid))


def redefine(lab: Lab, guest: Guest, old: str, new: str) -> None:
    """Change the definition of a guest that is off."""
    with lab.hosts["kvm1"].connection() as connection:
        xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        assert old in xml
        connection.defineXML(xml.replace(old, new, 1))


def codes(lab: Lab, migration: Migration) -> list[str]:
    """The codes of the reasons against a move, which changes nothing in being asked."""
    before = lab.snapshot_state()
    with driver_of(lab) as driver:
        found = [reason.code for reason in driver.check(migration, QUICK) if reason.blocks]
    assert lab.snapshot_state() == before
    return found


@pytest.mark.rule("PCD-06", sign="-")
@pytest.mark.parametrize("mode", [Mode.COLD, Mode.OFFLINE])
def test_a_saved_vm_is_refused_and_its_state_kept(kvm_lab: Lab, mode: Mode) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local")
    domain_of(kvm_lab, guest, lambda domain: domain.managedSave(0))
    assert codes(kvm_lab, local_to_local(guest, mode)) == ["managed_save"]
    domain_of(kvm_lab, guest, lambda domain: domain.create())
    assert guest.is_beating()
    assert guest.restarts() == 0


@pytest.mark.rule("CAS-03", sign="-")
@pytest.mark.rule("CSV-13", sign="-")
def test_a_vm_in_another_power_state_than_planned_is_refused(kvm_lab: Lab) -> None:
    runs, off = kvm_lab.guest("web1", "kvm1", pool="local"), kvm_lab.guest("web2", "kvm1", pool="local", start=False)
    assert codes(kvm_lab, local_to_local(runs, Mode.OFFLINE)) == ["power_state_changed"]
    assert codes(kvm_lab, local_to_local(off, Mode.COLD)) == ["power_state_changed"]


def test_a_transient_vm_would_be_gone_once_it_is_stopped(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local")
    domain_of(kvm_lab, guest, lambda domain: domain.undefine())
    assert codes(kvm_lab, local_to_local(guest)) == ["not_persistent"]


def test_a_virtual_tpm_does_not_leave_its_host_but_its_vm_changes_its_pool(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    device = "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm></devices>"  # a host without swtpm defines none
    monkeypatch.setattr(cold_check, "definition_of", lambda domain: definition_of(domain).replace("</devices>", device))
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["tpm_state_not_copied"]
    assert codes(kvm_lab, cold_migration(guest, "kvm1", "kvm1", {"hda": ("kvm1/local", "shared")}, Mode.OFFLINE)) == []


def with_variables(lab: Lab, guest: Guest, path: str) -> None:
    """Give a guest that is off UEFI variables in that file; the firmware itself is never started."""
    nvram = f"<loader readonly='yes' type='pflash'>/srv/shared/code.fd</loader><nvram>{path}</nvram>"
    redefine(lab, guest, "<boot dev='hd'/>", f"{nvram}<boot dev='hd'/>")


def test_uefi_variables_outside_any_pool_are_never_silently_reset(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    with_variables(kvm_lab, guest, "/var/lib/libvirt/qemu/nvram/web1.fd")
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["nvram_not_copied"]


def test_uefi_variables_in_a_pool_come_along(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    variables = kvm_lab.hosts["kvm1"].pool_folder("local") / "web1.fd"
    variables.write_bytes(b"boot order" * 1000)
    with_variables(kvm_lab, guest, "/srv/local/web1.fd")
    before = digest(variables)
    other = kvm_lab.hosts["kvm2"].pool_folder("local") / "web1.fd"
    other.write_bytes(b"of another VM")
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["volume_exists"]
    other.unlink()
    with driver_of(kvm_lab) as driver:
        assert move(driver, guest, local_to_local(guest, Mode.OFFLINE)) == ()
    assert digest(kvm_lab.hosts["kvm2"].pool_folder("local") / "web1.fd") == before
    domain_of(kvm_lab, guest, lambda domain: domain.XMLDesc().index("/srv/local/web1.fd"), "kvm2")
    assert files_in(kvm_lab) == {"kvm2/local": sorted([guest.image.name, "web1.fd"])}


def test_checkpoints_are_not_lost_in_silence(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    as_qcow2(kvm_lab, guest, "kvm1")
    domain_of(kvm_lab, guest, lambda domain: domain.create())
    domain_of(kvm_lab, guest, lambda domain: domain.checkpointCreateXML("<domaincheckpoint><name>monday</name></domaincheckpoint>"))
    assert codes(kvm_lab, local_to_local(guest)) == ["checkpoints_not_kept"]


@pytest.mark.rule("CAS-26", sign="-")
def test_a_file_of_that_name_at_the_target_is_left_alone(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    other = kvm_lab.hosts["kvm2"].pool_folder("local") / guest.image.name
    other.write_bytes(b"precious")
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["volume_exists"]
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest, Mode.OFFLINE)
        note = driver.write_note(migration, note_for(driver, guest, migration), QUICK)
        wait_for_end(driver, driver.start(migration, note, QUICK))
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, note)
    assert other.read_bytes() == b"precious"
    assert kvm_lab.where(guest) == {"kvm1": ("shutoff", True)}
    assert secrets_on(kvm_lab) == []


def test_a_vm_of_the_same_name_or_id_at_the_target_is_refused(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    kvm_lab.guest("web1", "kvm2", start=False)
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["name_on_target"]


def test_a_disk_that_two_vms_use_does_not_go_with_one_of_them(kvm_lab: Lab) -> None:
    guest, other = (kvm_lab.guest(name, "kvm1", pool="local", start=False) for name in ("web1", "web2"))
    redefine(kvm_lab, other, other.image.name, guest.image.name)
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["volume_in_use"]


@pytest.mark.rule("CAS-47", sign="-")
def test_neither_format_nor_chain_is_changed_by_a_copy(kvm_lab: Lab) -> None:
    guest, _base = linked_clone(kvm_lab)
    migration = local_to_local(guest, Mode.OFFLINE)
    shutil.copy(kvm_lab.hosts["kvm1"].pool_folder("local") / "base.raw", kvm_lab.hosts["kvm2"].pool_folder("local"))
    moves = (dataclasses.replace(migration.volumes[0], format="raw"),)
    assert codes(kvm_lab, dataclasses.replace(migration, volumes=moves, flatten=True)) == ["format_not_changed", "flatten_not_cold"]


def test_an_unmoved_disk_must_be_at_the_target(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    assert codes(kvm_lab, cold_migration(guest, "kvm1", "kvm2", mode=Mode.OFFLINE)) == ["volume_not_on_host"]


def linked_clone(lab: Lab) -> tuple[Guest, Path]:
    """A guest that is off, whose disk is an overlay over base.raw in the local pool of kvm1."""
    guest = lab.guest("web1", "kvm1", pool="local", start=False)
    base = guest.image.with_name("base.raw")
    guest.image.rename(base)
    image = guest.image.with_suffix(".qcow2")
    subprocess.run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/srv/local/base.raw", image.name, "4M"], cwd=base.parent, check=True)
    redefine(lab, guest, "type='raw'", "type='qcow2'")
    redefine(lab, guest, guest.image.name, image.name)
    guest.image = image
    return guest, base


@pytest.mark.rule("CSK-15", sign="+")
def test_a_linked_clone_comes_along_over_an_equal_template(kvm_lab: Lab) -> None:
    guest, base = linked_clone(kvm_lab)
    domain_of(kvm_lab, guest, lambda domain: domain.create())
    guest.wait_beating()
    template = kvm_lab.hosts["kvm2"].pool_folder("local") / "base.raw"
    shutil.copy(base, template)
    known = digest(base)
    with driver_of(kvm_lab) as driver:
        assert move(driver, guest, local_to_local(guest)) == ()
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert files_in(kvm_lab) == {"kvm1/local": ["base.raw"], "kvm2/local": sorted(["base.raw", guest.image.name])}
    assert digest(base) == digest(template) == known


@pytest.mark.rule("CSK-15", sign="-")
def test_without_its_template_a_linked_clone_is_refused(kvm_lab: Lab) -> None:
    guest, base = linked_clone(kvm_lab)
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["backing_missing"]
    (kvm_lab.hosts["kvm2"].pool_folder("local") / "base.raw").write_bytes(b"short")
    assert codes(kvm_lab, local_to_local(guest, Mode.OFFLINE)) == ["backing_differs"]
    assert base.exists()


@pytest.mark.rule("CSK-15", sign="-")
def test_over_a_template_of_other_content_a_linked_clone_is_not_even_stopped(kvm_lab: Lab) -> None:
    guest, base = linked_clone(kvm_lab)
    domain_of(kvm_lab, guest, lambda domain: domain.create())
    guest.wait_beating()
    template = kvm_lab.hosts["kvm2"].pool_folder("local") / "base.raw"
    shutil.copy(base, template)
    with template.open("r+b") as changed:
        changed.seek(3 * MIB)
        changed.write(b"other")
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration)
        last = wait_for_end(driver, job)[-1]
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, job.note)
    assert "base.raw" in last.message
    assert (guest.restarts(), guest.faults(), guest.is_beating()) == (0, [], True)
    assert files_in(kvm_lab)["kvm2/local"] == ["base.raw"]


def test_a_vm_that_somebody_starts_during_its_copy_is_not_moved(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    with guest.image.open("r+b") as disk:
        disk.seek(MIB)
        disk.write(b"x" * 2 * MIB)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest, Mode.OFFLINE)
        job = begin(driver, guest, migration, MoveOptions(bandwidth_mib_s=1))
        wait_for_copying(driver, job)
        domain_of(kvm_lab, guest, lambda domain: domain.create())
        assert "started" in wait_for_end(driver, job)[-1].message
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, job.note)
        assert read_vm(driver, guest).note is None
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert files_in(kvm_lab) == {"kvm1/local": [guest.image.name]}


def test_a_state_that_somebody_saves_during_the_copy_is_kept(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    with guest.image.open("r+b") as disk:
        disk.seek(MIB)
        disk.write(b"x" * 2 * MIB)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest, Mode.OFFLINE)
        job = begin(driver, guest, migration, MoveOptions(bandwidth_mib_s=1))
        wait_for_copying(driver, job)
        domain_of(kvm_lab, guest, lambda domain: (domain.create(), domain.managedSave(0)))
        wait_for_end(driver, job)
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, job.note)
        assert read_vm(driver, guest).managed_save
    assert files_in(kvm_lab) == {"kvm1/local": [guest.image.name]}


def test_a_file_that_another_vm_came_to_use_stays_at_the_source(kvm_lab: Lab) -> None:
    guest, other = (kvm_lab.guest(name, "kvm1", pool="local", start=False) for name in ("web1", "web2"))
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest, Mode.OFFLINE)
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        assert driver.verify(migration, job.note).verdict is Verdict.ARRIVED
        redefine(kvm_lab, other, other.image.name, guest.image.name)
        reasons = driver.finish(migration, job.note)
    assert [(reason.code, "web2" in reason.message) for reason in reasons] == [("source_in_use", True)]
    assert guest.image.name in files_in(kvm_lab)["kvm1/local"]


def test_a_copy_that_differs_is_noticed_and_the_vm_stays(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", autostart=True)
    send = libvirt.virStream.send
    monkeypatch.setattr(libvirt.virStream, "send", lambda stream, data: send(stream, bytes([data[0] ^ 1]) + data[1:]))
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration)
        assert "not equal" in wait_for_end(driver, job)[-1].message
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, job.note)
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert files_in(kvm_lab) == {"kvm1/local": [guest.image.name]}
