# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes that are the disk of no VM: listed, moved between pools and hosts, and whole wherever their controller dies."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import LIGHT, Scope, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.cold_world import MIB, QUICK, allocated, digest, files_in, random_file, secrets_on
from tests.labs.kvm.driver_world import driver_of, note_of, wait_for_copying, wait_for_end
from tests.labs.kvm.killed_controller import killed_before
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

NAME = "data 1 ü<&>.img"


def loose_file(lab: Lab, host: str = "kvm1", name: str = NAME) -> Path:
    path = lab.hosts[host].pool_folder("local") / name
    random_file(path, (0, MIB), (5 * MIB, MIB), length=8 * MIB)
    return path


def volume_move(source: str = "kvm1/local", target: str = "kvm2/local", writer: str = "kvm2", name: str = NAME) -> Migration:
    move = VolumeMove(f"{source}/{name}", source, target, 2 * MIB)
    return Migration("volume-1", "", name, "kvm1", writer, MigrationType.STORAGE, Mode.OFFLINE, volumes=(move,))


def loose(driver: LibvirtDriver, *pools: str) -> dict[str, Volume]:
    return {volume.id: volume for volume in driver.snapshot(Scope(frozenset(), frozenset(), volumes_of=frozenset(pools))).volumes}


def move_volume(driver: LibvirtDriver, migration: Migration) -> None:
    """End to end."""
    assert driver.check(migration, QUICK) == ()
    note = driver.write_note(migration, note_of(migration, mode="offline", migration_type="storage", operation_id="the-next-run"), QUICK)
    job = driver.start(migration, note, QUICK)
    assert wait_for_end(driver, job)[-1].message == ""
    assert driver.verify(migration, note).verdict is Verdict.ARRIVED
    assert driver.finish(migration, note) == ()
    assert driver.verify(migration, note).verdict is Verdict.ARRIVED
    assert driver.finish(migration, note) == ()


@pytest.mark.rule("CSV-12", sign="+")
@pytest.mark.parametrize(("target", "writer"), [("kvm2/local", "kvm2"), ("shared", "kvm1"), ("shared", "kvm3")])
def test_a_detached_volume_goes_to_another_pool_as_it_is(kvm_lab: Lab, target: str, writer: str) -> None:
    file = loose_file(kvm_lab)
    before, size = digest(file), allocated(file)
    with driver_of(kvm_lab) as driver:
        move_volume(driver, volume_move(target=target, writer=writer))
    copy = kvm_lab.hosts[writer].pool_folder(target.rpartition("/")[2]) / NAME
    assert (digest(copy), allocated(copy) <= size) == (before, True)
    assert files_in(kvm_lab) == {target: [NAME]}
    assert secrets_on(kvm_lab) == []


