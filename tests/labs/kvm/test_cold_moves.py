# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real guests are moved by copying through the controller: running, paused and off, with their host, their storage or both, and nothing is left behind."""

from __future__ import annotations

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MoveFailed, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, VerifyCopy

from tests.labs.kvm.cold_world import (
    allocated,
    as_qcow2,
    autostart_of,
    begin,
    cold_migration,
    digest,
    files_in,
    local_to_local,
    move,
    secrets_on,
    snapshots_of,
)
from tests.labs.kvm.driver_world import NASTY_NAME, driver_of, read_vm, wait_for_copying, wait_for_end
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


@pytest.mark.rule("CAS-03", sign="+")
@pytest.mark.rule("PCD-06", sign="+")
@pytest.mark.rule("PCD-16", sign="+")
def test_a_vm_that_is_off_goes_with_its_disk_to_another_host_and_stays_off(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest(NASTY_NAME, "kvm1", pool="local", start=False, autostart=True, disk_mib=64)
    before = digest(guest.image)
    with driver_of(kvm_lab) as driver:
        assert move(driver, guest, local_to_local(guest, Mode.OFFLINE)) == ()
        vm = read_vm(driver, guest)
    copy = kvm_lab.hosts["kvm2"].pool_folder("local") / guest.image.name
    assert kvm_lab.where(guest) == {"kvm2": ("shutoff", True)}
    assert digest(copy) == before
    assert allocated(copy) < 1024 * 1024
    assert (vm.autostart, vm.note, vm.volumes[0].path) == (True, None, f"/srv/local/{copy.name}")
    assert files_in(kvm_lab) == {"kvm2/local": [copy.name]}
    assert secrets_on(kvm_lab) == []


@pytest.mark.parametrize("verify_copy", list(VerifyCopy))
def test_a_running_vm_is_stopped_copied_and_started_elsewhere(kvm_lab: Lab, verify_copy: VerifyCopy) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", nic="guests", autostart=True)
    options = MoveOptions(shutdown_seconds=0.2, verify_copy=verify_copy)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration, options)
        wait_for_end(driver, job)
        verification = driver.verify(migration, job.note)
        assert driver.finish(migration, job.note) == ()
        assert driver.finish(migration, job.note) == ()
        assert driver.verify(migration, job.note).verdict is Verdict.ARRIVED
    assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ())
    assert verification.downtime_ms is not None
    assert verification.downtime_ms > 0
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert guest.restarts() == 1
    assert autostart_of(kvm_lab, guest, "kvm2")
    assert files_in(kvm_lab) == {"kvm2/local": [guest.image.name]}
    assert secrets_on(kvm_lab) == []


def test_where_qemu_has_a_user_of_its_own_a_copy_has_its_owner_and_rights(unprivileged_kvm_lab: Lab) -> None:
    lab = unprivileged_kvm_lab
    guest = lab.guest("web1", "kvm1", pool="local")
    with driver_of(lab) as driver:
        assert move(driver, guest, local_to_local(guest)) == ()
        domain_is = lab.where(guest)
        assert move(driver, guest, cold_migration(guest, "kvm2", "kvm2", {"hda": ("kvm2/local", "shared")})) == ()
    assert domain_is == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert guest.restarts() == 2
    assert files_in(lab) == {"shared": [guest.image.name]}


@pytest.mark.rule("PCD-06", sign="+")
def test_a_paused_vm_arrives_paused(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).suspend()
    with driver_of(kvm_lab) as driver:
        move(driver, guest, local_to_local(guest))
    assert kvm_lab.where(guest) == {"kvm2": ("paused", True)}


@pytest.mark.parametrize("mode", [Mode.COLD, Mode.OFFLINE])
def test_on_shared_storage_only_the_definition_moves(kvm_lab: Lab, mode: Mode) -> None:
    guest = kvm_lab.guest("web1", "kvm1", start=mode is Mode.COLD, autostart=True)
    with driver_of(kvm_lab) as driver:
        assert move(driver, guest, cold_migration(guest, "kvm1", "kvm3", mode=mode)) == ()
    assert kvm_lab.where(guest) == {"kvm3": ("running" if mode is Mode.COLD else "shutoff", True)}
    assert autostart_of(kvm_lab, guest, "kvm3")
    assert files_in(kvm_lab) == {"shared": [guest.image.name]}


@pytest.mark.rule("CSV-13", sign="+")
@pytest.mark.parametrize("mode", [Mode.COLD, Mode.OFFLINE])
def test_storage_alone_goes_to_another_pool_of_the_same_host(kvm_lab: Lab, mode: Mode) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=mode is Mode.COLD, autostart=True)
    before = digest(guest.image)
    with driver_of(kvm_lab) as driver:
        assert move(driver, guest, cold_migration(guest, "kvm1", "kvm1", {"hda": ("kvm1/local", "shared")}, mode)) == ()
        vm = read_vm(driver, guest)
    copy = kvm_lab.hosts["kvm1"].pool_folder("shared") / guest.image.name
    assert kvm_lab.where(guest) == {"kvm1": ("running" if mode is Mode.COLD else "shutoff", True)}
    assert (vm.volumes[0].pool, vm.volumes[0].path, vm.autostart, vm.note) == ("shared", f"/srv/shared/{copy.name}", True, None)
    assert mode is Mode.COLD or digest(copy) == before
    assert files_in(kvm_lab) == {"shared": [copy.name]}
    assert secrets_on(kvm_lab) == []


