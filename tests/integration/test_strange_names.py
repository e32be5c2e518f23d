# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and texts with every character that means something to somebody: shells, XML, JSON, JMESPath, paths. They are data, nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.modules import evacuate, find_targets, migrate, read_site
from tests.integration.world_simulator import SimulatorWorld
from tests.integration.worlds import World, everyone_lives, running_on

ON_VSPHERE = True

# libvirt itself refuses names with a slash, and those that are only dots
NAMES = [
    'it\'s "quoted"',
    "web server 1",
    "<web>&amp;'1'<![CDATA[]]>",
    "$(touch vmops-owned);`touch vmops-owned`|| rm -rf ~",
    "--help",
    "..web",
    "{{ lookup('pipe', 'touch vmops-owned') }}",
    "Größe-Ω-虚拟机-🖥",
    "%s%n%x\\",
    "*",
]
WHY = "fan #2 </description><evil a='1'/> \"it's\" {{ 7 * 7 }} $(id) ü虚 ]]> &amp;"


def test_vms_of_strange_names_are_found_and_drained(world: World) -> None:
    first, second, _third = world.hosts
    guests = [world.add_vm(name, first, memory_mib=32 + index, autostart=index % 2 == 0) for index, name in enumerate(NAMES)]
    assert sorted(vm["name"] for vm in read_site(world)["vms"]) == sorted(NAMES)
    for guest in guests:
        assert find_targets(world, guest)["vm"]["id"] == guest.id
    answer = evacuate(world, first, target_hosts=[second], state="maintenance")
    assert not answer.failed, str(answer)
    assert answer.moved() == dict.fromkeys(NAMES, second)
    assert [world.where(guest) for guest in guests] == [running_on(second)] * len(NAMES)
    assert [world.autostart(guest) for guest in guests] == [index % 2 == 0 for index in range(len(NAMES))]
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []
    assert not Path("vmops-owned").exists()


@pytest.mark.parametrize("name", [NAMES[0], NAMES[2], NAMES[3]])
def test_a_vm_of_a_strange_name_is_moved(world: World, name: str) -> None:
    first, second, _third = world.hosts
    strange = world.add_vm(name, first)
    assert migrate(world, strange, target_host=second).changed
    assert world.where(strange) == running_on(second)
    assert everyone_lives(world, strange)
    assert not Path("vmops-owned").exists()


@pytest.mark.simulator
@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "/", "a\nb", "\x1b[31mred"])
def test_a_vm_with_a_name_like_a_path_or_of_several_lines(simulator_world: SimulatorWorld, name: str) -> None:
    world = simulator_world
    first, second, _third = world.hosts
    strange = world.add_vm(name, first)
    assert migrate(world, strange, target_host=second).changed
    assert world.where(strange) == running_on(second)
    assert evacuate(world, second, state="maintenance").changed
    assert sorted(path.name for path in world.folder.iterdir()) == ["world.json", "world.json.state.json", "world.json.state.json.lock"]


def test_the_reason_of_a_maintenance_is_kept_word_for_word(world: World) -> None:
    first, second, _third = world.hosts
    web = world.add_vm("web1", second)
    assert not evacuate(world, first, state="maintenance", why=WHY).failed
    assert world.maintenance_note(first)["why"] == WHY
    assert WHY in migrate(world, web, target_host=first).message
    assert evacuate(world, first, state="available").changed


def test_a_vm_can_be_selected_by_a_strange_name(world: World) -> None:
    first, second, _third = world.hosts
    strange, plain = world.add_vm('it is "<so>" & so', first), world.add_vm("plain", first)
    answer = evacuate(world, first, target_hosts=[second], select="contains(name, '\"<so>\" &')")
    assert answer.moved() == {strange.name: second}
    assert (world.where(strange), world.where(plain)) == (running_on(second), running_on(first))


def test_a_name_that_another_vm_has_on_the_target_is_refused(world: World) -> None:
    if not world.names_are_unique:
        pytest.skip("VMs of one name are told apart by their folders")
    first, second, _third = world.hosts
    one, other = world.add_vm("twin", first), world.add_vm("twin", second)
    taken = migrate(world, one.id, target_host=second)
    assert taken.failed
    assert "name_taken" in taken.message
    assert everyone_lives(world, one, other)
