# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""World files: two spellings of one world, and every way in which a file can be wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.simulation import Fault, FaultKind
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.world import load_world
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import encode
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.simulator.small_world import as_data, vm, world, write

WORLD = world(faults=(Fault(FaultKind.LINK_DOWN, host="kvm1", at_seconds=5.0),))
TEXT = json.dumps(as_data(WORLD))


def saved(folder: Path, data: Any, name: str = "world.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(data) if path.suffix == ".json" else yaml.safe_dump(data, explicit_end=True))
    return path


def test_a_world_reads_the_same_as_json_and_as_yaml(tmp_path: Path) -> None:
    assert load_world(saved(tmp_path, as_data(WORLD))) == load_world(saved(tmp_path, as_data(WORLD), "world.yml")) == WORLD


def test_what_a_snapshot_says_is_a_world(tmp_path: Path) -> None:
    facts = encode(dataclasses.replace(WORLD.site, driver="libvirt", taken_at=5.0))
    assert load_world(saved(tmp_path, facts)).site.vms == WORLD.site.vms


def test_a_vm_that_migrated_while_the_facts_were_taken_is_at_rest(tmp_path: Path) -> None:
    moving = world(vms=(vm("web", "kvm1", operation=OperationKind.MIGRATION_OUT, operation_target="kvm2"),))
    (found,) = load_world(write(moving, tmp_path)).site.vms
    assert (found.operation, found.operation_target, found.host) == (None, "", "kvm1")


@given(st.integers(0, len(TEXT) - 1))
def test_a_file_cut_off_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "world.json"
    path.write_text(TEXT[:length])
    with pytest.raises(InputError, match="no JSON") as caught:
        load_world(path)
    assert caught.value.code == "world_invalid"
    assert str(path) in caught.value.message


def test_a_yaml_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, as_data(WORLD), "world.yml")
    text = path.read_text()
    assert load_world(path) == WORLD
    for length in range(len(text) - 1):
        path.write_text(text[:length])
        with pytest.raises(InputError) as caught:
            load_world(path)
        assert caught.value.code == "world_invalid"


@pytest.mark.parametrize(("name", "content"), [("world.json", '{"hosts": [], "vms": [], "hosts": []}'), ("world.yml", "hosts: []\nvms: []\nhosts: []\n...\n")])
def test_of_two_entries_with_one_key_none_is_lost_unseen(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match="the key 'hosts' is there twice"):
        load_world(tmp_path / name)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The world's data with another value at that path, such as ``vms.0.memory_mib``."""
    data = json.loads(TEXT)
    at: Any = data
    *way, last = path.split(".")
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    if isinstance(at, list):
        at.insert(int(last), value)
    else:
        at[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("vms.0.memory_mib", "much", r"vms\[0\]\.memory_mib: expected a whole number, got 'much'"),
        ("vms.0.memory_mib", -1, r"vms\[0\]\.memory_mib: -1 is not 0 or above"),
        ("vms.0.colour", "red", r"vms\[0\]\.colour: unknown field"),
        ("vms.0.power_state", "asleep", r"vms\[0\]\.power_state: 'asleep' is not one of running"),
        ("vms.0.host", "kvm9", r"vms\[0\]\.host: host 'kvm9' is not among the hosts"),
        ("vms.1", {"id": "id-web", "name": "twin", "host": "kvm1"}, r"vms\[1\]: 'id-web' is there twice"),
        ("vms.1", {"id": "x", "host": "kvm1"}, r"vms\[1\]\.name: required field is missing"),
        ("hosts.2", {"name": "kvm1"}, r"hosts\[2\]: 'kvm1' is there twice"),
        ("hosts.0.pools", ["nfs"], r"hosts\[0\]\.pools: pool 'nfs' is not among the pools"),
        ("hosts", "none", r"hosts: expected a list"),
        ("simulation.speed", 3, r"simulation\.speed: unknown field"),
        ("simulation.physics", {"efficiency": 1.5}, r"simulation\.physics\.efficiency: must be above 0"),
        ("simulation.physics", {"default_link_mbps": -5}, r"default_link_mbps: -5 is not 0 or above"),
        ("simulation.guests", {"nobody": {}}, r"simulation\.guests\.nobody: no VM has that id or name"),
        ("simulation.faults.0", {"kind": "earthquake"}, r"simulation\.faults\[0\]\.kind: 'earthquake' is not one of move_fails"),
        ("simulation.faults.0", {"kind": "move_fails"}, r"faults\[0\]: a fault of kind move_fails needs exactly one of: vm"),
        ("simulation.faults.0", {"kind": "move_fails", "vm": "mail"}, r"faults\[0\]\.vm: 'mail' is not in this world"),
        ("simulation.faults.0", {"kind": "move_fails", "vm": "web", "at_percent": 101}, r"faults\[0\]\.at_percent: 101.0 is not from 0 to 100"),
        ("simulation.faults.0", {"kind": "host_dies", "host": "kvm1", "until_seconds": 9}, r"faults\[0\]\.until_seconds: what dies stays dead"),
    ],
)
def test_the_error_names_file_and_field(tmp_path: Path, path: str, value: Any, said: str) -> None:
    file = saved(tmp_path, changed(path, value))
    with pytest.raises(InputError, match=said) as caught:
        load_world(file)
    assert caught.value.code == "world_invalid"
    assert str(file) in caught.value.message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("world.json", b"[]", "holds no mapping"),
        ("world.json", b"\xff\xfe", "no UTF-8 text"),
        ("world.yml", b"a: b: c", "no YAML.*line 1"),
        ("world.yml", b"", "does not end with"),
        ("world.yml", b"hosts: []\n", "does not end with"),
    ],
)
def test_what_is_no_world_at_all_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_world(tmp_path / name)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yml", tmp_path):
        with pytest.raises(InputError, match=str(path)) as caught:
            load_world(path)
        assert caught.value.code == "world_missing"
