# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations that the libvirt driver finds running: ours by their note, everybody else's, and what a snapshot says of them meanwhile."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, LIGHT, InFlight, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind

from tests.labs.kvm.commands import wait_until
from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, python, read_vm, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


@contextmanager
def foreign_migration(lab: Lab, guest: Guest, source: str, target: str) -> Iterator[subprocess.Popen[bytes]]:
    """A colleague's `virsh migrate`, slow enough to be seen; aborted at the end if it still runs."""
    uris = ("-c", lab.hosts[source].uri("unix"), "migrate", "--live", "--p2p", "--persistent", "--undefinesource", "--bandwidth", "8")
    process = subprocess.Popen(["virsh", *uris, guest.uuid, lab.hosts[target].peer_uri()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        with lab.hosts[source].connection() as connection, contextlib.suppress(libvirt.libvirtError):  # it is over
            connection.lookupByUUIDString(guest.uuid).abortJob()
        process.communicate(timeout=60)


def found_in_flight(driver: LibvirtDriver) -> InFlight:
    """The one migration that runs, as soon as both halves of it are there."""
    found: list[InFlight] = []

    def look() -> bool:
        found[:] = driver.in_flight()
        return len(found) == 1 and bool(found[0].target_host)

    wait_until(look, "a migration in flight", timeout_s=30)
    return found[0]


def test_a_quiet_site_has_none(kvm_lab: Lab) -> None:
    kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        assert driver.in_flight() == ()


def test_a_foreign_migration_is_told_with_both_its_ends_and_is_never_adopted(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", memory_mib=96, dirty_mib_s=4)
    with driver_of(kvm_lab) as driver, foreign_migration(kvm_lab, guest, "kvm1", "kvm3"):
        found = found_in_flight(driver)
        assert found == InFlight(guest.uuid, "web1", "kvm1", "kvm3", 96, None)
        assert not found.is_ours
        with pytest.raises(StateConflict, match="somebody else"):
            driver.adopt(found)


@pytest.mark.parametrize("old", [{"phase": NotePhase.SETTLED}, {"source": "kvm2"}], ids=["of a finished move", "of a move from another host"])
def test_an_old_note_does_not_make_a_foreign_migration_ours(kvm_lab: Lab, old: dict[str, object]) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        driver.write_note(migration, note_of(migration, **old))
        with foreign_migration(kvm_lab, guest, "kvm1", "kvm3"):
            assert not found_in_flight(driver).is_ours


@pytest.mark.rule("CAS-18", sign="+")
def test_a_guest_in_flight_is_one_vm_at_its_source(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=8))
        wait_for_copying(driver, job)
        (vm,) = driver.snapshot(EVERYTHING).vms
        assert (vm.host, vm.also_on, vm.operation, vm.operation_target) == ("kvm1", (), OperationKind.MIGRATION_OUT, "kvm2")
        assert vm.note == note
        (light,) = driver.snapshot(LIGHT).vms
        assert (light.host, light.also_on) == ("kvm1", ())
        assert [(found.target_host, found.is_ours) for found in driver.in_flight()] == [("kvm2", True)]
        driver.cancel(job)
        wait_for_end(driver, job)


def test_a_host_that_is_off_hides_nothing_of_the_others(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    kvm_lab.hosts["kvm2"].power_off()
    with driver_of(kvm_lab, "tcp", connect_timeout_seconds=2.0) as driver, foreign_migration(kvm_lab, guest, "kvm1", "kvm3"):
        assert found_in_flight(driver).target_host == "kvm3"


def test_a_guest_that_is_gone_is_nowhere(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    kvm_lab.clear_guests()
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        assert driver.verify(migration, note_of(migration)).verdict is Verdict.NOWHERE


CONTROLLER = """
import sys, time
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of, note_of
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
name, uuid, vm_name = sys.argv[1:]
with driver_of(Lab.existing(LabConfig(name=name))) as driver:
    migration = Migration("m1", uuid, vm_name, "kvm1", "kvm2")
    note = note_of(migration)
    driver.write_note(migration, note)
    job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=16))
    while not driver.poll([job])[0].processed_bytes:
        time.sleep(0.02)
    print(note.operation_id, flush=True)
    sys.stdin.read()
"""


def test_a_move_outlives_its_killed_controller_and_is_adopted_by_the_next(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", autostart=True)
    controller = python(CONTROLLER, kvm_lab.config.name, guest.uuid, guest.name)
    assert controller.stdout
    assert controller.stdin
    operation = controller.stdout.readline().strip()
    assert operation, "the first controller did not start its move"
    controller.kill()
    controller.wait()
    controller.stdout.close()
    controller.stdin.close()
    with driver_of(kvm_lab) as driver:
        (found,) = driver.in_flight()
        assert (found.vm, found.vm_name, found.source_host, found.target_host, found.is_ours) == (guest.uuid, "web1", "kvm1", "kvm2", True)
        assert found.note is not None
        assert found.note.operation_id == operation
        job = driver.adopt(found)
        wait_for_end(driver, job)
        assert driver.verify(job.migration, job.note).verdict is Verdict.ARRIVED
        assert driver.finish(job.migration, job.note) == ()
        assert driver.in_flight() == ()
        assert read_vm(driver, guest).note is None
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_closing_the_driver_leaves_its_moves_alone(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as first:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        first.write_note(migration, note)
        wait_for_copying(first, first.start(migration, note, MoveOptions(bandwidth_mib_s=16)))
    with driver_of(kvm_lab) as second:
        (found,) = second.in_flight()
        wait_for_end(second, second.adopt(found))
        assert second.verify(migration, note).verdict is Verdict.ARRIVED
