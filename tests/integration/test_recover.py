# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host is dead. Its VMs are started elsewhere from definitions that were kept before, and each runs once, also when the host comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules import Answer, begin_evacuate, evacuate, read_site, reason_codes
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import Whereabouts, World, WorldVm, running_on, wait_until

pytestmark = pytest.mark.any_core


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    """Where the schedule keeps the definitions: on a machine that is no host."""
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder / "definitions.json"


def keep(world: World, definitions: Path) -> Answer:
    """What the operator's schedule does."""
    answer = read_site(world, definitions_dest=str(definitions))
    assert not answer.failed, str(answer)
    return answer


def recover(world: World, host: str, definitions: Path, *, without: str = "", **options: Any) -> Answer:
    """What the operator does when the host is dead."""
    told = {"purpose": "recover", "definitions": str(definitions), "fenced": True, "fenced_by": "power switch", **options}
    return evacuate(world, host, **{name: value for name, value in told.items() if name != without})


def lives_on(world: World, vm: WorldVm) -> str:
    """The host that runs the VM, and that alone has it."""
    where = world.where(vm)
    (host,) = where.defined_on
    assert where == running_on(host)
    wait_until(lambda: world.is_alive(vm), f"the heartbeat of {vm.name}")
    return host


@pytest.mark.rule("PCD-24", sign="+")
def test_vms_of_a_dead_host_run_elsewhere_and_each_runs_once_when_it_is_back(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first, autostart=True) for number in range(2)]
    idle = world.add_vm("idle", first, power="off")
    neighbour = world.add_vm("neighbour", second)
    assert keep(world, definitions).changed
    assert definitions.stat().st_mode & 0o777 == 0o600
    world.power_off(first)

    before = world.written()
    predicted = recover(world, first, definitions, check=True)
    assert not predicted.failed, str(predicted)
    assert predicted.changed
    assert world.written() == before
    answer = recover(world, first, definitions)
    assert not answer.failed, str(answer)
    assert answer.planned() == predicted.planned()
    assert set(answer.moved()) == {guest.name for guest in guests}
    assert {lives_on(world, guest) for guest in guests} <= {second, third}
    assert [world.home(guest) for guest in guests] == [first, first]
    assert [world.autostart(guest) for guest in guests] == [True, True]
    assert world.where(neighbour) == running_on(second)
    assert "idle" in str(answer["warnings"])

    again = recover(world, first, definitions)
    assert not again.failed, str(again)
    assert not again.changed

    world.power_on(first)
    for guest in guests:
        (runs_on,) = [host for host, state in world.where(guest).states.items() if state == "running"]
        assert runs_on != first
        assert world.where(guest).states[first] == "off"
    (shown,) = [host for host in read_site(world)["hosts"] if host["name"] == first]
    assert shown["maintenance"]["state"] == "maintenance"
    assert recover(world, first, definitions).code == "host_still_answers"

    before = world.written()
    predicted = evacuate(world, first, state="available", check=True)
    assert predicted.changed
    assert world.written() == before
    opened = evacuate(world, first, state="available")
    assert not opened.failed, str(opened)
    assert "stale_definitions_removed" in reason_codes(opened["warning_reasons"])
    assert {lives_on(world, guest) for guest in guests} <= {second, third}
    assert world.where(idle).states == {first: "off"}
    assert world.left_behind() == []
    assert not evacuate(world, first, state="available").changed

    home = evacuate(world, first, state="returned")
    assert not home.failed, str(home)
    assert [lives_on(world, guest) for guest in guests] == [first, first]