@pytest.mark.parametrize("pools", [("kvm1/local", "kvm2/local"), ("kvm1/local", "shared")])
def test_internal_snapshots_of_a_qcow2_disk_come_along(kvm_lab: Lab, pools: tuple[str, str]) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    image = as_qcow2(kvm_lab, guest, "kvm1", snapshots=("clean", "patched"))
    before, known = digest(image), snapshots_of(kvm_lab, guest, "kvm1")
    assert known == {"clean": ("", False), "patched": ("clean", True)}
    target = "kvm2" if pools[1] != "shared" else "kvm1"
    with driver_of(kvm_lab) as driver:
        move(driver, guest, cold_migration(guest, "kvm1", target, {"hda": pools}, Mode.OFFLINE))
    copy = kvm_lab.hosts[target].pool_folder(pools[1].rpartition("/")[2]) / image.name
    assert digest(copy) == before
    assert snapshots_of(kvm_lab, guest, target) == known
    with kvm_lab.hosts[target].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.revertToSnapshot(domain.snapshotLookupByName("clean"))
        assert str(copy.name) in domain.XMLDesc()
        assert ("/srv/shared/" in domain.XMLDesc()) is (pools[1] == "shared")
    assert files_in(kvm_lab) == {pools[1]: [copy.name]}


@pytest.mark.rule("CAS-08", sign="+")
def test_a_cancelled_move_leaves_the_vm_running_where_it_was_and_nothing_at_the_target(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", autostart=True, disk_mib=16)
    with guest.image.open("r+b") as disk:
        disk.seek(1024 * 1024)
        disk.write(b"x" * 12 * 1024 * 1024)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration, MoveOptions(shutdown_seconds=0.2, bandwidth_mib_s=2))
        sample = wait_for_copying(driver, job, 1024 * 1024)
        assert driver.verify(migration, job.note).verdict is Verdict.IN_FLIGHT
        assert files_in(kvm_lab)["kvm2/local"] == [guest.image.name]
        driver.cancel(job)
        last = wait_for_end(driver, job)[-1]
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(migration, job.note) == ()
        vm = read_vm(driver, guest)
    assert sample.phase is Phase.COPYING
    assert 0 < sample.percent < 100
    assert "cancel" in last.message
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert (vm.autostart, vm.note) == (True, None)
    assert files_in(kvm_lab) == {"kvm1/local": [guest.image.name]}
    assert secrets_on(kvm_lab) == []


@pytest.mark.rule("CAS-08", sign="-")
def test_past_the_point_of_no_return_a_move_cannot_be_cancelled(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local")
    refused = []
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        create = libvirt.virDomain.createWithFlags

        def cancel_first(domain: libvirt.virDomain, flags: int = 0) -> int:
            with pytest.raises(StateConflict) as error:
                driver.cancel(jobs[0])
            refused.append(error.value)
            return int(create(domain, flags))

        monkeypatch.setattr(libvirt.virDomain, "createWithFlags", cancel_first)
        jobs = [begin(driver, guest, migration)]
        wait_for_end(driver, jobs[0])
        assert driver.verify(migration, jobs[0].note).verdict is Verdict.ARRIVED
        driver.finish(migration, jobs[0].note)
    assert len(refused) == 1
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}


def test_a_vm_that_cannot_start_with_its_new_disk_runs_with_its_old_one_again(kvm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", autostart=True)
    create = libvirt.virDomain.createWithFlags

    def spoil(domain: libvirt.virDomain, flags: int = 0) -> int:
        monkeypatch.setattr(libvirt.virDomain, "createWithFlags", create)
        kvm_lab.hosts["kvm1"].pool_folder("shared").joinpath(guest.image.name).unlink()
        return int(create(domain, flags))

    with driver_of(kvm_lab) as driver:
        migration = cold_migration(guest, "kvm1", "kvm1", {"hda": ("kvm1/local", "shared")})
        monkeypatch.setattr(libvirt.virDomain, "createWithFlags", spoil)
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, job.note)
        assert read_vm(driver, guest).volumes[0].path == f"/srv/local/{guest.image.name}"
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert autostart_of(kvm_lab, guest, "kvm1")
    assert files_in(kvm_lab) == {"kvm1/local": [guest.image.name]}
    assert secrets_on(kvm_lab) == []


def test_a_vm_that_cannot_start_at_its_target_runs_at_its_source_again(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", nic="only1", autostart=True)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest)
        job = begin(driver, guest, migration)
        last = wait_for_end(driver, job)[-1]
        assert driver.verify(migration, job.note).verdict is Verdict.AT_SOURCE
        driver.rollback(migration, job.note)
    assert "only1" in last.message
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()
    assert autostart_of(kvm_lab, guest, "kvm1")
    assert files_in(kvm_lab) == {"kvm1/local": [guest.image.name]}
    assert secrets_on(kvm_lab) == []


@pytest.mark.rule("CSK-17", sign="-")
def test_without_the_copy_at_the_target_nothing_is_removed_at_the_source(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    before = digest(guest.image)
    with driver_of(kvm_lab) as driver:
        migration = local_to_local(guest, Mode.OFFLINE)
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        (kvm_lab.hosts["kvm2"].pool_folder("local") / guest.image.name).unlink()
        verification = driver.verify(migration, job.note)
        assert (verification.verdict, [reason.code for reason in verification.reasons]) == (Verdict.ARRIVED, ["copy_missing"])
        with pytest.raises(MoveFailed):
            driver.finish(migration, job.note)
    assert digest(guest.image) == before
    assert set(kvm_lab.where(guest)) == {"kvm1", "kvm2"}
