# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""World files that are damaged, and state files that do not belong to them: refused with the place of the fault, never half read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.modules import Answer, evacuate, read_site, run_module
from tests.integration.world_simulator import SimulatorWorld

pytestmark = pytest.mark.simulator

EXAMPLE = Path(__file__).parents[2] / "examples/site.yml"


def info_of(path: Path) -> Answer:
    return run_module("site_info", {"site": {"driver": "simulator", "simulator": {"world": str(path)}}})


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.99])
def test_a_json_world_that_is_cut_off(simulator_world: SimulatorWorld, share: float) -> None:
    world = simulator_world
    world.add_vm("web1", world.hosts[0])
    content = world.file.read_bytes()
    world.file.write_bytes(content[: int(len(content) * share)])
    before = world.written()
    answer = evacuate(world, world.hosts[0], state="maintenance")
    assert answer.failed
    assert answer.code == "world_invalid"
    assert str(world.file) in answer.message
    assert "line" in answer.message
    assert world.written() == before


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_yaml_world_that_is_cut_off(tmp_path: Path, share: float) -> None:
    lines = EXAMPLE.read_text().splitlines(keepends=True)
    cut = tmp_path / "site.yml"
    cut.write_text("".join(lines[: int(len(lines) * share)]))
    answer = info_of(cut)
    assert answer.failed, f"{share:.0%} of the example were taken for the whole"
    assert answer.code == "world_invalid"
    assert str(cut) in answer.message
    assert list(tmp_path.iterdir()) == [cut]


def test_a_world_that_is_not_there(tmp_path: Path) -> None:
    answer = info_of(tmp_path / "nothing.yml")
    assert answer.failed
    assert answer.code == "world_missing"
    assert "nothing.yml" in answer.message


def test_a_world_with_a_wrong_field_names_its_path(simulator_world: SimulatorWorld) -> None:
    world = simulator_world
    world.add_vm("web1", world.hosts[0])
    content = json.loads(world.file.read_text())
    content["vms"][0]["memory_mib"] = "much"
    world.file.write_text(json.dumps(content))
    answer = read_site(world)
    assert answer.failed
    assert "vms[0].memory_mib" in answer.message


def test_a_damaged_state_file_is_named_and_left_alone(simulator_world: SimulatorWorld) -> None:
    world = simulator_world
    world.add_vm("web1", world.hosts[0])
    assert evacuate(world, world.hosts[0], state="maintenance").changed
    (state,) = world.folder.glob("*.state.json")
    state.write_bytes(state.read_bytes()[:-20])
    before = world.written()
    answer = evacuate(world, world.hosts[0], state="available")
    assert answer.failed
    assert answer.code == "state_invalid"
    assert str(state) in answer.message
    assert world.written() == before


def test_no_world_is_named() -> None:
    answer = run_module("site_info", {"site": {"driver": "simulator"}})
    assert answer.failed
    assert "site.simulator.world" in answer.message
