# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever goes wrong during a drain: no VM is lost, doubled or stopped, no host over-committed, nothing left behind, and the report says what is so.

Random small worlds with random faults, on the simulator. VMOPS_EXAMPLES sets how many (the fixed few of a test run by default).
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING
from ansible_collections.vmops.migration.plugins.module_utils.drivers.registry import open_driver
from ansible_collections.vmops.migration.plugins.module_utils.execution.evacuation import EvacuationOrder, EvacuationReport, evacuate
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.host import MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.note import NotePhase
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, OnFailure, PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("VMOPS_EXAMPLES", "12"))
HOSTS = ("a", "b", "c", "d")
SPEED = 200.0


def a_host(name: str, memory_mib: int) -> dict[str, Any]:
    place = {"zone": "z", "pod": "p", "cluster": "c"}
    link = {"migration_address": f"10.0.0.{HOSTS.index(name) + 1}", "migration_link_mbps": 1000, "management_link_mbps": 1000}
    return {"name": name, "memory_mib": memory_mib, "architecture": "x86_64", "pools": ["nfs"], "networks": [{"name": "lan"}], **place, **link}


def a_vm(number: int, host: str, memory_mib: int, state: str, autostart: bool) -> dict[str, Any]:
    disk = {"id": f"disk{number}", "kind": "root", "pool": "nfs"}
    nic = {"mac": f"52:54:00:00:00:{number:02x}", "network": "lan"}
    facts = {"memory_mib": memory_mib, "power_state": state, "autostart": autostart, "dirty_rate_mib_s": 4.0 * number, "volumes": [disk], "nics": [nic]}
    return {"id": f"u-{number}", "name": f"vm{number}", "host": host, **facts}


@st.composite
def faults(draw: st.DrawFn, vms: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(["move_fails", "host_refuses", "check_fails", "host_unreachable"]))
    subject = {"vm": f"vm{draw(st.integers(0, vms - 1))}"} if kind in ("move_fails", "check_fails") else {"host": draw(st.sampled_from(HOSTS[1:]))}
    extra = {"times": draw(st.integers(0, 3))} if kind in ("move_fails", "host_refuses") else {}
    return {"kind": kind, **subject, **extra, **({"at_percent": draw(st.sampled_from([1, 50, 99]))} if kind == "move_fails" else {})}


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 7))
    states = st.sampled_from(["running", "running", "running", "paused", "off"])
    vms = [
        a_vm(number, draw(st.sampled_from(["a", "a", "b", "c"])), draw(st.sampled_from([256, 512, 1024])), draw(states), draw(st.booleans()))
        for number in range(count)
    ]
    apart = draw(st.sets(st.sampled_from([vm["id"] for vm in vms]), max_size=3))
    hosts = [a_host("a", 16384), *(a_host(name, draw(st.sampled_from([8192, 9216, 12288]))) for name in HOSTS[1:])]
    return {
        "hosts": hosts,
        "pools": [{"id": "nfs", "name": "nfs", "scope": "cluster", "identity": "filer:/nfs"}],
        "vms": vms,
        "affinity_groups": [{"name": "apart", "kind": "anti_affinity", "vms": sorted(apart)}],
        "simulation": {"faults": draw(st.lists(faults(count), max_size=2))},
    }


def drain_a(site: Site) -> PlanRequest:
    return PlanRequest(tuple(vm.id for vm in site.vms_by_host["a"] if vm.must_leave), avoid_hosts=frozenset({"a"}))


def drained(folder: Path, world: dict[str, Any], *, partial: bool, on_failure: OnFailure) -> tuple[Site, EvacuationReport, Site, dict[str, int]]:
    """The site before, the report, the site after, and how many live claims each host that answers still keeps."""
    (folder / "world.json").write_text(json.dumps(world))
    simulator = {"world": str(folder / "world.json"), "state_file": str(folder / "state.json"), "speed": SPEED}
    options = decode(SiteOptions, {"driver": "simulator", "simulator": simulator}, "site")
    order = EvacuationOrder(("a",), MaintenanceState.MAINTENANCE, drain_a, MoveOptions(retries=2), on_failure, allow_partial=partial)
    with open_driver(options) as driver:
        before = driver.snapshot(EVERYTHING)
        report = evacuate(driver, order, lambda _event: None, lambda: "")
        after = driver.snapshot(EVERYTHING)
        claims = {host.name: len(driver.claims(host.name)) for host in after.hosts if host.state.value == "up"}
    return before, report, after, claims


@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES <= 12, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds(), partial=st.booleans(), on_failure=st.sampled_from(OnFailure))
def test_whatever_goes_wrong_the_world_stays_whole_and_the_report_is_true(world: dict[str, Any], partial: bool, on_failure: OnFailure) -> None:
    with tempfile.TemporaryDirectory() as folder:
        before, report, after, claims = drained(Path(folder), world, partial=partial, on_failure=on_failure)
    event("emptied" if report.ok else "not emptied")
    reachable = {host.name for host in after.hosts if host.state.value == "up"}

    assert_nobody_was_lost_or_stopped(before, after, reachable)
    assert_no_host_is_over_committed(after)
    assert_apart_is_apart(before, after)
    assert not any(vm.note and vm.note.phase is NotePhase.MOVING for vm in after.vms if vm.host in reachable)
    assert not any(claims.values())
    assert_the_report_is_true(report, after)


def assert_nobody_was_lost_or_stopped(before: Site, after: Site, reachable: set[str]) -> None:
    assert len({vm.id for vm in after.vms}) == len(after.vms)
    for vm in before.vms:
        if vm.host in reachable:
            now = after.vm_by_id[vm.id]
            assert (now.power_state, now.autostart, now.also_on) == (vm.power_state, vm.autostart, ())


def assert_no_host_is_over_committed(site: Site) -> None:
    for host in site.hosts:
        assert sum(vm.memory_mib for vm in site.vms_by_host[host.name] if vm.is_active) <= (host.memory_mib or 0)


def assert_apart_is_apart(before: Site, after: Site) -> None:
    """VMs that were apart before are apart after, as far as their hosts answer."""
    for group in after.affinity_groups:
        seen = sorted(group.vms & before.vm_by_id.keys() & after.vm_by_id.keys())
        for one, other in itertools.combinations(seen, 2):
            if before.vm_by_id[one].host != before.vm_by_id[other].host and after.vm_by_id[one].is_active and after.vm_by_id[other].is_active:
                assert after.vm_by_id[one].host != after.vm_by_id[other].host


def assert_the_report_is_true(report: EvacuationReport, after: Site) -> None:
    left = {vm.id for vm in after.vms_by_host["a"] if vm.is_active}
    assert report.ok == (not left and after.host_by_name["a"].maintenance.state is MaintenanceState.MAINTENANCE)
    assert {entry.vm for entry in report.run.remaining} == left
    assert all(entry.reasons for entry in report.run.remaining)
    assert report.states["a"] is after.host_by_name["a"].maintenance.state
    for outcome in report.run.outcomes:
        assert after.vm_by_id[outcome.vm].host == outcome.host
        assert (outcome.host != "a") == (outcome.phase is Phase.DONE)
