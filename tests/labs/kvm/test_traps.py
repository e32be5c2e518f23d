# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What libvirt gets wrong or waits for without an end, shown first with bare libvirt where it succeeds, and what the driver does instead."""

from __future__ import annotations

import dataclasses
import threading

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Scope, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.cold_world import cold_migration
from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, read_vm, wait_for_copying, wait_for_end
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.network import Link
from tests.labs.kvm.storage_world import DataDisk, extra_pool, files_of, guest_with_disks, note_for, secrets_of, storage_move

pytestmark = pytest.mark.kvm

SLOW = MoveOptions(bandwidth_mib_s=8)
MORE_THAN_CALLS_OF_A_CONNECTION = 6  # libvirtd works on five calls of one connection at a time


def test_a_disk_that_is_not_there_is_named_where_libvirt_speaks_of_unsafe_migration(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(8, 1),))
    target = kvm_lab.hosts["kvm2"]
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_NON_SHARED_DISK
    with kvm_lab.hosts["kvm1"].connection() as connection, pytest.raises(libvirt.libvirtError) as bare:
        connection.lookupByUUIDString(guest.uuid).migrateToURI3(target.peer_uri(), {libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS: "hdz"}, flags)
    assert bare.value.get_error_code() == libvirt.VIR_ERR_MIGRATE_UNSAFE
    with driver_of(kvm_lab) as driver:
        good = storage_move(driver, guest, "kvm1", "kvm2")
        mistyped = dataclasses.replace(good, volumes=(*good.volumes, dataclasses.replace(good.volumes[0], volume=f"{guest.uuid}/hdz", device="hdz")))
        (reason,) = driver.check(mistyped, MoveOptions())
        assert (reason.code, reason.blocks, "hdz" in reason.message) == ("volume_unknown", True, True)
        left_out = storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "kvm2/local"})
        found = {reason.code: reason for reason in driver.check(left_out, MoveOptions())}
    assert set(found) == {"volume_not_on_host"}
    assert "data0" in found["volume_not_on_host"].message
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert files_of(target) == set()


def test_a_guest_that_runs_is_never_moved_as_one_that_is_off(kvm_lab: Lab) -> None:
    """Bare libvirt reports success, and the guest runs here and is defined there."""
    doubled, kept = (kvm_lab.guest(name, "kvm1") for name in ("doubled", "kept"))
    flags = libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_PERSIST_DEST
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(doubled.uuid).migrateToURI3(kvm_lab.hosts["kvm2"].peer_uri(), {}, flags)
    assert kvm_lab.where(doubled) == {"kvm1": ("running", True), "kvm2": ("shutoff", True)}
    with driver_of(kvm_lab) as driver:
        migration = cold_migration(kept, "kvm1", "kvm2", mode=Mode.OFFLINE)
        assert [reason.code for reason in driver.check(migration, MoveOptions())] == ["power_state_changed"]
        # Somebody started it after the check, and the note says that it runs.
        note = driver.write_note(migration, note_of(migration, read_vm(driver, kept), migration_type="host", mode="offline"))
        assert "started" in wait_for_end(driver, driver.start(migration, note, MoveOptions()))[-1].message
        assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, note)
        assert read_vm(driver, kept).note is None
    assert kvm_lab.where(kept) == {"kvm1": ("running", True)}
    assert (kept.is_beating(), kept.restarts()) == (True, 0)


def test_a_guest_whose_disk_a_colleague_is_copying_stays_and_the_copying_goes_on(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", disk_mib=32)
    with kvm_lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        copy = "<disk type='file'><source file='/srv/shared/theirs.raw'/><driver type='raw'/></disk>"
        domain.blockCopy("hda", copy, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
        with driver_of(kvm_lab) as driver:
            operation = read_vm(driver, guest).operation
            migration = migration_of(guest, "kvm1", "kvm2")
            note = driver.write_note(migration, note_of(migration))
            assert wait_for_end(driver, driver.start(migration, note, MoveOptions()))[-1].message
            assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
            assert driver.rollback(migration, note) == ()
        assert domain.blockJobInfo("hda")["type"] == libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY
        domain.blockJobAbort("hda")
    assert operation is not None
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()


def test_the_cap_of_speed_holds_from_the_first_byte_of_the_disks(kvm_lab: Lab) -> None:
    """libvirt takes no other speed while disks are copied: it has to be right at the start."""
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(32, 16),))
    with driver_of(kvm_lab) as driver:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=32))
        seen: set[int] = set()
        with kvm_lab.hosts["kvm1"].connection() as connection:
            domain = connection.lookupByUUIDString(guest.uuid)
            while not seen:
                assert not driver.poll([job])[0].ended
                seen |= {info["bandwidth"] for disk in ("hda", "hdb") if (info := domain.blockJobInfo(disk, libvirt.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES))}
        wait_for_end(driver, job)
        assert driver.verify(migration, note).verdict is Verdict.ARRIVED
        assert driver.finish(migration, note) == ()
    assert seen == {32 << 20}


