# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private Cloud Director's statements on recovering the VMs of a dead host."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, Purpose
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm, VmPolicy
from ansible_collections.vmops.migration.plugins.module_utils.planning.against import reasons_at
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite
from ansible_collections.vmops.migration.plugins.module_utils.rules.recover import judge_host, judge_recovery

from tests.unit.rules.world import WEB, host, site, web, with_source

FENCED = Intent(purpose=Purpose.RECOVER, fenced=True)


def dead(*vms: Vm, target: object = None, **source: object) -> Site:
    """kvm1 does not answer; these VMs were on it."""
    return with_source(site(target, vms=vms or (WEB,), profile="pcd"), state=HostState.UNREACHABLE, **source)  # type: ignore[arg-type]


def codes_at(world: Site, name: str) -> set[str]:
    """What the planner, which recoveries are planned by, says of the VM on that host."""
    subject = world.vms[0]
    return {reason.code for reason in reasons_at(PlannedSite(world), subject, world.host_by_name[name], PlanRequest((subject.id,)), None)}


def against(world: Site) -> set[str]:
    return codes_at(world, "kvm2")


@pytest.mark.rule("PCD-04", sign="+")
@pytest.mark.rule("PCD-24", sign="+")
def test_a_fenced_silent_host_can_be_recovered_from() -> None:
    recovery = judge_recovery(dead(), "kvm1", FENCED)
    assert (recovery.reasons, recovery.lost) == ((), {})
    assert [vm.name for vm in recovery.recoverable] == ["web"]


@pytest.mark.rule("PCD-04", sign="-")
@pytest.mark.rule("PCD-24", sign="-")
@pytest.mark.parametrize("state", [HostState.UP, HostState.DISABLED])
def test_a_host_that_answers_is_never_recovered_from(state: HostState) -> None:
    (reason,) = judge_host(host("kvm1", state=state), FENCED)
    assert reason.code == "host_still_alive"
    assert reason.blocks
    assert not reason.overridable


@pytest.mark.rule("PCD-24", sign="-")
def test_silence_alone_proves_nothing() -> None:
    (reason,) = judge_host(host("kvm1", state=HostState.UNREACHABLE), Intent(purpose=Purpose.RECOVER))
    assert (reason.code, reason.blocks, reason.overridable) == ("not_fenced", True, "")


@pytest.mark.rule("PCD-04", sign="-")
def test_a_drain_of_a_dead_host_is_refused_and_points_to_recovery() -> None:
    (reason,) = judge_host(host("kvm1", state=HostState.UNREACHABLE), Intent(purpose=Purpose.DRAIN))
    assert reason.code == "host_unreachable"
    assert "recover" in reason.hint
    assert judge_host(host("kvm1"), Intent(purpose=Purpose.DRAIN)) == ()


@pytest.mark.rule("PCD-25", sign="-")
@pytest.mark.parametrize("pool", ["kvm1/local", None, "gone"])
def test_a_local_disk_is_lost_and_the_others_are_recovered(pool: str | None) -> None:
    local = web(id="id-db", name="db", volumes=(*WEB.volumes, Volume("x", device="vdb", path="/srv/x", pool=pool)))
    recovery = judge_recovery(dead(WEB, local), "kvm1", FENCED)
    assert [vm.name for vm in recovery.recoverable] == ["web"]
    (reason,) = recovery.lost["id-db"]
    assert reason.code == "local_storage_cannot_recover"
    assert reason.blocks
    assert "disk vdb" in reason.message


@pytest.mark.rule("PCD-25", sign="+")
def test_shared_disks_are_recovered() -> None:
    assert judge_recovery(dead(), "kvm1", FENCED).lost == {}


@pytest.mark.parametrize(
    ("vm", "code"),
    [
        (web(detailed=False), "definition_unknown"),
        (web(power_state=PowerState.OFF), "power_state"),
        (web(policy=VmPolicy(pinned=True)), "pinned"),
    ],
)
def test_what_else_keeps_a_vm_from_being_recovered(vm: Vm, code: str) -> None:
    (reason,) = judge_recovery(dead(vm), "kvm1", FENCED).lost[vm.id]
    assert (reason.code, reason.blocks) == (code, True)


@pytest.mark.rule("PCD-26", sign="+")
@pytest.mark.rule("PCD-27", sign="+")
def test_an_equal_host_takes_over() -> None:
    assert against(dead()) == set()


@pytest.mark.rule("PCD-26", sign="-")
def test_a_recovered_vm_needs_the_features_that_it_saw() -> None:
    assert "cpu_incompatible" in against(dead(web(required_cpu_features=frozenset({"avx512f"}))))


@pytest.mark.rule("PCD-27", sign="-")
@pytest.mark.parametrize("version", ["11", "13"])
def test_a_recovered_vm_needs_the_same_release(version: str) -> None:
    assert "os_version_mismatch" in against(dead(target=host("kvm2", os_version=version)))


@pytest.mark.rule("PCD-28", sign="+")
def test_the_failed_host_is_named_and_others_are_targets() -> None:
    world = dead()
    assert codes_at(world, "kvm2") == set()


@pytest.mark.rule("PCD-28", sign="-")
def test_the_failed_host_is_no_target_and_must_exist() -> None:
    world = dead()
    assert {"same_host", "host_unreachable"} <= codes_at(world, "kvm1")
    with pytest.raises(InputError) as caught:
        judge_recovery(world, "kvm9", FENCED)
    assert caught.value.code == "host_unknown"


def test_a_recovery_counts_what_is_planned_on_the_target() -> None:
    world = dead(dataclasses.replace(WEB, memory_mib=16385))
    assert "insufficient_memory" in against(world)
