# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disks of no VM, moved by the driver: what a dead run leaves at each of its steps, and what is never removed."""

from __future__ import annotations

import dataclasses
import time

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import LIGHT, Job, Scope, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.driver import VsphereDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, VerifyCopy
from pyVmomi import vim

from tests.labs.vsphere.lab import VsphereLab

pytestmark = pytest.mark.vsphere

OPTIONS = MoveOptions()
DISK = "old/export.vmdk"


def made(lab: VsphereLab, pool: str) -> None:
    """The disk, in its folder."""
    lab.content.fileManager.MakeDirectory(f"[{pool}] old", lab._datacenter_of(lab.named(vim.Datastore, pool)), createParentDirectories=True)
    lab.add_file(DISK, pool)


def prepared(lab: VsphereLab) -> Migration:
    """A disk in a folder of the first host's own datastore, on its way to the shared one."""
    first = lab.hosts[0]
    source = f"local-{first}"
    made(lab, source)
    move = VolumeMove(f"{source}/{DISK}", source, "shared", 2**30)
    return Migration("m1", "", DISK, first, first, MigrationType.STORAGE, Mode.OFFLINE, volumes=(move,))


def a_note(operation: str, host: str) -> VmNote:
    return VmNote(operation, this_controller(), time.time(), NotePhase.MOVING, host, host, "storage", "offline", "off")


def ended(driver: VsphereDriver, job: Job) -> str:
    """The last word of a copy that has come to its end."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        (progress,) = driver.poll([job])
        if progress.ended:
            return progress.message
        time.sleep(0.05)
    raise AssertionError("the copy does not end")


def carried(driver: VsphereDriver, migration: Migration, operation: str, options: MoveOptions = OPTIONS) -> tuple[VmNote, str]:
    """Checked, noted and copied, and not settled."""
    assert driver.check(migration, options) == ()
    note = driver.write_note(migration, a_note(operation, migration.source_host), options)
    return note, ended(driver, driver.start(migration, note, options))


def content(lab: VsphereLab, migration: Migration) -> tuple[frozenset[str], frozenset[str]]:
    (move,) = migration.volumes
    return lab.files(str(move.source_pool)), lab.files("shared")


@pytest.mark.parametrize("verify_copy", list(VerifyCopy))
def test_a_disk_goes_over_with_its_folder_and_its_source_goes_last(vsphere_lab: VsphereLab, verify_copy: VerifyCopy) -> None:
    migration = prepared(vsphere_lab)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(LIGHT)
        note, message = carried(driver, migration, "op-1", MoveOptions(verify_copy=verify_copy))
        assert message == ""
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        assert content(vsphere_lab, migration) == ({DISK}, {DISK})
        assert driver.finish(migration, note) == ()
        assert content(vsphere_lab, migration) == (frozenset(), {DISK})
        (volume,) = driver.snapshot(Scope(frozenset(), frozenset(), volumes_of=frozenset({"shared"}))).volumes
        assert (volume.id, volume.capacity_bytes) == (f"shared/{DISK}", 2**30)


def test_what_a_run_had_proven_before_it_died_is_compared_again_and_only_then_its_source_goes(vsphere_lab: VsphereLab) -> None:
    migration = prepared(vsphere_lab)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(LIGHT)
        carried(driver, migration, "op-1")  # and dies
        note, message = carried(driver, migration, "op-2")
        assert message == ""
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        driver.finish(migration, note)
        assert content(vsphere_lab, migration) == (frozenset(), {DISK})


def test_a_copy_that_differs_by_now_costs_neither_of_the_two(vsphere_lab: VsphereLab) -> None:
    migration = prepared(vsphere_lab)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(LIGHT)
        carried(driver, migration, "op-1")
        driver.delete_volume(_loose(driver, "shared"))
        vsphere_lab.add_file(DISK, "shared")  # another disk of that name and size, with other bytes
        note, message = carried(driver, migration, "op-2")
        assert "not equal" in message
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, note)
        assert content(vsphere_lab, migration) == ({DISK}, {DISK})
        assert "volume_exists" not in {reason.code for reason in driver.check(migration, OPTIONS)}  # it is still known whose copy that was


def _loose(driver: VsphereDriver, pool: str) -> Volume:
    (volume,) = driver.snapshot(Scope(frozenset(), frozenset(), volumes_of=frozenset({pool}))).volumes
    return volume


def test_a_cancelled_copy_leaves_nothing(vsphere_lab: VsphereLab) -> None:
    migration = prepared(vsphere_lab)
    vsphere_lab.settings(move_seconds=30)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(LIGHT)
        note = driver.write_note(migration, a_note("op-1", migration.source_host), OPTIONS)
        job = driver.start(migration, note, OPTIONS)
        time.sleep(0.5)
        driver.cancel(job)
        assert ended(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, note)
        assert content(vsphere_lab, migration) == ({DISK}, frozenset())


def test_what_a_vm_has_and_what_is_not_there_is_refused(vsphere_lab: VsphereLab) -> None:
    first = vsphere_lab.hosts[0]
    migration = prepared(vsphere_lab)
    vsphere_lab.add_vm("web1", first)
    made(vsphere_lab, "shared")
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(LIGHT)
        assert [reason.code for reason in driver.check(migration, OPTIONS)] == ["volume_exists"]
        (move,) = migration.volumes
        for path, code in (("web1/web1.vmdk", "volume_in_use"), ("old/nothing.vmdk", "volume_missing"), ("fcd/claimed.vmdk", "volume_kind")):
            other = dataclasses.replace(
                migration, volumes=(dataclasses.replace(move, volume=f"shared/{path}", source_pool="shared", target_pool=f"local-{first}"),)
            )
            assert [reason.code for reason in driver.check(other, OPTIONS)] == [code]
        used = dataclasses.replace(_loose(driver, "shared"), id="shared/web1/web1.vmdk", path="[shared] web1/web1.vmdk")
        with pytest.raises(StateConflict, match="web1"):
            driver.delete_volume(used)
    assert "web1/web1.vmdk" in vsphere_lab.files("shared")
