# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libvirt driver moves real guests: one after the other end to end, aborted, stalled, orphaned, and with every kind of trouble on the way."""

from __future__ import annotations

import dataclasses
import time

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Home, NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, Transport

from tests.labs.kvm.driver_world import NASTY_NAME, driver_of, frozen_qemu, migration_of, note_of, read_vm, site_options, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.network import Link

pytestmark = pytest.mark.kvm

SLOW = MoveOptions(bandwidth_mib_s=8)


def move(driver: LibvirtDriver, guest: Guest, source: str, target: str, options: MoveOptions | None = None, **note: object) -> tuple[Migration, VmNote]:
    """Move a guest end to end, and expect it to arrive."""
    migration = migration_of(guest, source, target)
    written = note_of(migration, read_vm(driver, guest), **note)
    driver.write_note(migration, written)
    job = driver.start(migration, written, options or MoveOptions())
    wait_for_end(driver, job)
    assert driver.verify(migration, written).verdict is Verdict.ARRIVED
    assert driver.finish(migration, written) == ()
    return migration, written


def test_a_guest_moves_and_never_stops(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest(NASTY_NAME, "kvm1", nic="guests", autostart=True, dirty_mib_s=2)
    with driver_of(kvm_lab) as driver:
        assert driver.check(migration_of(guest, "kvm1", "kvm2"), MoveOptions()) == ()
        migration, note = move(driver, guest, "kvm1", "kvm2")
        assert driver.verify(migration, note).downtime_ms is not None
        vm = read_vm(driver, guest)
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert (vm.host, vm.autostart, vm.note, vm.home) == ("kvm2", True, None, None)
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_progress_tells_what_remains_until_nothing_does(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=16))
        samples = [sample for sample in wait_for_end(driver, job) if sample.total_bytes]
        driver.finish(migration, note)
    remaining = [sample.remaining_bytes for sample in samples]
    assert len(set(remaining)) > 2
    assert remaining[0] > remaining[-1]
    assert all(0.0 <= sample.percent < 100.0 for sample in samples)
    assert samples[-1].ended
    assert samples[-1].message == ""


@pytest.mark.rule("CAS-52", sign="+")
def test_a_paused_guest_arrives_paused(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).suspend()
    with driver_of(kvm_lab) as driver:
        migration, note = move(driver, guest, "kvm1", "kvm2")
        assert driver.verify(migration, note).reasons == ()
    assert kvm_lab.where(guest) == {"kvm2": ("paused", True)}


def test_a_transient_guest_stays_transient_and_is_on_one_host_only(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).undefine()
    with driver_of(kvm_lab) as driver:
        move(driver, guest, "kvm1", "kvm2")
    assert kvm_lab.where(guest) == {"kvm2": ("running", False)}


@pytest.mark.rule("CSK-14", sign="+")
@pytest.mark.rule("CAS-24", sign="+")
@pytest.mark.parametrize(
    "options",
    [
        MoveOptions(transport=Transport.MANAGED),
        MoveOptions(auto_converge=True),
        MoveOptions(max_downtime_ms=500),
        MoveOptions(bandwidth_mib_s=64),
    ],
    ids=["managed", "auto_converge", "max_downtime", "bandwidth"],
)
def test_every_way_to_move_ends_in_one_running_definition(kvm_lab: Lab, options: MoveOptions) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=1)
    with driver_of(kvm_lab) as driver:
        move(driver, guest, "kvm1", "kvm3", options)
    assert kvm_lab.where(guest) == {"kvm3": ("running", True)}
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_without_a_migration_network_memory_goes_the_way_that_the_daemons_go(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    hosts = {name: dataclasses.replace(host, migration_address=None) for name, host in site_options(kvm_lab).hosts.items()}
    for name in kvm_lab.hosts:
        kvm_lab.cut_link(name, Link.MIGRATION)
    with driver_of(kvm_lab, hosts=hosts) as driver:
        move(driver, guest, "kvm1", "kvm2")
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}


@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_the_controller_may_reach_the_hosts_in_other_ways(kvm_lab: Lab, transport: str) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab, transport) as driver:
        assert driver.check(migration_of(guest, "kvm1", "kvm2"), MoveOptions()) == ()
        move(driver, guest, "kvm1", "kvm2")
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}


