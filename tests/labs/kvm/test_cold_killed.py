# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller is killed before each of the calls by which it moves a VM by copying; the next run ends the work, whichever call was the last.

The hosts are in one of these states after a call and before the next, so that a death between any two calls is among them; uploads die in their middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.execution.adoption import migration_of
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, Mode

from tests.labs.kvm.cold_world import (
    MIB,
    QUICK,
    as_qcow2,
    autostart_of,
    cold_migration,
    digest,
    files_in,
    local_to_local,
    move,
    note_for,
    secrets_on,
    snapshots_of,
)
from tests.labs.kvm.driver_world import driver_of, read_vm
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.killed_controller import killed_before
from tests.labs.kvm.lab import Lab
from tests.matrix import IS_WHOLE, calls_to_die_before

pytestmark = [pytest.mark.kvm, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class World:
    """A guest, its planned move, and what must be true of it in the end. ``target_pool``: where its disk is then, as ``files_in`` names it."""

    guest: Guest
    migration: Migration
    state: str
    target_pool: str
    content: str
    snapshots: dict[str, tuple[str, bool]]


def content_of(lab: Lab, guest: Guest, pool: str) -> str:
    """The checksum of what the guest's disk holds, apart from where a running guest writes."""
    host, _slash, name = pool.rpartition("/")
    path = lab.hosts[host or "kvm1"].pool_folder(name) / guest.image.name
    if path.suffix == ".qcow2":
        return digest(path)
    data = path.read_bytes()
    return str(hash((len(data), data[2 * MIB :])))


def running(lab: Lab, target: str = "kvm2", nic: str | None = None) -> World:
    """A running guest on a local disk with something on it."""
    guest = lab.guest("web1", "kvm1", pool="local", autostart=True, nic=nic, disk_mib=4)
    with guest.image.open("r+b") as disk:
        disk.seek(3 * MIB)
        disk.write(bytes(range(256)) * 1024)
    pool = "kvm2/local" if target == "kvm2" else "shared"
    migration = cold_migration(guest, "kvm1", target, {"hda": ("kvm1/local", pool)})
    return World(guest, migration, "running", pool, content_of(lab, guest, "kvm1/local"), {})


def within_its_host(lab: Lab) -> World:
    """The same, with its storage alone to be moved."""
    return running(lab, "kvm1")


def off_with_snapshots(lab: Lab) -> World:
    """A guest that is off, on a qcow2 disk with two snapshots."""
    guest = lab.guest("web1", "kvm1", pool="local", autostart=True, start=False)
    as_qcow2(lab, guest, "kvm1", snapshots=("clean", "patched"))
    migration = local_to_local(guest, Mode.OFFLINE)
    return World(guest, migration, "shutoff", "kvm2/local", content_of(lab, guest, "kvm1/local"), snapshots_of(lab, guest, "kvm1"))


def cannot_start_there(lab: Lab) -> World:
    """A running guest whose network the target lacks: its move is taken back, and that controller is killed as well."""
    return running(lab, nic="only1")


def second_run(driver: LibvirtDriver, guest: Guest) -> Verdict | None:
    """What the next run does with what it finds: by the note alone, as ``execution/adoption.py``. None: there is nothing to do."""
    vm = read_vm(driver, guest)
    if vm.note is None:
        return None
    migration = migration_of(vm.id, vm.name, vm.memory_mib, vm.note)
    verdict = driver.verify(migration, vm.note).verdict
    if verdict is Verdict.ARRIVED:
        assert driver.finish(migration, vm.note) == ()
    else:
        assert verdict is Verdict.AT_SOURCE
        driver.rollback(migration, vm.note)
    return verdict


def assert_whole(lab: Lab, world: World, host: str, pool: str, said: str) -> None:
    """Defined once, in its power state, its disk equal and alone, with its autostart and snapshots, and no mark of the move."""
    guest = world.guest
    assert lab.where(guest) == {host: (world.state, True)}, said
    assert files_in(lab) == {pool: [guest.image.name]}, said
    assert content_of(lab, guest, pool) == world.content, said
    assert autostart_of(lab, guest, host), said
    assert snapshots_of(lab, guest, host) == world.snapshots, said
    assert secrets_on(lab) == [], said
    assert world.state != "running" or guest.is_beating(), said


def each_death(lab: Lab, make: Callable[[Lab], World]) -> Iterator[tuple[World, LibvirtDriver, str]]:
    """A fresh world for each call that the controller was killed before, and in the end one that it was not."""
    for number in calls_to_die_before():
        lab.clear_guests()
        world = make(lab)
        with driver_of(lab) as driver:
            note = note_for(driver, world.guest, world.migration)
            call = killed_before(lab, world.migration, note, QUICK, number)
            yield world, driver, f"killed before call {number}, {call or 'none'}"
        if not call:
            assert number > 10, "the calls were not counted"
            return


@pytest.mark.parametrize("make", [running, within_its_host, off_with_snapshots])
@pytest.mark.matrix
def test_whatever_call_was_the_last_the_next_run_ends_the_move(kvm_lab: Lab, make: Callable[[Lab], World]) -> None:
    verdicts = set()
    for world, driver, said in each_death(kvm_lab, make):
        verdict = second_run(driver, world.guest)
        verdicts.add(verdict)
        here = read_vm(driver, world.guest)
        arrived = here.volumes[0].pool == world.target_pool
        assert verdict is None or arrived is (verdict is Verdict.ARRIVED), said
        if not arrived:
            assert_whole(kvm_lab, world, "kvm1", "kvm1/local", said)
            assert move(driver, world.guest, world.migration) == (), said
        assert_whole(kvm_lab, world, world.migration.target_host, world.target_pool, said)
    assert not IS_WHOLE or verdicts == {None, Verdict.AT_SOURCE, Verdict.ARRIVED}


def test_whatever_call_was_the_last_of_a_move_that_is_taken_back_the_vm_runs_where_it_was(kvm_lab: Lab) -> None:
    for world, driver, said in each_death(kvm_lab, cannot_start_there):
        try:
            second_run(driver, world.guest)
        except Exception as error:  # noqa: BLE001 (the switched VM cannot be started there by the second run either; that says so and takes it back)
            assert "only1" in str(error), said
        assert second_run(driver, world.guest) is None, said
        assert_whole(kvm_lab, world, "kvm1", "kvm1/local", said)
