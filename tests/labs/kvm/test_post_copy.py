# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Post-copy on real guests: the switch, no way back after it, a link that breaks in the middle, and a second controller that ends what the first began."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import TimeoutAction
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Progress
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.commands import LabError, wait_until
from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, read_vm, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.network import Link

pytestmark = pytest.mark.kvm

POST_COPY = MoveOptions(post_copy=True, bandwidth_mib_s=8)


def a_guest_that_never_converges(lab: Lab) -> Guest:
    """It rewrites 16 MiB four times as fast as 8 MiB/s can carry them."""
    return lab.guest("web1", "kvm1", dirty_mib_s=32, working_set_mib=32)


def begin(driver: LibvirtDriver, guest: Guest, options: MoveOptions = POST_COPY) -> Job:
    """A move under way, past its first pass over the guest's memory."""
    migration = migration_of(guest, "kvm1", "kvm2")
    note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), options)
    job = driver.start(migration, note, options)
    wait_until(lambda: poll(driver, job).passes > 0, "the first pass", timeout_s=60)
    return job


def poll(driver: LibvirtDriver, job: Job) -> Progress:
    return driver.poll([job])[0]


def in_post_copy(lab: Lab, driver: LibvirtDriver, guest: Guest, options: MoveOptions = POST_COPY) -> Job:
    """The same, running at its destination while the rest of its memory follows."""
    job = begin(driver, guest, options)
    driver.hurry(job, TimeoutAction.POST_COPY)
    wait_until(lambda: poll(driver, job).past_return and lab.where(guest)["kvm2"][0] == "running", "the switch", timeout_s=30)
    return job


def arrives(driver: LibvirtDriver, job: Job, lab: Lab, guest: Guest) -> None:
    wait_for_end(driver, job)
    assert driver.verify(job.migration, job.note).verdict is Verdict.ARRIVED
    assert driver.finish(job.migration, job.note) == ()
    assert lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


def test_a_guest_that_never_converges_arrives_by_post_copy(kvm_lab: Lab) -> None:
    guest = a_guest_that_never_converges(kvm_lab)
    with driver_of(kvm_lab) as driver:
        job = in_post_copy(kvm_lab, driver, guest)
        arrives(driver, job, kvm_lab, guest)


def test_there_is_no_way_back_after_the_switch(kvm_lab: Lab) -> None:
    guest = a_guest_that_never_converges(kvm_lab)
    with driver_of(kvm_lab) as driver:
        job = in_post_copy(kvm_lab, driver, guest)
        with pytest.raises(StateConflict, match="cannot be aborted any more"):
            driver.cancel(job)
        with pytest.raises(StateConflict, match="runs on kvm2 already"):
            driver.hurry(job, TimeoutAction.SUSPEND)
        assert driver.verify(job.migration, job.note).verdict is Verdict.IN_FLIGHT
        arrives(driver, job, kvm_lab, guest)


def test_without_the_option_there_is_no_switch(kvm_lab: Lab) -> None:
    guest = a_guest_that_never_converges(kvm_lab)
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, MoveOptions(bandwidth_mib_s=8))
        with pytest.raises(StateConflict):
            driver.hurry(job, TimeoutAction.POST_COPY)
        driver.cancel(job)
        wait_for_end(driver, job)
        driver.rollback(job.migration, job.note)
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


def break_off(lab: Lab, driver: LibvirtDriver, guest: Guest, options: MoveOptions = POST_COPY) -> Job:
    """A post-copy whose link was cut, and that was found to hang."""
    job = in_post_copy(lab, driver, guest, options)
    lab.cut_link("kvm2", Link.MIGRATION)
    time.sleep(1.0)
    with pytest.raises(MigrationError):
        driver.hurry(job, TimeoutAction.POST_COPY)
    return job


