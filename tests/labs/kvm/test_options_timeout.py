# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest that rewrites its memory faster than the link carries it: what happens at the timeout is what was chosen, and the guest never stops for good."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.execution.attempt import attempt
from ansible_collections.vmops.migration.plugins.module_utils.execution.claims import ClaimKeeper
from ansible_collections.vmops.migration.plugins.module_utils.execution.operation import CurrentSite, RunContext, Tally, new_operation
from ansible_collections.vmops.migration.plugins.module_utils.execution.settle import Settled, watch_and_settle
from ansible_collections.vmops.migration.plugins.module_utils.model.event import Event
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, TimeoutAction
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, PlanRequest

from tests.labs.kvm.commands import wait_until
from tests.labs.kvm.driver_world import driver_of, migration_of, python, read_vm, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.network import Link
from tests.labs.kvm.storage_world import DataDisk, contents, files_of, guest_with_disks, note_for, pause, storage_move

pytestmark = pytest.mark.kvm

LINK_MBPS = 64
OPTIONS = MoveOptions(timeout_seconds=6.0)


@pytest.fixture
def guest(kvm_lab: Lab) -> Guest:
    """It rewrites 32 MiB in a second, over a link that carries 8."""
    kvm_lab.shape_migration_links(LINK_MBPS)
    return kvm_lab.guest("web1", "kvm1", dirty_mib_s=32, working_set_mib=32)


@contextlib.contextmanager
def a_run(driver: LibvirtDriver, guest: Guest, options: MoveOptions, events: list[Event]) -> Iterator[RunContext]:
    operation = new_operation()
    intent = Intent(post_copy=options.post_copy, on_timeout=options.on_timeout)
    request = PlanRequest((guest.uuid,), intent=intent, consents=frozenset({"allow_downtime"}))
    with ClaimKeeper(driver, operation.id, operation.controller) as keeper:
        yield RunContext(driver, CurrentSite(driver.snapshot(EVERYTHING)), request, options, operation, keeper, events.append, lambda: "", Tally(1))


def run(lab: Lab, guest: Guest, options: MoveOptions) -> tuple[Settled, str]:
    """How the executor's one attempt ended, and what it told meanwhile."""
    events: list[Event] = []
    with driver_of(lab) as driver, a_run(driver, guest, options, events) as context:
        settled = attempt(context, migration_of(guest, "kvm1", "kvm2"))
        assert driver.in_flight() == ()
    return settled, "; ".join(event.message for event in events)


def runs_only_on(lab: Lab, guest: Guest, host: str) -> None:
    assert lab.where(guest) == {host: ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])
    with driver_of(lab) as driver:
        assert read_vm(driver, guest).note is None


@pytest.mark.rule("CAS-22", sign="-")
def test_abort_leaves_the_guest_running_at_its_source(kvm_lab: Lab, guest: Guest) -> None:
    settled, _told = run(kvm_lab, guest, OPTIONS)
    assert (settled.phase, settled.reasons[0].code) == (Phase.FAILED, "move_timeout")
    runs_only_on(kvm_lab, guest, "kvm1")


@pytest.mark.rule("CAS-22", sign="+")
def test_suspend_pauses_the_guest_until_it_is_whole_and_it_runs_on_at_its_destination(kvm_lab: Lab, guest: Guest) -> None:
    settled, told = run(kvm_lab, guest, dataclasses.replace(OPTIONS, on_timeout=TimeoutAction.SUSPEND))
    assert settled.phase is Phase.DONE
    assert settled.reasons == ()
    assert "paused until its copy is whole" in told
    runs_only_on(kvm_lab, guest, "kvm2")


@pytest.mark.rule("CAS-22", sign="+")
def test_post_copy_lets_the_guest_run_at_its_destination_at_the_timeout(kvm_lab: Lab, guest: Guest) -> None:
    settled, told = run(kvm_lab, guest, dataclasses.replace(OPTIONS, on_timeout=TimeoutAction.POST_COPY, post_copy=True))
    assert settled.phase is Phase.DONE
    assert "exceeds its timeout" in told
    assert "runs on kvm2 from now on" in told
    runs_only_on(kvm_lab, guest, "kvm2")


@pytest.mark.rule("CAS-33", sign="+")
def test_post_copy_by_itself_switches_after_the_first_pass_and_ends_within_the_timeout(kvm_lab: Lab, guest: Guest) -> None:
    settled, told = run(kvm_lab, guest, dataclasses.replace(OPTIONS, timeout_seconds=60.0, post_copy=True))
    assert settled.phase is Phase.DONE
    assert "exceeds its timeout" not in told
    assert "runs on kvm2 from now on" in told
    runs_only_on(kvm_lab, guest, "kvm2")