@pytest.mark.rule("CSV-12", sign="-")
def test_a_volume_of_a_vm_is_no_detached_one(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    with driver_of(kvm_lab) as driver:
        reasons = driver.check(volume_move(name=guest.image.name), QUICK)
    assert [reason.code for reason in reasons] == ["volume_in_use"]
    assert "web1" in reasons[0].message


@pytest.mark.parametrize("there", ["file", "pool"])
def test_what_stands_in_the_way_is_named_and_left_alone(kvm_lab: Lab, there: str) -> None:
    loose_file(kvm_lab)
    other = loose_file(kvm_lab, "kvm2")
    before = digest(other)
    migration = volume_move(target="kvm2/local" if there == "file" else "kvm2/none")
    with driver_of(kvm_lab) as driver:
        state = kvm_lab.snapshot_state()
        assert [reason.code for reason in driver.check(migration, QUICK)] == ["volume_exists" if there == "file" else "pool_not_on_host"]
        with pytest.raises(StateConflict):
            driver.write_note(migration, note_of(migration), QUICK)
        assert kvm_lab.snapshot_state() == state
    assert digest(other) == before


def test_a_cancelled_move_of_a_volume_leaves_its_source_alone(kvm_lab: Lab) -> None:
    file = loose_file(kvm_lab)
    before = digest(file)
    migration = volume_move()
    with driver_of(kvm_lab) as driver:
        note = driver.write_note(migration, note_of(migration), QUICK)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=1))
        wait_for_copying(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.IN_FLIGHT
        assert set(loose(driver, "kvm1/local", "kvm2/local")) == {f"kvm1/local/{NAME}"}
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert digest(file) == before
    assert files_in(kvm_lab) == {"kvm1/local": [NAME]}
    assert secrets_on(kvm_lab) == []


@pytest.mark.timeout(600)
def test_whatever_call_was_the_last_the_next_run_ends_the_move(kvm_lab: Lab) -> None:
    verdicts = set()
    for number in itertools.count(1):
        kvm_lab.clear_guests()
        before = digest(loose_file(kvm_lab))
        migration = volume_move()
        call = killed_before(kvm_lab, migration, note_of(migration), QUICK, number)
        said = f"killed before call {number}, {call or 'none'}"
        with driver_of(kvm_lab) as driver:
            note = note_of(migration, operation_id="the-next-run")
            verdict = driver.verify(migration, note).verdict
            verdicts.add(verdict)
            if verdict is Verdict.ARRIVED:
                assert driver.finish(migration, note) == (), said
            else:
                assert verdict is Verdict.AT_SOURCE, said
                assert driver.rollback(migration, note) == (), said
                assert files_in(kvm_lab) == {"kvm1/local": [NAME]}, said
                assert secrets_on(kvm_lab) == [], said
                move_volume(driver, migration)
        assert files_in(kvm_lab) == {"kvm2/local": [NAME]}, said
        assert digest(kvm_lab.hosts["kvm2"].pool_folder("local") / NAME) == before, said
        assert secrets_on(kvm_lab) == [], said
        if not call:
            break
    assert number > 8
    assert verdicts == {Verdict.AT_SOURCE, Verdict.ARRIVED}


def test_a_move_begun_anew_takes_the_place_of_what_a_dead_controller_left(kvm_lab: Lab) -> None:
    before = digest(loose_file(kvm_lab))
    migration = volume_move()
    assert killed_before(kvm_lab, migration, note_of(migration), QUICK, 6).startswith("virStream.")
    assert NAME in files_in(kvm_lab)["kvm2/local"]
    with driver_of(kvm_lab) as driver:
        move_volume(driver, migration)
    assert digest(kvm_lab.hosts["kvm2"].pool_folder("local") / NAME) == before
    assert secrets_on(kvm_lab) == []


def test_volumes_of_no_vm_are_listed_with_their_size_and_format(kvm_lab: Lab) -> None:
    attached = kvm_lab.guest("web1", "kvm2")
    kvm_lab.guest("web2", "kvm1", pool="local", start=False)
    file = loose_file(kvm_lab)
    shared = kvm_lab.hosts["kvm1"].pool_folder("shared")
    for options in (["base.qcow2", "64M"], ["-F", "qcow2", "-b", "base.qcow2", "clone.qcow2"]):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options], cwd=shared, check=True)
    with driver_of(kvm_lab) as driver:
        found = loose(driver, "shared", "kvm1/local")
        assert driver.snapshot(LIGHT).volumes == ()
    assert set(found) == {f"kvm1/local/{NAME}", "shared/base.qcow2", "shared/clone.qcow2"}
    assert attached.image.name not in str(found)
    volume = found[f"kvm1/local/{NAME}"]
    assert (volume.pool, volume.path, volume.format) == ("kvm1/local", f"/srv/local/{NAME}", "raw")
    assert (volume.capacity_bytes, volume.allocated_bytes) == (8 * MIB, allocated(file))
    clone = found["shared/clone.qcow2"]
    assert (clone.format, clone.capacity_bytes, clone.backing) == ("qcow2", 64 * MIB, ("/srv/shared/base.qcow2",))


def test_a_template_below_the_disk_of_a_vm_that_is_off_is_not_loose(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", start=False)
    folder = guest.image.parent
    guest.image.rename(folder / "base.raw")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.raw", guest.image.name], cwd=folder, check=True)
    with driver_of(kvm_lab) as driver:
        assert loose(driver, "shared") == {}


def left_proven(lab: Lab, *, source_stays: bool) -> tuple[Migration, str]:
    """A move whose run was killed when its copy was proven: before its source was removed, or after that."""
    before = digest(loose_file(lab))
    migration = volume_move()
    with driver_of(lab) as driver:
        note = driver.write_note(migration, note_of(migration), QUICK)
        wait_for_end(driver, driver.start(migration, note, QUICK))
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
    if not source_stays:
        (lab.hosts["kvm1"].pool_folder("local") / NAME).unlink()
    return migration, before


def test_a_proven_copy_is_never_taken_for_the_leftover_of_a_dead_run(kvm_lab: Lab) -> None:
    migration, before = left_proven(kvm_lab, source_stays=False)
    copy = kvm_lab.hosts["kvm2"].pool_folder("local") / NAME
    loose_file(kvm_lab, "kvm3")
    other = dataclasses.replace(migration, source_host="kvm3", volumes=volume_move(source="kvm3/local").volumes)
    with driver_of(kvm_lab) as driver:
        assert [reason.code for reason in driver.check(other, QUICK)] == ["volume_exists"]
        with pytest.raises(MigrationError):
            driver.write_note(other, note_of(other, operation_id="another"), QUICK)
    assert digest(copy) == before
    new = loose_file(kvm_lab)  # the same name once more, with other content
    with driver_of(kvm_lab) as driver:
        note = driver.write_note(migration, note_of(migration, operation_id="another"), QUICK)
        assert "not equal" in wait_for_end(driver, driver.start(migration, note, QUICK))[-1].message
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert digest(copy) == before
    assert new.exists()


def test_a_second_run_that_finds_source_and_proven_copy_compares_them_and_ends_the_move(kvm_lab: Lab) -> None:
    migration, before = left_proven(kvm_lab, source_stays=True)
    with driver_of(kvm_lab) as driver:
        move_volume(driver, migration)
    assert digest(kvm_lab.hosts["kvm2"].pool_folder("local") / NAME) == before
    assert files_in(kvm_lab) == {"kvm2/local": [NAME]}
    assert secrets_on(kvm_lab) == []
