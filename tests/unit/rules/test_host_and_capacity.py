# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the candidate's state, memory and number of VMs."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostState, Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Severity
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, PowerState, Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite

from tests.unit.rules.world import host, reasons, site, web


@pytest.mark.rule("CSK-08", sign="+")
def test_a_site_in_which_all_is_well_gives_no_reason() -> None:
    assert reasons(site()) == {}


@pytest.mark.rule("CSK-08", sign="-")
@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"state": HostState.DISABLED, "state_reason": "disk failed"}, "host_state"),
        ({"state": HostState.UNREACHABLE, "state_reason": "no route"}, "host_unreachable"),
        ({"maintenance": Maintenance(MaintenanceState.MAINTENANCE, "ops", "firmware")}, "host_in_maintenance"),
        ({"maintenance": Maintenance(MaintenanceState.PREPARING)}, "host_in_maintenance"),
    ],
)
def test_a_host_that_is_not_open_takes_no_vm(facts: dict[str, object], code: str) -> None:
    reason = reasons(site(host("kvm2", **facts)))[code]
    assert reason.severity is Severity.HARD
    assert "kvm2" in reason.message
    assert reason.hint


def test_maintenance_says_who_and_why() -> None:
    closed = host("kvm2", maintenance=Maintenance(MaintenanceState.MAINTENANCE, "ops", "firmware"))
    assert reasons(site(closed))["host_in_maintenance"].message == "Host kvm2 is in maintenance by ops (firmware)."


@pytest.mark.rule("CAS-02", sign="+")
@pytest.mark.rule("CAS-02", sign="-")
@pytest.mark.parametrize(("memory_mib", "fits"), [(4096 + 1024, True), (4096 + 1023, False)])
def test_memory_must_fit_beside_the_reserve_to_the_last_mebibyte(memory_mib: int, fits: bool) -> None:
    found = reasons(site(host("kvm2", memory_mib=memory_mib, reserved_memory_mib=1024)))
    assert ("insufficient_memory" not in found) is fits


def test_the_refusal_names_need_and_free_memory() -> None:
    message = reasons(site(host("kvm2", memory_mib=5000, reserved_memory_mib=1024)))["insufficient_memory"].message
    assert message == "VM web needs 4096 MiB of memory; host kvm2 has 3976 MiB free (5000 MiB in all, 0 MiB used or planned, 1024 MiB reserved)."


@pytest.mark.rule("CAS-02", sign="-")
def test_memory_that_is_planned_away_counts() -> None:
    other = Vm("id-db", "db", "kvm1", memory_mib=8192)
    world = site(host("kvm2", memory_mib=10240), vms=(web(), other))
    planned = PlannedSite(world)
    assert "insufficient_memory" not in reasons(world, planned=planned)
    planned.place("id-db", "kvm2")
    assert "insufficient_memory" in reasons(world, planned=planned)


def test_a_move_under_way_holds_memory_on_both_ends() -> None:
    other = Vm("id-db", "db", "kvm3", memory_mib=8192, operation=OperationKind.MIGRATION_OUT, operation_target="kvm2")
    world = site(host("kvm2", memory_mib=10240), vms=(web(), other), hosts=(host("kvm1"), host("kvm2", memory_mib=10240), host("kvm3")))
    assert PlannedSite(world).memory_used_mib("kvm3") == 8192
    assert "insufficient_memory" in reasons(world)


def test_vms_that_are_off_hold_no_memory() -> None:
    other = Vm("id-db", "db", "kvm2", memory_mib=16384, power_state=PowerState.OFF)
    assert "insufficient_memory" not in reasons(site(vms=(web(), other)))


@pytest.mark.parametrize(("limit", "fits"), [(2, True), (1, False)])
def test_a_host_takes_no_more_vms_than_it_may(limit: int, fits: bool) -> None:
    other = Vm("id-db", "db", "kvm2", memory_mib=1024)
    found = reasons(site(host("kvm2", max_vms=limit), vms=(web(), other)))
    assert ("max_vms_reached" not in found) is fits


@pytest.mark.parametrize(
    ("world", "fact"),
    [(site(host("kvm2", memory_mib=None)), "site.hosts.kvm2.memory_mib"), (site(vm=web(memory_mib=0)), "site.vms.web.memory_mib")],
)
def test_unknown_memory_is_told_with_the_place_to_put_it(world: object, fact: str) -> None:
    reason = reasons(world)["fact_unknown"]  # type: ignore[arg-type]
    assert fact in reason.message
    assert "insufficient_memory" in reason.message
    assert not reason.blocks