@pytest.mark.rule("CAS-22", sign="+")
def test_continue_waits_on_until_the_guest_can_be_moved_after_all(kvm_lab: Lab, guest: Guest) -> None:
    events: list[Event] = []
    options = dataclasses.replace(OPTIONS, on_timeout=TimeoutAction.CONTINUE)
    ended: list[Settled] = []
    with driver_of(kvm_lab) as driver, a_run(driver, guest, options, events) as context:
        runner = threading.Thread(target=lambda: ended.append(attempt(context, migration_of(guest, "kvm1", "kvm2"))))
        runner.start()
        wait_until(lambda: any("goes on" in event.message for event in events), "the timeout", timeout_s=60)
        time.sleep(2.0)
        assert [found.vm for found in driver.in_flight()] == [guest.uuid]
        kvm_lab.clear_migration_links()
        runner.join(60)
    assert [settled.phase for settled in ended] == [Phase.DONE]
    runs_only_on(kvm_lab, guest, "kvm2")


def test_a_post_copy_whose_link_breaks_is_taken_up_by_the_run_itself(kvm_lab: Lab, guest: Guest) -> None:
    events: list[Event] = []
    ended: list[Settled] = []
    options = dataclasses.replace(OPTIONS, post_copy=True, stall_seconds=2.0)
    with driver_of(kvm_lab) as driver, a_run(driver, guest, options, events) as context:
        runner = threading.Thread(target=lambda: ended.append(attempt(context, migration_of(guest, "kvm1", "kvm2"))))
        runner.start()
        wait_until(lambda: kvm_lab.where(guest).get("kvm2", ("", False))[0] == "running", "the switch", timeout_s=60)
        kvm_lab.cut_link("kvm2", Link.MIGRATION)
        wait_until(lambda: any("broken off" in event.message for event in events), "the break to be noticed", timeout_s=60)
        time.sleep(3.0)
        kvm_lab.restore_link("kvm2", Link.MIGRATION)
        runner.join(120)
    assert [settled.phase for settled in ended] == [Phase.DONE]
    runs_only_on(kvm_lab, guest, "kvm2")


@pytest.mark.rule("CSK-06", sign="-")
def test_a_move_that_copies_disks_is_aborted_at_the_limit_of_its_own_and_leaves_no_file(kvm_lab: Lab) -> None:
    """Not at that of other moves, which is over long before."""
    guest = guest_with_disks(kvm_lab, "web1", "kvm1", data=(DataDisk(64, 48),), dirty_mib_s=2)
    before = contents(kvm_lab, guest, "kvm1")
    options = MoveOptions(bandwidth_mib_s=2, timeout_seconds=1.0, storage_timeout_seconds=6.0)
    with driver_of(kvm_lab) as driver, a_run(driver, guest, options, []) as context:
        migration = storage_move(driver, guest, "kvm1", "kvm2")
        note = note_for(driver, guest, migration)
        started = time.monotonic()
        settled = watch_and_settle(context, driver.start(migration, note, options))
    assert time.monotonic() - started >= options.storage_timeout_seconds
    assert (settled.phase, settled.reasons[0].code) == (Phase.FAILED, "move_timeout")
    runs_only_on(kvm_lab, guest, "kvm1")
    assert files_of(kvm_lab.hosts["kvm2"]) == set()
    pause(kvm_lab, guest, "kvm1")
    assert contents(kvm_lab, guest, "kvm1")["hdb"] == before["hdb"]


CONTROLLER = """
import os, signal, sys, time
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of, note_of
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import TimeoutAction
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
name, uuid, vm_name, bandwidth = sys.argv[1:]
options = MoveOptions(on_timeout=TimeoutAction.SUSPEND, bandwidth_mib_s=int(bandwidth))
with driver_of(Lab.existing(LabConfig(name=name))) as driver:
    migration = Migration("m1", uuid, vm_name, "kvm1", "kvm2")
    note = driver.write_note(migration, note_of(migration), options)
    job = driver.start(migration, note, options)
    while not driver.poll([job])[0].passes:
        time.sleep(0.05)
    driver.hurry(job, TimeoutAction.SUSPEND)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("aborted", [False, True], ids=["arrives", "aborted"])
def test_a_guest_that_a_killed_controller_had_paused_runs_on_wherever_its_move_ends(kvm_lab: Lab, aborted: bool) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=32, working_set_mib=32)
    controller = python(CONTROLLER, kvm_lab.config.name, guest.uuid, guest.name, "4")
    controller.communicate()
    assert controller.returncode == -9
    with driver_of(kvm_lab) as driver:
        (found,) = driver.in_flight()
        job = driver.adopt(found)
        if aborted:
            driver.cancel(job)
        wait_for_end(driver, job)
        verification = driver.verify(job.migration, job.note)
        assert verification.reasons == ()
        assert verification.verdict is (Verdict.AT_SOURCE if aborted else Verdict.ARRIVED)
        assert (driver.rollback if aborted else driver.finish)(job.migration, job.note) == ()
    runs_only_on(kvm_lab, guest, "kvm1" if aborted else "kvm2")
