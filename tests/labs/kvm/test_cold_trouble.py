# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves by copying in bad weather: hosts that die in the middle, a full pool, a cancel at any moment. The VM runs once, and the next run ends the work."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.cold_move import Stage, at_stage
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.notes import put_note
from ansible_collections.vmops.migration.plugins.module_utils.execution.adoption import migration_of
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.cold_world import MIB, autostart_of, begin, cold_migration, files_in, local_to_local, note_for, secrets_on
from tests.labs.kvm.commands import wait_until
from tests.labs.kvm.driver_world import SwitchWonError, driver_of, read_vm, until_the_cancel_wins, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

SLOW = MoveOptions(shutdown_seconds=0.2, bandwidth_mib_s=4)


def filled(lab: Lab, size_mib: int = 8, *, start: bool = True) -> Guest:
    """A guest on a local disk of kvm1 that takes a while to copy."""
    guest = lab.guest("web1", "kvm1", pool="local", autostart=True, start=start, disk_mib=size_mib + 1)
    with guest.image.open("r+b") as disk:
        disk.seek(MIB)
        disk.write(b"data" * (size_mib * MIB // 4))
    return guest


def assert_untouched(lab: Lab, guest: Guest) -> None:
    """It runs where it was, and nothing of the move is left."""
    assert lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert autostart_of(lab, guest, "kvm1")
    assert files_in(lab) == {"kvm1/local": [guest.image.name]}
    assert secrets_on(lab) == []


@pytest.mark.rule("CAS-26", sign="+")
@pytest.mark.parametrize("percent", [5, 25, 45, 55, 75, 95])
@pytest.mark.matrix
def test_a_cancel_at_any_moment_of_copy_and_reading_back_leaves_no_trace(kvm_lab: Lab, percent: int) -> None:
    until_the_cancel_wins(kvm_lab, lambda: cancel_at(kvm_lab, percent))


def cancel_at(lab: Lab, percent: int) -> None:
    guest = filled(lab)
    with driver_of(lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration, SLOW)
        while (sample := driver.poll([job])[0]).percent < percent:
            if sample.ended:
                raise SwitchWonError(str(sample))
        driver.cancel(job)
        wait_for_end(driver, job)
        print(f"cancelled at {sample.percent} %")
        verdict = driver.verify(migration, job.note).verdict
        if verdict is Verdict.ARRIVED:
            raise SwitchWonError(str(sample))
        assert verdict is Verdict.AT_SOURCE, sample
        assert driver.rollback(migration, job.note) == ()
    assert_untouched(lab, guest)


def test_a_target_that_loses_its_power_costs_the_move_alone(kvm_lab: Lab) -> None:
    guest = filled(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration, SLOW)
        wait_for_copying(driver, job, MIB)
        kvm_lab.hosts["kvm2"].power_off()
        wait_for_end(driver, job)
        # Nothing is defined on kvm2 before all copies are verified: it cannot have the VM, which goes on at once.
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        assert [reason.code for reason in driver.rollback(migration, job.note)] == ["leftover_file"]
        assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
        kvm_lab.hosts["kvm2"].power_on()
        wait_until(lambda: driver.rollback(migration, job.note) == (), "the rest to be removed on the host that is on again", timeout_s=60)
    assert_untouched(kvm_lab, guest)


def test_a_source_whose_daemon_dies_during_the_copy_goes_on_with_its_vm(kvm_lab: Lab) -> None:
    guest = filled(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration, SLOW)
        wait_for_copying(driver, job, MIB)
        kvm_lab.hosts["kvm1"].kill_daemon()
        wait_for_end(driver, job)
        kvm_lab.hosts["kvm1"].start_daemon()
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, job.note) == ()
    assert_untouched(kvm_lab, guest)


@pytest.mark.rule("CAS-18", sign="+")
def test_a_source_that_reboots_after_the_switch_does_not_start_the_vm_a_second_time(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = filled(kvm_lab, 1)
    create = libvirt.virDomain.createWithFlags

    def reboot_source(domain: libvirt.virDomain, flags: int = 0) -> int:
        kvm_lab.hosts["kvm1"].power_off()
        kvm_lab.hosts["kvm1"].power_on()
        return int(create(domain, flags))

    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        monkeypatch.setattr(libvirt.virDomain, "createWithFlags", reboot_source)
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        assert kvm_lab.where(guest) == {"kvm1": ("shutoff", True), "kvm2": ("running", True)}
        found = read_vm(driver, guest)
        assert found.note is not None
        adopted = migration_of(found.id, found.name, found.memory_mib, found.note)
        assert driver.verify(adopted, found.note).verdict is Verdict.ARRIVED
        assert driver.finish(adopted, found.note) == ()
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.restarts() == 1
    assert autostart_of(kvm_lab, guest, "kvm2")
    assert files_in(kvm_lab) == {"kvm2/local": [guest.image.name]}


@pytest.fixture
def small_pool(kvm_lab: Lab) -> Iterator[str]:
    """A pool of 4 MiB on kvm2."""
    host = kvm_lab.hosts["kvm2"]
    host.run(["mkdir", "-p", "/srv/small"])
    host.run(["mount", "-t", "tmpfs", "-o", "size=4m", "small", "/srv/small"])
    with host.connection() as connection:
        connection.storagePoolDefineXML("<pool type='dir'><name>small</name><target><path>/srv/small</path></target></pool>").create()
    yield "kvm2/small"
    with host.connection() as connection:
        pool = connection.storagePoolLookupByName("small")
        left = pool.listVolumes()
        pool.destroy()
        pool.undefine()
    host.run(["umount", "/srv/small"])
    assert left == []


def test_a_pool_that_runs_full_costs_the_move_alone(kvm_lab: Lab, small_pool: str) -> None:
    guest = filled(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = cold_migration(guest, "kvm1", "kvm2", {"hda": ("kvm1/local", small_pool)})
        job = begin(driver, guest, migration)
        assert "No space left" in wait_for_end(driver, job)[-1].message
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, job.note) == ()
    assert_untouched(kvm_lab, guest)


def test_a_vm_that_somebody_runs_on_the_target_is_not_started_at_its_source_as_well(kvm_lab: Lab) -> None:
    """Killed after the stop, and the operator helps himself: on a common disk, one VM more would be the end of it."""
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        migration = cold_migration(guest, "kvm1", "kvm2")
        note = at_stage(note_for(driver, guest, migration), Stage.STOPPING)
        with kvm_lab.hosts["kvm1"].connection() as connection, kvm_lab.hosts["kvm2"].connection() as other:
            domain = connection.lookupByUUIDString(guest.uuid)
            there = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            domain.destroy()
            put_note(domain, note)
            elsewhere = other.defineXML(there)
            put_note(elsewhere, None)
            elsewhere.create()
        found = driver.verify(migration, note)
        assert (found.verdict, [reason.code for reason in found.reasons]) == (Verdict.UNREACHABLE, ["runs_elsewhere"])
    assert kvm_lab.where(guest) == {"kvm1": ("shutoff", True), "kvm2": ("running", True)}


@pytest.mark.parametrize("wrote", [True, False], ids=["and-wrote", "and-wrote-nothing"])
def test_a_vm_that_may_have_run_at_the_target_is_taken_back_only_where_nothing_would_be_lost(kvm_lab: Lab, wrote: bool) -> None:
    """Killed in the moment of the start, and the target's daemon, restarted since, does not know any more why the VM is off. Now it cannot be started."""
    guest = filled(kvm_lab, 2, start=False)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest, Mode.OFFLINE)
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        note = dataclasses.replace(at_stage(job.note, Stage.STARTING), power_state="running")
        with kvm_lab.hosts["kvm2"].connection() as there:
            xml = there.lookupByUUIDString(guest.uuid).XMLDesc(0)
            domain = there.defineXML(xml.replace("</devices>", "<interface type='network'><source network='nowhere'/></interface></devices>"))
            put_note(domain, note)
        if wrote:
            with (kvm_lab.hosts["kvm2"].pool_folder("local") / guest.image.name).open("r+b") as disk:
                disk.seek(MIB)
                disk.write(b"an order of today")
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        with pytest.raises(MigrationError, match="nowhere"):
            driver.finish(migration, note)
        assert driver.verify(migration, note).verdict is (Verdict.ARRIVED if wrote else Verdict.AT_SOURCE)
    assert set(kvm_lab.where(guest)) == ({"kvm1", "kvm2"} if wrote else {"kvm1"})
    assert files_in(kvm_lab)["kvm1/local"] == [guest.image.name]
