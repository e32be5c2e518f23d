# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims, maintenance and stop requests in a simulated world."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING
from ansible_collections.vmops.migration.plugins.module_utils.drivers.liveness import this_controller
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.note import ClaimKind
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import hard

from tests.unit.drivers.simulator.small_world import claim, opened, world


def test_one_vm_is_claimed_by_one_operation_at_a_time(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    mine, theirs = (claim(ClaimKind.VM, "kvm1", "id-web", operation, time.time()) for operation in ("op-1", "op-2"))
    assert driver.claim(mine) is None
    refused = driver.claim(theirs)
    assert refused is not None
    assert refused.code == "operation_in_progress"
    assert "op-1" in refused.message
    driver.release([theirs])
    assert driver.claims("kvm1") == (mine,)
    driver.release([mine])
    assert driver.claim(theirs) is None


def test_claims_of_different_kinds_and_hosts_do_not_disturb_each_other(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    made = [
        claim(ClaimKind.VM, "kvm1", "id-web", "op-1", time.time()),
        claim(ClaimKind.MEMORY, "kvm1", "id-web", "op-2", time.time()),
        claim(ClaimKind.VM, "kvm2", "id-web", "op-3", time.time()),
        claim(ClaimKind.DRAIN, "kvm1", "kvm1", "op-4", time.time()),
    ]
    assert [driver.claim(each) for each in made] == [None] * 4


def test_the_admission_decides_about_memory_and_sees_the_claims_that_were_made(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    first = claim(ClaimKind.MEMORY, "kvm2", "id-a", "op-1", time.time(), amount_mib=40000)
    assert driver.claim(first, lambda load: None) is None
    second = claim(ClaimKind.MEMORY, "kvm2", "id-b", "op-2", time.time(), amount_mib=40000)
    full = hard("insufficient_memory", "full")
    assert driver.claim(second, lambda load: full if load.claims == (first,) else None) is full
    assert driver.claims("kvm2") == (first,)


def test_the_claim_of_a_dead_process_is_nobodys(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started_ticks = int(Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
        controller = dataclasses.replace(this_controller(), pid=process.pid, started_ticks=started_ticks)
        theirs = claim(ClaimKind.VM, "kvm1", "id-web", "op-1", time.time(), controller=controller)
        mine = claim(ClaimKind.VM, "kvm1", "id-web", "op-2", time.time())
        assert driver.claim(theirs) is None
        assert driver.claim(mine) is not None
        process.kill()
    assert driver.claims("kvm1") == ()
    assert driver.claim(mine) is None


def test_claims_live_in_real_time_however_fast_the_world_runs(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path, 100_000.0)
    held = claim(ClaimKind.VM, "kvm1", "id-web", "op-1", time.time(), lifetime_seconds=30.0)
    assert driver.claim(held) is None
    driver.clock.sleep(10_000.0)
    assert driver.claims("kvm1") == (held,)


def test_renewing_changes_only_the_time_and_brings_nothing_back(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    held, gone = claim(ClaimKind.VM, "kvm1", "id-web", "op-1", time.time() - 20), claim(ClaimKind.VM, "kvm1", "id-db", "op-1", time.time())
    driver.claim(held)
    driver.renew([held, gone])
    (renewed,) = driver.claims("kvm1")
    assert renewed.renewed_at > held.renewed_at
    assert dataclasses.replace(renewed, renewed_at=held.renewed_at) == held
    driver.release([held])
    assert driver.claims("kvm1") == ()


def test_maintenance_is_kept_with_the_host_until_it_is_available_again(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    note = Maintenance(MaintenanceState.MAINTENANCE, "ann", "new disks", 5.0, "op-1", "plan-1")
    driver.set_maintenance("kvm1", note)
    assert driver.snapshot(EVERYTHING).host_by_name["kvm1"].maintenance == note
    assert not driver.snapshot(EVERYTHING).host_by_name["kvm1"].is_open
    driver.set_maintenance("kvm1", Maintenance())
    assert driver.snapshot(EVERYTHING).host_by_name["kvm1"].is_open


def test_a_stop_request_stays_until_it_is_removed(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    driver.clear_stop("kvm1")
    driver.request_stop("kvm1", "ben")
    assert (driver.stop_requested("kvm1"), driver.stop_requested("kvm2")) == ("ben", None)
    driver.clear_stop("kvm1")
    assert driver.stop_requested("kvm1") is None


def test_claims_of_dead_processes_are_dropped_everywhere_and_no_others(tmp_path: Path) -> None:
    driver = opened(world(), tmp_path)
    dead = dataclasses.replace(this_controller(), pid=2**22 + 1)
    mine = claim(ClaimKind.VM, "kvm1", "id-web", "op-1", time.time())
    for host in ("kvm1", "kvm2"):
        left = claim(ClaimKind.MEMORY, host, "id-web", "op-2", time.time())
        assert driver.claim(dataclasses.replace(left, controller=dead)) is None
    assert driver.claim(mine) is None
    driver.drop_stale_claims()
    assert driver._engine.moment().state.claims == (mine,)
