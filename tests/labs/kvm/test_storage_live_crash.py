# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that is killed between any two steps of a live move with storage: another one ends the work with the VM's note alone."""

from __future__ import annotations

import signal

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase, VmNote

from tests.labs.kvm.driver_world import driver_of, python, read_vm, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import TEMPLATE, DataDisk, files_of, guest_with_disks, move_with_storage, secrets_of, storage_move

pytestmark = pytest.mark.kvm

CONTROLLER = """
import importlib, os, signal, sys
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of, note_of, wait_for_end
from tests.labs.kvm import storage_world
from types import SimpleNamespace
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

name, uuid, vm_name, place, when, turn, cancels = sys.argv[1:]
module, _dot, function = place.rpartition(".")
module = importlib.import_module("ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt." + module)
real, calls = getattr(module, function), []

def die(): os.kill(os.getpid(), signal.SIGKILL)

def stub(*arguments, **options):
    calls.append(1)
    if when == "before" and len(calls) == int(turn): die()
    result = real(*arguments, **options)
    if when == "after" and len(calls) == int(turn): die()
    return result

setattr(module, function, stub)
guest = SimpleNamespace(uuid=uuid, name=vm_name, spec=SimpleNamespace(memory_mib=64))
with driver_of(Lab.existing(LabConfig(name=name))) as driver:
    migration = storage_world.storage_move(driver, guest, "kvm1", "kvm2")
    note = storage_world.note_for(driver, guest, migration)
    job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=2 if cancels == "cancels" else 0))
    if cancels == "cancels":
        while driver.poll([job])[0].phase.value != "copying":
            pass
        driver.cancel(job)
    last = wait_for_end(driver, job)[-1]
    if driver.verify(migration, note).verdict is Verdict.ARRIVED:
        driver.finish(migration, note)
    else:
        driver.rollback(migration, note)
    print("not killed:", last.message)
"""


def end_of(driver: LibvirtDriver, guest: Guest) -> Verdict | None:
    """What the next run does: adopt what is in flight, else settle what the note tells; None where nothing was left to do."""
    for flight in driver.in_flight():
        job = driver.adopt(flight)
        wait_for_end(driver, job)
        return _settle(driver, job.migration, job.note)
    note = read_vm(driver, guest).note
    if note is None or note.phase is not NotePhase.MOVING:
        return None
    return _settle(driver, Migration("second", guest.uuid, guest.name, note.source, note.target), note)


def _settle(driver: LibvirtDriver, migration: Migration, note: VmNote) -> Verdict:
    verdict = driver.verify(migration, note).verdict
    assert verdict in (Verdict.ARRIVED, Verdict.AT_SOURCE)
    assert (driver.finish if verdict is Verdict.ARRIVED else driver.rollback)(migration, note) == ()
    return verdict


PLACES = [
    ("live.put_note", "after", 1, ""),
    ("partial.put", "after", 1, ""),  # marked as being copied
    ("base_images.make_image", "after", 1, ""),  # an empty file of the template's name
    ("base_images.copy_volume", "after", 1, ""),
    ("partial.drop", "before", 1, ""),  # whole, and marked twice
    ("live_storage.put_maker", "after", 1, ""),
    ("live_storage.make_image", "after", 1, ""),
    ("live_storage.make_image", "after", 2, ""),
    ("live_storage._extra", "after", 1, ""),  # all is there, libvirt not yet called
    ("live.remove_sources", "before", 1, ""),  # arrived, nothing removed
    ("copy_settle.delete_file", "after", 1, ""),
    ("copy_settle.delete_file", "after", 2, ""),
    ("live.remove_sources", "after", 1, ""),
    ("live.finish", "after", 1, ""),
    ("live.roll_back", "before", 1, "cancels"),
    ("copy_settle.delete_file", "after", 1, "cancels"),
    ("copy_settle.delete_file", "after", 3, "cancels"),
    ("settle.remove_targets", "after", 1, "cancels"),
]


@pytest.mark.rule("CSK-17", sign="-")
@pytest.mark.parametrize(("place", "when", "turn", "cancels"), PLACES, ids=["-".join(map(str, place)) for place in PLACES])
@pytest.mark.matrix
def test_killed_between_two_steps_the_next_run_ends_the_work(kvm_lab: Lab, place: str, when: str, turn: int, cancels: str) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", data=(DataDisk(8, 2),), autostart=True, dirty_mib_s=2)
    files = files_of(kvm_lab.hosts["kvm1"])
    controller = python(CONTROLLER, kvm_lab.config.name, guest.uuid, guest.name, place, when, str(turn), cancels)
    said, _error = controller.communicate(timeout=120)
    assert controller.returncode == -signal.SIGKILL, said
    with driver_of(kvm_lab) as driver:
        end_of(driver, guest)
        (host,) = kvm_lab.where(guest)
        if host == "kvm1":
            assert files_of(kvm_lab.hosts["kvm1"]) == files
            assert files_of(kvm_lab.hosts["kvm2"]) == set()
            assert secrets_of(kvm_lab.hosts["kvm2"]) == []
            assert read_vm(driver, guest).note is None
            move_with_storage(driver, guest, storage_move(driver, guest, "kvm1", "kvm2"))
        vm = read_vm(driver, guest)
    assert (vm.autostart, vm.note) == (True, None)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert (files_of(kvm_lab.hosts["kvm1"]), files_of(kvm_lab.hosts["kvm2"])) == ({TEMPLATE}, files)
    assert (secrets_of(kvm_lab.hosts["kvm1"]), secrets_of(kvm_lab.hosts["kvm2"])) == ([], [])
    assert (guest.restarts(), guest.faults()) == (0, [])


@pytest.mark.parametrize("phase", ["disks", "memory"])
def test_killed_while_it_copies_the_move_goes_on_and_is_adopted(kvm_lab: Lab, phase: str) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", root="linked", data=(DataDisk(32, 16),), autostart=True)
    files = files_of(kvm_lab.hosts["kvm1"])
    controller = python(WATCHED, kvm_lab.config.name, guest.uuid, guest.name, phase)
    assert controller.stdout
    print(controller.stdout.readline())
    controller.kill()
    controller.wait()
    controller.stdout.close()
    if controller.stdin:
        controller.stdin.close()
    with driver_of(kvm_lab) as driver:
        (found,) = driver.in_flight()
        assert found.is_ours
        assert end_of(driver, guest) is Verdict.ARRIVED
        assert driver.in_flight() == ()
        assert read_vm(driver, guest).note is None
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert (files_of(kvm_lab.hosts["kvm1"]), files_of(kvm_lab.hosts["kvm2"])) == ({TEMPLATE}, files)
    assert (guest.restarts(), guest.faults()) == (0, [])


WATCHED = """
import sys
from types import SimpleNamespace
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of
from tests.labs.kvm import storage_world
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt import progress
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

name, uuid, vm_name, phase = sys.argv[1:]
seen, real = {}, progress.to_progress
progress.to_progress = lambda *arguments: seen.update(arguments[1]) or real(*arguments)
guest = SimpleNamespace(uuid=uuid, name=vm_name, spec=SimpleNamespace(memory_mib=64))
with driver_of(Lab.existing(LabConfig(name=name))) as driver:
    migration = storage_world.storage_move(driver, guest, "kvm1", "kvm2")
    note = storage_world.note_for(driver, guest, migration)
    job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=8))
    while not seen.get({"disks": "disk_processed", "memory": "memory_processed"}[phase]):
        driver.poll([job])
    print({key: value for key, value in seen.items() if key in ("disk_processed", "disk_total", "memory_processed", "memory_total")}, flush=True)
    sys.stdin.read()
"""