def test_a_pool_that_fills_up_while_disks_are_copied_costs_the_guest_nothing(kvm_lab: Lab) -> None:
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(32, 24),))
    before, target = files_of(kvm_lab.hosts["kvm1"]), kvm_lab.hosts["kvm2"]
    extra_pool(target, "small")
    target.run(["mount", "-t", "tmpfs", "-o", "size=40M", "tmpfs", "/srv/local/small"])
    try:
        with driver_of(kvm_lab) as driver:
            migration = storage_move(driver, guest, "kvm1", "kvm2", pools={"hda": "kvm2/small", "hdb": "kvm2/small"})
            assert driver.check(migration, SLOW) == ()
            note = note_for(driver, guest, migration)
            job = driver.start(migration, note, SLOW)
            wait_for_copying(driver, job)
            target.run(["sh", "-c", "dd if=/dev/zero of=/srv/local/small/of-others bs=1M 2>/dev/null || true"])
            assert wait_for_end(driver, job)[-1].message
            assert driver.verify(migration, note).verdict is Verdict.AT_SOURCE
            assert driver.rollback(migration, note) == ()
        assert target.run(["ls", "/srv/local/small"]).split() == ["of-others"]
    finally:
        target.run(["umount", "-l", "/srv/local/small"])
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert (guest.is_beating(), guest.restarts(), guest.faults()) == (True, 0, [])
    assert (files_of(kvm_lab.hosts["kvm1"]), secrets_of(target)) == (before, [])


def test_more_moves_than_a_connection_takes_calls_leave_room_to_watch_and_to_cancel(kvm_lab: Lab) -> None:
    guests = [kvm_lab.guest(f"web{number}", "kvm1", memory_mib=32, dirty_mib_s=0.4, working_set_mib=8) for number in range(MORE_THAN_CALLS_OF_A_CONNECTION)]
    with driver_of(kvm_lab) as driver:
        moves = [migration_of(guest, "kvm1", "kvm2") for guest in guests]
        notes = [driver.write_note(migration, note_of(migration)) for migration in moves]
        jobs = [driver.start(migration, note, MoveOptions(bandwidth_mib_s=4)) for migration, note in zip(moves, notes, strict=True)]
        for job in jobs:
            wait_for_copying(driver, job)
        assert not any(sample.ended for sample in driver.poll(jobs))
        assert driver.snapshot(Scope()).host_by_name["kvm1"].memory_mib
        driver.cancel(jobs[0])
        for job in jobs:
            wait_for_end(driver, job)
        verdicts = [driver.verify(job.migration, job.note).verdict for job in jobs]
        assert verdicts == [Verdict.AT_SOURCE, *[Verdict.ARRIVED] * (len(jobs) - 1)]
        assert driver.rollback(moves[0], notes[0]) == ()
        assert all(driver.finish(job.migration, job.note) == () for job in jobs[1:])
    assert kvm_lab.placements() == {"kvm1": ["web0"], "kvm2": [guest.name for guest in guests[1:]], "kvm3": []}
    assert all((guest.is_beating(), guest.restarts(), guest.faults()) == (True, 0, []) for guest in guests)


def test_capabilities_are_asked_once_and_of_all_hosts_at_the_same_time(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer of a daemon takes seconds. Nobody gets his here before all hosts are being asked."""
    together = threading.Barrier(len(kvm_lab.hosts), timeout=20.0)
    asked: list[str] = []
    real = libvirt.virConnect.getCapabilities

    def wait_for_all(connection: libvirt.virConnect) -> str:
        asked.append(connection.getHostname())
        together.wait()
        return str(real(connection))

    monkeypatch.setattr(libvirt.virConnect, "getCapabilities", wait_for_all)
    with driver_of(kvm_lab) as driver:
        states = [{host.state for host in driver.snapshot(Scope()).hosts} for _turn in range(2)]
    assert states == [{HostState.UP}, {HostState.UP}]
    assert sorted(asked) == [f"{name}.lab" for name in sorted(kvm_lab.hosts)]


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["its daemon hangs", "its management network breaks"])
def test_a_destination_that_falls_silent_costs_the_move_alone(kvm_lab: Lab, trouble: str) -> None:
    """The source's daemon gives it up after half a minute of silence; until then the guest runs on, and every question is answered."""
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab, connect_timeout_seconds=2.0) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = driver.write_note(migration, note_of(migration))
        job = driver.start(migration, note, SLOW)
        wait_for_copying(driver, job)
        if trouble == "its daemon hangs":
            kvm_lab.hosts["kvm2"].freeze_daemon()
        else:
            kvm_lab.cut_link("kvm2", Link.MANAGEMENT)
        driver.cancel(job)
        guest.wait_beating()
        assert wait_for_end(driver, job)[-1].message
        verification = driver.verify(migration, note)
        assert verification.verdict is Verdict.AT_SOURCE
        assert [reason.code for reason in verification.reasons] == ["uniqueness_unproven"]
        assert [reason.code for reason in driver.rollback(migration, note)] == ["leftover_unproven"]
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])