@pytest.mark.rule("PCD-25", sign="+")
@pytest.mark.rule("CSH-28", sign="-")
def test_a_vm_with_a_local_disk_is_named_and_the_others_are_recovered(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    web, local = world.add_vm("web1", first), world.add_vm("local1", first, local_disk=True)
    keep(world, definitions)
    world.power_off(first)
    answer = recover(world, first, definitions)
    assert answer.failed
    assert answer.code == "vms_unplaced"
    assert "local1" in answer.message
    (left,) = answer["unplaced"]
    assert "local_storage_cannot_recover" in reason_codes(left["reasons"])
    assert lives_on(world, web) in (second, third)
    assert world.where(local) == Whereabouts(frozenset(), {})


@pytest.mark.rule("PCD-24", sign="-")
def test_a_host_that_lives_is_never_recovered_from(world: World, definitions: Path) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    keep(world, definitions)
    before = world.written()
    answer = recover(world, first, definitions)
    assert answer.failed
    assert answer.code == "host_still_answers"
    assert world.where(web) == running_on(first)
    assert world.written() == before


@pytest.mark.rule("PCD-04", sign="-")
@pytest.mark.parametrize("with_neighbour", [True, False], ids=["its peers reach it", "only its disks tell"])
def test_a_host_that_only_its_controller_does_not_reach_is_not_dead(world: World, definitions: Path, with_neighbour: bool) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    if with_neighbour:
        world.add_vm("neighbour", second)
    keep(world, definitions)
    world.go_dark(first)
    answer = recover(world, first, definitions)
    assert answer.failed
    assert answer.code == "host_still_answers", str(answer)
    assert world.where(web) == running_on(first)
    assert world.is_alive(web)


@pytest.mark.parametrize(("left_out", "code"), [("definitions", "definition_unknown"), ("fenced", "not_fenced"), ("fenced_by", "not_fenced")], ids=str)
def test_a_recovery_without_its_proofs_is_refused(world: World, definitions: Path, left_out: str, code: str) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    keep(world, definitions)
    world.power_off(first)
    before = world.written()
    answer = recover(world, first, definitions, without=left_out)
    assert answer.failed
    assert answer.code == code
    assert left_out in answer.message
    assert world.written() == before
    assert not any(state == "running" for state in world.where(web).states.values())


@pytest.mark.parametrize(("text", "code"), [("{}", "definitions_invalid"), ('{"site": ', "invalid_input")], ids=["another file", "cut off"])
def test_a_file_that_is_none_is_refused(world: World, definitions: Path, text: str, code: str) -> None:
    first, _second, _third = world.hosts
    definitions.write_text(text)
    world.power_off(first)
    answer = recover(world, first, definitions)
    assert answer.failed
    assert answer.code == code
    assert "definitions" in answer.message


def test_a_vm_without_a_kept_definition_is_named(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    web, lost = world.add_vm("web1", first), world.add_vm("lost1", first)
    keep(world, definitions)
    data = json.loads(definitions.read_text())
    del data["texts"][lost.id]
    definitions.write_text(json.dumps(data))
    world.power_off(first)
    answer = recover(world, first, definitions)
    assert answer.failed
    (left,) = answer["unplaced"]
    assert left["vm_name"] == "lost1"
    assert "definition_unknown" in reason_codes(left["reasons"])
    assert lives_on(world, web) in (second, third)


def test_a_vm_that_moved_away_after_the_definitions_were_kept_is_left_alone(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    moved, web = world.add_vm("moved", first), world.add_vm("web1", first)
    keep(world, definitions)
    assert world.start_foreign_migration(moved, second).wait()
    world.power_off(first)
    answer = recover(world, first, definitions)
    assert not answer.failed, str(answer)
    assert set(answer.moved()) == {"web1"}
    assert world.where(moved) == running_on(second)
    assert world.was_never_restarted(moved)
    assert lives_on(world, web) in (second, third)


def test_a_schedule_that_goes_on_after_the_death_does_not_lose_the_definitions(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    keep(world, definitions)
    world.power_off(first)
    assert "keeps what it said" in str(keep(world, definitions)["warnings"])
    assert not recover(world, first, definitions).failed
    assert lives_on(world, web) in (second, third)


def test_another_silent_host_holds_back_what_it_might_run(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    keep(world, definitions)
    world.power_off(first)
    world.power_off(second)
    answer = recover(world, first, definitions)
    assert answer.failed
    (left,) = answer["unplaced"]
    assert "uniqueness_unproven" in reason_codes(left["reasons"])
    assert world.where(web) == Whereabouts(frozenset(), {})
    consented = recover(world, first, definitions, consents=["allow_unproven_uniqueness"])
    assert not consented.failed, str(consented)
    assert lives_on(world, web) == third


def test_a_recovery_that_was_killed_is_ended_by_a_second_run(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first, memory_mib=48, autostart=True) for number in range(3)]
    keep(world, definitions)
    world.power_off(first)
    run = begin_evacuate(world, first, purpose="recover", definitions=str(definitions), fenced=True, fenced_by="power switch", parallel=1)
    wait_until(lambda: any("running" in world.where(guest).states.values() for guest in guests), "the first VM to be started")
    run.kill()
    answer = recover(world, first, definitions)
    assert not answer.failed, str(answer)
    assert {lives_on(world, guest) for guest in guests} <= {second, third}
    assert all(world.autostart(guest) for guest in guests)
    world.power_on(first)
    assert not evacuate(world, first, state="available").failed
    assert {lives_on(world, guest) for guest in guests} <= {second, third}
    assert world.left_behind() == []


def test_two_recoveries_at_once_start_each_vm_once(world: World, definitions: Path) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first, memory_mib=48) for number in range(2)]
    keep(world, definitions)
    world.power_off(first)
    options = {"purpose": "recover", "definitions": str(definitions), "fenced": True, "fenced_by": "power switch"}
    runs = [begin_evacuate(world, first, **options) for _run in range(2)]
    answers = [run.answer() for run in runs]
    assert [answer.failed for answer in answers] == [False, False], str(answers)
    assert sorted(name for answer in answers for name in answer.moved()) == sorted(guest.name for guest in guests)
    assert {lives_on(world, guest) for guest in guests} <= {second, third}


@pytest.mark.kvm
def test_a_recovered_vm_that_runs_on_its_old_host_too_is_told_and_nothing_is_stopped(kvm_world: KvmWorld, definitions: Path) -> None:
    """Its old host starts it from a disk that nobody holds, as it would on storage without locks."""
    first, _second, _third = kvm_world.hosts
    web = kvm_world.add_vm("web1", first)
    keep(kvm_world, definitions)
    kvm_world.power_off(first)
    assert not recover(kvm_world, first, definitions).failed
    kvm_world.power_on(first)
    kvm_world.start_from_a_copy(web, first)
    before = kvm_world.where(web)
    assert sorted(before.states.values()) == ["running", "running"]
    for state in ("available", "returned"):
        answer = evacuate(kvm_world, first, state=state)
        assert answer.failed
        assert answer.code == "stale_definitions"
        assert "web1 RUNS TWICE" in answer.message
        assert "virsh suspend" in answer.message
        assert kvm_world.where(web) == before
