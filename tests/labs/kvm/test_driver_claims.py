# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims, locks and notes kept on real hosts, with several processes that want the same."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import time

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import LIGHT, Admission, HostLoad
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, Controller
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, hard

from tests.labs.kvm.driver_world import NASTY_NAME, driver_of, python
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

VM_ID = "11111111-2222-4333-8444-555555555555"
ELSEWHERE = Controller("far", "another-boot", "pid:[1]", 4711, 12, "ann")


def claim_of(operation: str, controller: Controller | None = None, **changes: object) -> Claim:
    now = time.time()
    claim = Claim(ClaimKind.VM, "kvm1", VM_ID, operation, controller or this_controller(), now, now)
    return dataclasses.replace(claim, **changes)  # type: ignore[arg-type]


def test_what_is_claimed_is_refused_to_others_and_free_again_after_its_release(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver:
        first, second = claim_of("first"), claim_of("second", ELSEWHERE)
        assert driver.claim(first) is None
        refused = driver.claim(second)
        assert refused is not None
        assert refused.code == "operation_in_progress"
        assert "first" in refused.message
        assert f"process {os.getpid()}" in refused.message
        assert driver.claims("kvm1") == (first,)
        driver.release([second])  # not theirs: nothing happens
        assert driver.claims("kvm1") == (first,)
        driver.release([first])
        assert driver.claim(second) is None
        assert driver.claims("kvm1") == (second,)
        assert driver.claims("kvm2") == ()


def test_an_operation_may_claim_again_what_it_has(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver:
        assert driver.claim(claim_of("first")) is None
        assert driver.claim(claim_of("first")) is None
        assert len(driver.claims("kvm1")) == 1


def test_renewing_changes_the_time_alone_and_makes_nothing_new(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver:
        claim = claim_of("first", made_at=1000.0, renewed_at=time.time() - 5)
        driver.claim(claim)
        driver.renew([claim])
        (renewed,) = driver.claims("kvm1")
        assert renewed.renewed_at > claim.renewed_at
        assert dataclasses.replace(renewed, renewed_at=claim.renewed_at) == claim
        driver.release([claim])
        driver.renew([claim])
        assert driver.claims("kvm1") == ()


def test_claims_and_locks_of_dead_processes_are_dropped_and_no_others(kvm_lab: Lab) -> None:
    dead = dataclasses.replace(this_controller(), pid=2**22 + 1)
    with driver_of(kvm_lab) as driver:
        mine = claim_of("mine")
        assert driver.claim(mine) is None
        assert driver.claim(claim_of("dead", dead, kind=ClaimKind.MEMORY)) is None
        assert driver.claim(claim_of("dead", dead, host="kvm2")) is None
        before = kvm_lab.snapshot_state()
        assert '"operation_id":"dead"' in before.replace("&quot;", '"')
        driver.drop_stale_claims()
        after = kvm_lab.snapshot_state()
        assert '"operation_id":"dead"' not in after.replace("&quot;", '"')
        assert driver.claims("kvm1") == (mine,)


def test_a_claim_that_is_not_renewed_for_its_lifetime_is_replaced(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver:
        assert driver.claim(claim_of("first", ELSEWHERE, lifetime_seconds=0.5)) is None
        assert driver.claim(claim_of("second")) is not None
        time.sleep(0.7)
        assert driver.claims("kvm1") == ()
        assert driver.claim(claim_of("second")) is None
        assert [claim.operation_id for claim in driver.claims("kvm1")] == ["second"]


CLAIM_AND_HANG = """
import sys, time
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of
from tests.labs.kvm.test_driver_claims import claim_of
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.host_lock import host_lock
with driver_of(Lab.existing(LabConfig(name=sys.argv[1]))) as driver:
    driver.claim(claim_of("of a dead one"))
    with host_lock(driver._hosts.get("kvm1"), driver._claims._watch):
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_claim_and_lock_of_a_killed_process_are_free_at_once(kvm_lab: Lab) -> None:
    child = python(CLAIM_AND_HANG, kvm_lab.config.name)
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    with driver_of(kvm_lab) as driver:
        assert driver.claim(claim_of("next")) is not None
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert driver.claim(claim_of("next")) is None
        begin = time.monotonic()
        assert driver.claim(claim_of("next", kind=ClaimKind.MEMORY, amount_mib=64), lambda _load: None) is None
        assert time.monotonic() - begin < 8.0, "the dead process's lock was waited for"


RUSH = """
import json, sys, threading
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.driver_world import driver_of
from tests.labs.kvm.test_driver_claims import admits_up_to, claim_of
from ansible_collections.vmops.migration.plugins.module_utils.model.note import ClaimKind
name, operation, kind, count, amount, room = sys.argv[1:]
won = []
with driver_of(Lab.existing(LabConfig(name=name))) as driver:
    driver.claims("kvm1")
    print("ready", flush=True)
    sys.stdin.readline()
    def take(number):
        subject = f"vm-{operation}-{number}" if kind == "memory" else f"vm-{number}"
        claim = claim_of(operation, kind=ClaimKind(kind), subject=subject, amount_mib=int(amount))
        if driver.claim(claim, admits_up_to(int(room)) if kind == "memory" else None) is None:
            won.append(subject)
    threads = [threading.Thread(target=take, args=(number,)) for number in range(int(count))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print(json.dumps(sorted(won)), flush=True)
    sys.stdin.read()
"""


def admits_up_to(room_mib: int) -> Admission:
    """Admission by the claims alone: the lab's own guests do not count."""

    def admits(load: HostLoad) -> Reason | None:
        claimed = sum(claim.amount_mib for claim in load.claims)
        return None if claimed + 100 <= room_mib else hard("insufficient_memory", f"{claimed} MiB are claimed")

    return admits


def rush(lab: Lab, kind: str, count: int, room_mib: int) -> list[list[str]]:
    """Two processes that claim at the same moment, each with threads of its own; what each won."""
    children = [python(RUSH, lab.config.name, operation, kind, str(count), "100", str(room_mib)) for operation in ("one", "two")]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    won = [json.loads(child.stdout.readline()) for child in children if child.stdout]
    for child in children:
        child.communicate()
    return won


def test_two_processes_never_claim_the_same_vm(kvm_lab: Lab) -> None:
    one, two = rush(kvm_lab, "vm", 10, 0)
    assert not set(one) & set(two)
    assert set(one) | set(two) == {f"vm-{number}" for number in range(10)}


def test_two_processes_never_claim_more_memory_than_there_is(kvm_lab: Lab) -> None:
    one, two = rush(kvm_lab, "memory", 5, 450)
    assert len(one) + len(two) == 4


def test_a_host_s_load_counts_running_and_paused_guests_and_the_operator_s_figures(kvm_lab: Lab) -> None:
    running = kvm_lab.guest("run1", "kvm1", memory_mib=96)
    paused = kvm_lab.guest("pause1", "kvm1", memory_mib=64)
    kvm_lab.guest("off1", "kvm1", start=False)
    with kvm_lab.hosts["kvm1"].connection() as connection:
        connection.lookupByUUIDString(paused.uuid).suspend()
    kvm_lab.hosts["kvm1"].limit_memory(1024)
    seen: list[HostLoad] = []
    with driver_of(kvm_lab) as driver:
        driver.claim(claim_of("first", kind=ClaimKind.MEMORY, subject="incoming", amount_mib=100))
        driver.set_maintenance("kvm1", Maintenance(MaintenanceState.PREPARING))
        driver.claim(claim_of("second", kind=ClaimKind.MEMORY, amount_mib=50), seen.append)  # type: ignore[arg-type]
    (load,) = seen
    assert {entry.vm: entry.memory_mib for entry in load.vms} == {running.uuid: 96, paused.uuid: 64}
    assert load.memory_mib == 1024
    assert [(claim.subject, claim.amount_mib) for claim in load.claims] == [("incoming", 100)]
    assert not load.is_open


def test_maintenance_and_stop_requests_outlive_the_daemon_and_hold_any_text(kvm_lab: Lab) -> None:
    note = Maintenance(MaintenanceState.MAINTENANCE, by=NASTY_NAME, why="</description>]]>\n\u2603", since=17.5, operation_id="o", plan_id="p")
    with driver_of(kvm_lab) as driver:
        driver.set_maintenance("kvm1", dataclasses.replace(note, state=MaintenanceState.PREPARING))
        driver.set_maintenance("kvm1", note)
        driver.request_stop("kvm1", NASTY_NAME)
        driver.request_stop("kvm1", NASTY_NAME)
    kvm_lab.hosts["kvm1"].restart_daemon()
    with driver_of(kvm_lab) as driver:
        site = driver.snapshot(LIGHT)
        assert site.host_by_name["kvm1"].maintenance == note
        assert site.host_by_name["kvm2"].is_open
        assert driver.stop_requested("kvm1") == NASTY_NAME
        assert driver.stop_requested("kvm2") is None
        driver.clear_stop("kvm1")
        driver.clear_stop("kvm1")
        driver.set_maintenance("kvm1", Maintenance())
        driver.set_maintenance("kvm1", Maintenance())
        assert driver.stop_requested("kvm1") is None
        assert driver.snapshot(LIGHT).host_by_name["kvm1"].is_open
    with kvm_lab.hosts["kvm1"].connection() as connection:
        assert connection.listAllSecrets() == []


def test_virsh_shows_what_is_kept(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver:
        driver.claim(claim_of("first"))
    listed = subprocess.run(["virsh", "-c", kvm_lab.hosts["kvm1"].uri("unix"), "secret-list"], check=True, capture_output=True, text=True).stdout
    assert f"vmops/claim/vm/{VM_ID}" in listed