def test_a_link_that_breaks_in_the_moment_of_the_switch_is_waited_for_and_nothing_is_stopped(kvm_lab: Lab) -> None:
    """On a slow link it takes a while until the destination hears of it. Until then nobody runs the guest: to stop the way would lose it."""
    kvm_lab.shape_migration_links(64)
    guest = a_guest_that_never_converges(kvm_lab)
    with driver_of(kvm_lab) as driver:
        job = begin(driver, guest, MoveOptions(post_copy=True))
        driver.hurry(job, TimeoutAction.POST_COPY)
        wait_until(lambda: poll(driver, job).past_return, "the source to let go", timeout_s=30)
        kvm_lab.cut_link("kvm2", Link.MIGRATION)
        for _turn in range(3):
            if kvm_lab.where(guest)["kvm2"][0] != "running":
                with pytest.raises(StateConflict, match="has not begun"):
                    driver.hurry(job, TimeoutAction.POST_COPY)
            time.sleep(1.0)
        kvm_lab.restore_link("kvm2", Link.MIGRATION)
        arrives(driver, job, kvm_lab, guest)


def take_up(driver: LibvirtDriver, job: Job) -> None:
    answers: Counter[str] = Counter()

    def taken_up() -> bool:
        try:
            driver.hurry(job, TimeoutAction.POST_COPY)
        except MigrationError as error:
            answers[str(error)] += 1
            return False
        return True

    try:
        wait_until(taken_up, "the post-copy to be taken up", timeout_s=180)
    except LabError as error:
        raise LabError(f"{error}; the answers were {dict(answers)}") from error


def test_a_post_copy_whose_link_breaks_waits_and_is_taken_up_when_the_link_is_back(kvm_lab: Lab) -> None:
    guest = a_guest_that_never_converges(kvm_lab)
    with driver_of(kvm_lab) as driver:
        job = break_off(kvm_lab, driver, guest)
        sample = poll(driver, job)
        assert (sample.past_return, sample.interrupted, sample.ended) == (True, True, False)
        verification = driver.verify(job.migration, job.note)
        assert verification.verdict is Verdict.IN_FLIGHT
        assert [reason.code for reason in verification.reasons] == ["post_copy_interrupted"]
        kvm_lab.restore_link("kvm2", Link.MIGRATION)
        take_up(driver, job)
        arrives(driver, job, kvm_lab, guest)


def test_where_the_destination_does_not_hear_of_the_break_the_error_says_how_it_is_told(kvm_lab: Lab) -> None:
    """Its guest waits for a page and sends nothing, so that its side of the connection may look well for long."""
    guest = a_guest_that_never_converges(kvm_lab)
    addresses = {name: host.migration_address for name, host in kvm_lab.hosts.items()}
    with driver_of(kvm_lab) as driver:
        job = in_post_copy(kvm_lab, driver, guest)
        with kvm_lab.network.lost_connections("kvm1", addresses["kvm2"]):
            with pytest.raises(StateConflict, match="does not stop on kvm2") as caught:
                driver.hurry(job, TimeoutAction.POST_COPY)
            assert f"ss -K dst {addresses['kvm1']}" in (caught.value.hint or "")
            kvm_lab.network.close_connections("kvm2", addresses["kvm1"])
            take_up(driver, job)
            arrives(driver, job, kvm_lab, guest)


def test_a_second_controller_takes_up_the_post_copy_that_broke_under_the_first(kvm_lab: Lab) -> None:
    guest = a_guest_that_never_converges(kvm_lab)
    with driver_of(kvm_lab) as first:
        job = break_off(kvm_lab, first, guest)
    kvm_lab.restore_link("kvm2", Link.MIGRATION)
    with driver_of(kvm_lab) as second:
        (found,) = second.in_flight()
        assert found.is_ours
        job = second.adopt(found)
        assert poll(second, job).interrupted
        take_up(second, job)
        arrives(second, job, kvm_lab, guest)


def test_a_post_copy_whose_source_dies_is_told_as_lost_and_nothing_is_removed(kvm_lab: Lab) -> None:
    guest = a_guest_that_never_converges(kvm_lab)
    with driver_of(kvm_lab) as driver:
        job = in_post_copy(kvm_lab, driver, guest)
        with kvm_lab.hosts["kvm1"].connection() as connection:
            connection.lookupByUUIDString(guest.uuid).destroy()
        wait_for_end(driver, job)
        verification = driver.verify(job.migration, job.note)
        assert verification.verdict is Verdict.IN_FLIGHT
        assert [reason.code for reason in verification.reasons] == ["post_copy_lost"]
    assert set(kvm_lab.where(guest)) == {"kvm1", "kvm2"}
