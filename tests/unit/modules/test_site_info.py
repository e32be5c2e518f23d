# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""site_info: the snapshot as facts, and as a file to rehearse on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.modules import Answer, run_module
from tests.unit.modules.playbooks import ROOT

pytestmark = pytest.mark.simulator


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "world" / "site.yml"
    path.parent.mkdir()
    shutil.copy(ROOT / "examples/site.yml", path)
    return path


def ask(world: Path, *, check: bool = False, **options: Any) -> Answer:
    return run_module("site_info", {"site": {"driver": "simulator", "simulator": {"world": str(world)}}, **options}, check=check)


def test_the_facts_are_those_of_the_world(world: Path) -> None:
    answer = ask(world)
    assert answer["counts"]["hosts"] == len(answer["hosts"]) == 12
    assert answer["counts"]["vms"] == len(answer["vms"])
    assert not answer.changed
    assert [path.name for path in world.parent.iterdir()] == ["site.yml"]


def test_one_vm_is_shown_with_all_its_facts(world: Path) -> None:
    (vm,) = ask(world, vms=["db-orders-1"])["vms"]
    assert (vm["host"], vm["memory_mib"], vm["is_active"], vm["host_devices"]) == ("kvm-a1", 98304, True, [])


def test_only_the_hosts_asked_for_are_in_the_answer(world: Path) -> None:
    answer = ask(world, hosts=["kvm-a1", "kvm-c3"])
    assert sorted(host["name"] for host in answer["hosts"]) == ["kvm-a1", "kvm-c3"]
    assert {vm["host"] for vm in answer["vms"]} == {"kvm-a1", "kvm-c3"}


@pytest.mark.parametrize(("options", "code"), [({"hosts": ["nowhere"]}, "host_unknown"), ({"vms": ["nobody"]}, "vm_unknown")])
def test_unknown_names_are_errors(world: Path, options: dict[str, Any], code: str) -> None:
    answer = ask(world, **options)
    assert (answer.failed, answer.code) == (True, code)


@pytest.mark.parametrize("name", ["copy.json", "copy.yml", "copy.yaml", "copy"])
def test_the_file_is_a_world_that_says_the_same(world: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / name
    first = ask(world, dest=str(copy))
    assert first.changed
    assert first["dest"] == str(copy)
    again = ask(copy)
    assert not again.failed, again
    for part in ("hosts", "pools", "vms", "links", "affinity_groups", "limits", "counts"):
        assert again[part] == first[part], part


def test_a_file_that_says_the_same_counts_as_unchanged(world: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.yml"
    assert ask(world, dest=str(copy)).changed
    assert not ask(world, dest=str(copy)).changed
    copy.write_text("{}\n...\n")
    assert ask(world, dest=str(copy)).changed


def test_check_mode_writes_no_file_and_says_whether_it_would(world: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    assert ask(world, check=True, dest=str(copy)).changed
    assert not copy.exists()


def test_a_file_that_cannot_be_written_is_named(world: Path) -> None:
    answer = ask(world, dest="/nowhere/copy.json")
    assert answer.failed
    assert answer.message.startswith("dest: '/nowhere/copy.json' cannot be written")


def test_the_facts_of_a_large_site_fit_and_its_file_holds_them_all(world: Path, tmp_path: Path) -> None:
    data = yaml.safe_load(world.read_text())
    vms = [{**vm, "id": f"{vm['id']}-{turn}", "name": f"{vm['name']}-{turn}"} for turn in range(30) for vm in data["vms"]]
    large = tmp_path / "large.json"
    large.write_text(json.dumps({**data, "vms": vms, "affinity_groups": []}))
    answer = ask(large, dest=str(tmp_path / "copy.json"))
    assert not answer.failed, answer
    assert len(json.dumps(answer.result)) < 700_000
    assert answer["detailed"] is False
    assert set(answer["vms"][0]) == {"id", "name", "host", "power_state", "memory_mib"}
    assert answer["counts"]["vms"] == len(vms) == len(answer["vms"]) + answer.result.get("omitted", {}).get("vms", 0)
    assert len(json.loads((tmp_path / "copy.json").read_text())["vms"]) == len(vms)
