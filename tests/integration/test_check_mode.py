# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only looks writes nothing: finding targets, reading the site, and check mode, which shows the plan that the run then follows."""

from __future__ import annotations

from pathlib import Path

from tests.integration.modules import begin_evacuate, evacuate, find_targets, migrate, read_site
from tests.integration.worlds import World, everyone_lives, running_on

ON_VSPHERE = True


def test_finding_and_reading_write_nothing(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.add_vm("db1", second, autostart=True)
    before = world.written()
    assert not find_targets(world, web).changed
    answer = read_site(world)
    assert {vm["name"]: vm["host"] for vm in answer["vms"]} == {"web1": first, "db1": second}
    assert {host["name"]: host["state"] for host in answer["hosts"]} == dict.fromkeys(world.hosts, "up")
    assert world.written() == before


def test_check_mode_of_one_move_names_the_target_and_writes_nothing(world: World) -> None:
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    before = world.written()
    predicted = migrate(world, web, source_host=first, check=True)
    assert predicted.changed, str(predicted)
    assert world.written() == before
    ran = migrate(world, web, source_host=first)
    assert ran.planned() == predicted.planned()
    assert world.where(web) == running_on(predicted.planned()["web1"][1])
    assert not migrate(world, web, source_host=first, check=True).changed


def test_check_mode_of_a_drain_shows_the_plan_that_the_run_follows_and_writes_nothing(world: World) -> None:
    first, _second, _third = world.hosts
    guests = [world.add_vm(f"web{number}", first, memory_mib=48 + 16 * number) for number in range(3)]
    before = world.written()
    predicted = evacuate(world, first, state="maintenance", check=True)
    assert predicted.changed, str(predicted)
    assert not predicted.failed
    assert predicted["stats"]["planned_makespan_seconds"] > 0
    assert world.written() == before
    ran = evacuate(world, first, state="maintenance")
    assert ran["plan"]["plan_id"] == predicted["plan"]["plan_id"]
    assert {guest.name: world.where(guest) for guest in guests} == {name: running_on(target) for name, (_source, target) in predicted.planned().items()}
    again = evacuate(world, first, state="maintenance", check=True)
    assert not again.changed, str(again)


def test_check_mode_of_a_drain_that_is_impossible_fails_with_the_reasons_and_writes_nothing(world: World) -> None:
    first, _second, _third = world.hosts
    world.add_vm("tied", first, local_disk=True)
    before = world.written()
    predicted = evacuate(world, first, state="maintenance", check=True)
    assert predicted.failed
    assert "local_storage" in str(predicted["unplaced"])
    assert world.written() == before


def test_check_mode_of_opening_and_cancelling_writes_nothing(world: World) -> None:
    first, _second, _third = world.hosts
    evacuate(world, first, state="maintenance")
    before = world.written()
    assert evacuate(world, first, state="available", check=True).changed
    assert not evacuate(world, first, state="cancelled", check=True).changed
    assert world.written() == before
    assert world.maintenance(first) == "maintenance"


def test_predictions_in_the_same_moment_disturb_no_run(world: World) -> None:
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(3)]
    run = begin_evacuate(world, first, state="maintenance")
    while run.is_running():
        for guest in guests:
            migrate(world, guest, avoid=[first], check=True)
    answer = run.answer()
    assert not answer.failed, str(answer)
    for guest in guests:
        (host,) = world.where(guest).defined_on
        assert host in (second, third)
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_diff_mode_shows_where_everything_was_and_would_be(world: World) -> None:
    first, second, _third = world.hosts
    world.add_vm("web1", first)
    world.add_vm("neighbour", second)
    predicted = evacuate(world, first, state="maintenance", target_hosts=[second], check=True, diff=True)
    ran = evacuate(world, first, state="maintenance", target_hosts=[second], diff=True)
    for answer in (predicted, ran):
        assert f"web1: {first}" in answer["diff"]["before"], str(answer)
        assert f"web1: {second}" in answer["diff"]["after"]
        assert f"host {first}: maintenance" in answer["diff"]["after"]
        assert "neighbour" not in answer["diff"]["before"] + answer["diff"]["after"]


def test_the_site_can_be_written_to_a_file_that_the_simulator_reads(world: World, tmp_path: Path) -> None:
    first, _second, _third = world.hosts
    world.add_vm("web1", first)
    kept = tmp_path / "tonight.json"
    before = world.written()
    assert read_site(world, dest=str(kept)).changed
    assert world.written() == before

    class Rehearsal:
        """The same site, on the simulator."""

        @staticmethod
        def site_options() -> dict[str, object]:
            return {"driver": "simulator", "simulator": {"world": str(kept), "speed": 50.0}}

    rehearsed = evacuate(Rehearsal(), first, state="maintenance")  # type: ignore[arg-type]
    assert not rehearsed.failed, str(rehearsed)
    assert set(rehearsed.moved()) == {"web1"}
    assert world.written() == before