def test_the_home_stays_in_the_note_until_the_guest_is_back(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        move(driver, guest, "kvm1", "kvm2", home=Home("kvm1", ("shared",), 17.0))
        vm = read_vm(driver, guest)
        assert vm.home == Home("kvm1", ("shared",), 17.0, away_on="kvm2")
        assert vm.note is not None
        assert vm.note.phase is NotePhase.SETTLED
        move(driver, guest, "kvm2", "kvm1", home=vm.home)
        assert read_vm(driver, guest).note is None


def state_without_empty_metadata(lab: Lab) -> str:
    """Everything on all hosts, but for the empty element that libvirt leaves where a note was, and files' digests that follow from it."""
    return "\n".join(line for line in lab.snapshot_state().splitlines() if "<metadata/>" not in line and "libvirt-config" not in line)


@pytest.mark.rule("CAS-08", sign="+")
@pytest.mark.rule("CSK-14", sign="+")
def test_an_aborted_move_leaves_the_guest_and_nothing_else(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    before = state_without_empty_metadata(kvm_lab)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, SLOW)
        wait_for_copying(driver, job)
        driver.cancel(job)
        assert wait_for_end(driver, job)[-1].message
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
        driver.cancel(job)  # of a move that is over: well
    assert state_without_empty_metadata(kvm_lab) == before
    assert guest.is_beating()


def test_a_move_that_is_cancelled_as_soon_as_it_is_started_does_not_happen(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, SLOW)
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


@pytest.mark.rule("CAS-24", sign="-")
def test_a_guest_that_is_switched_off_in_the_middle_is_told_where_it_is_and_that_it_is_off(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, SLOW)
        wait_for_copying(driver, job)
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).destroy()
        wait_for_end(driver, job)
        verification = driver.verify(migration, note)
        assert verification.verdict is Verdict.AT_SOURCE
        assert [reason.code for reason in verification.reasons] == ["power_state_differs"]
        assert driver.rollback(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm1": ("shutoff", True)}


def test_a_rolled_back_guest_that_was_away_keeps_its_home(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm2")
    home = Home("kvm1", (), 17.0, away_on="kvm2")
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm2", "kvm3")
        note = note_of(migration, home=home)
        driver.write_note(migration, note)
        driver.rollback(migration, note)
        vm = read_vm(driver, guest)
    assert vm.home == home
    assert vm.note is not None
    assert vm.note.phase is NotePhase.SETTLED


def test_a_broken_migration_network_shows_as_a_stall_and_can_be_aborted(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, SLOW)
        wait_for_copying(driver, job)
        kvm_lab.cut_link("kvm2", Link.MIGRATION)
        time.sleep(1.0)
        stalled = [driver.poll([job])[0].remaining_bytes for _turn in range(8) if not time.sleep(0.25)]
        assert len(set(stalled)) == 1
        assert driver.verify(migration, note).verdict is Verdict.IN_FLIGHT
        driver.cancel(job)
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert guest.faults() == []


@pytest.mark.rule("CSK-14", sign="-")
def test_a_destination_whose_daemon_dies_leaves_the_guest_at_its_source(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, SLOW)
        wait_for_copying(driver, job)
        kvm_lab.hosts["kvm2"].kill_daemon()
        wait_for_end(driver, job)
        verification = driver.verify(migration, note)
        assert verification.verdict is Verdict.AT_SOURCE
        assert [reason.code for reason in verification.reasons] == ["uniqueness_unproven"]
        assert [reason.code for reason in driver.rollback(migration, note)] == ["leftover_unproven"]
    assert guest.is_beating()


def test_a_source_that_does_not_answer_is_no_proof_of_arrival(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        migration, note = move(driver, guest, "kvm1", "kvm2")
        kvm_lab.hosts["kvm1"].kill_daemon()
        verification = driver.verify(migration, note)
    assert verification.verdict is Verdict.UNREACHABLE
    assert [presence.host for presence in verification.presences] == ["kvm2"]


def test_a_guest_that_is_off_is_never_moved_live(kvm_lab: Lab) -> None:
    """libvirt would report success for some flags, and define it twice."""
    guest = kvm_lab.guest("web1", "kvm1", start=False)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        with pytest.raises(StateConflict, match="does not run"):
            driver.start(migration, note_of(migration), MoveOptions())
    assert kvm_lab.where(guest) == {"kvm1": ("shutoff", True)}


def test_a_note_is_not_written_into_a_running_migration(kvm_lab: Lab) -> None:
    """libvirt would block for half a minute and then refuse."""
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, SLOW)
        wait_for_copying(driver, job)
        with pytest.raises(StateConflict, match="another operation"):
            driver.write_note(migration, note)
        driver.cancel(job)
        wait_for_end(driver, job)


def test_a_stale_definition_of_this_move_is_removed_from_the_source(kvm_lab: Lab) -> None:
    """As a libvirt that was not told to undefine it leaves it."""
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        target = kvm_lab.hosts["kvm2"]
        flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_PEER2PEER
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).migrateToURI3(target.peer_uri(), {}, flags)
        assert kvm_lab.where(guest) == {"kvm1": ("shutoff", True), "kvm2": ("running", True)}
        verification = driver.verify(migration, note)
        assert verification.verdict is Verdict.ARRIVED
        assert [reason.code for reason in verification.reasons] == ["stale_definition"]
        assert driver.finish(migration, note) == ()
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}


def test_a_definition_that_the_move_did_not_make_is_left_alone(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm1"].connection() as source, kvm_lab.hosts["kvm3"].connection() as other:
        other.defineXML(source.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm3")
        note = note_of(migration)
        driver.write_note(migration, note)
        assert [reason.code for reason in driver.rollback(migration, note)] == ["leftover_foreign"]
    assert kvm_lab.where(guest) == {"kvm1": ("running", True), "kvm3": ("shutoff", True)}


def test_a_move_whose_qemu_hangs_is_polled_without_hanging(kvm_lab: Lab) -> None:
    hangs, well = kvm_lab.guest("hangs", "kvm1", dirty_mib_s=4), kvm_lab.guest("well", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        jobs = []
        for guest in (hangs, well):
            migration = migration_of(guest, "kvm1", "kvm2")
            note = note_of(migration)
            driver.write_note(migration, note)
            jobs.append(driver.start(migration, note, SLOW))
            wait_for_copying(driver, jobs[-1])
        with frozen_qemu(kvm_lab, hangs, "kvm1"):
            samples = [driver.poll(jobs) for _turn in range(6) if not time.sleep(0.2)]
            until = time.monotonic() + 30
            while len({moving.remaining_bytes for _stuck, moving in samples}) == 1 and time.monotonic() < until:
                time.sleep(0.2)
                samples.append(driver.poll(jobs))
            assert len({stuck.remaining_bytes for stuck, _moving in samples[1:]}) == 1
            assert "slow to tell" in samples[-1][0].message
            assert len({moving.remaining_bytes for _stuck, moving in samples}) > 1
        driver.cancel(jobs[0])
        for job in jobs:
            wait_for_end(driver, job)
        assert [driver.verify(job.migration, job.note).verdict for job in jobs] == [Verdict.AT_SOURCE, Verdict.ARRIVED]
