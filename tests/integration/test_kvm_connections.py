# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the controller reaches KVM hosts: every way that libvirt has, and everything that can be wrong with it, named and without a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules import Answer, collections_folder, evacuate, find_targets, migrate, run_module
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import everyone_lives, running_on

LIBVIRT_SITE: dict[str, Any] = {"driver": "libvirt", "hosts": {"kvm1": {"uri": "qemu+tcp://127.0.0.1:1/system"}}}


def refused(world: KvmWorld, answer: Answer, before: str, *words: str) -> None:
    """It was refused, in these words, and nothing has changed."""
    assert answer.failed, str(answer)
    assert not answer.changed
    for word in words:
        assert word in answer.message, str(answer)
    assert world.digest() == before


@pytest.mark.kvm
@pytest.mark.parametrize("transport", ["unix", "tcp", "tls"])
def test_a_host_is_drained_over_every_transport(kvm_world: KvmWorld, transport: str) -> None:
    world = kvm_world
    world.transport = transport
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    assert world.where(web).defined_on != {first}
    assert everyone_lives(world, web)


@pytest.mark.kvm
@pytest.mark.parametrize("transport", ["tls", "ssh"])
def test_a_host_is_drained_with_keys_and_certificates(authenticated_kvm_world: KvmWorld, transport: str) -> None:
    world = authenticated_kvm_world
    world.transport = transport
    first, _second, _third = world.hosts
    web = world.add_vm("web1", first)
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    assert world.where(web).defined_on != {first}
    assert everyone_lives(world, web)


@pytest.mark.kvm
def test_a_move_that_the_controller_carries(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first, autostart=True)
    answer = migrate(world, web, target_host=second, transport="managed")
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert world.autostart(web)
    assert everyone_lives(world, web)
    assert world.left_behind() == []


@pytest.mark.kvm
@pytest.mark.parametrize(
    "uri",
    [
        "",
        "kvm1",
        "qemu+tls:///system",
        "http://10.0.0.1/system",
        "qemu+ssh://root@kvm1/session",
        "qemu+tls://kvm1:port/system",
        "qemu+carrier-pigeon://kvm1/system",
    ],
)
def test_a_wrong_uri(kvm_world: KvmWorld, uri: str) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    world.add_vm("web1", first)
    before = world.digest()
    world.describe_host(second, uri=uri)
    refused(world, evacuate(world, first), before, f"site.hosts.{second}.uri")


@pytest.mark.kvm
def test_verification_cannot_be_switched_off_in_a_uri(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    world.add_vm("web1", first)
    before = world.digest()
    world.describe_host(second, uri=f"{world.lab.hosts[second].uri('tls')}&no_verify=1")
    refused(world, evacuate(world, first), before, "no_verify")


@pytest.mark.kvm
def test_two_names_for_one_host(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    world.add_vm("web1", first)
    before = world.digest()
    world.describe_host(second, uri=world.lab.hosts[first].uri("tls"))
    answer = evacuate(world, first)
    refused(world, answer, before, first, second)
    assert answer.code == "host_duplicate"


@pytest.mark.kvm
def test_the_host_to_be_emptied_refuses_the_connection(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    before = world.digest()
    world.describe_host(first, uri=f"qemu+tcp://{world.lab.hosts[first].management_address}:1/system")
    answer = evacuate(world, first, state="maintenance")
    refused(world, answer, before, first, "refuses the connection")
    assert answer.code == "host_unreachable"
    assert migrate(world, web, target_host=second).code in ("vm_unknown", "host_unreachable")
    assert world.digest() == before
    assert everyone_lives(world, web)


@pytest.mark.kvm
def test_a_named_target_refuses_the_connection(kvm_world: KvmWorld) -> None:
    world = kvm_world
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    before = world.digest()
    world.describe_host(second, uri=f"qemu+tcp://{world.lab.hosts[second].management_address}:1/system")
    for answer in (migrate(world, web, target_host=second), evacuate(world, first, target_hosts=[second, third])):
        refused(world, answer, before, second, "refuses the connection")
        assert answer.code == "host_unreachable"
    assert migrate(world, web, source_host=first).changed
    assert world.where(web) == running_on(third)


@pytest.mark.kvm
@pytest.mark.parametrize(
    ("transport", "identity", "word"), [("tls", "none", "certificate"), ("tls", "stranger", "certificate"), ("ssh", "unknown_hosts", "host key")]
)
def test_a_host_that_the_controller_has_no_trust_with(authenticated_kvm_world: KvmWorld, transport: str, identity: str, word: str) -> None:
    world = authenticated_kvm_world
    first, second, third = world.hosts
    web = world.add_vm("web1", first)
    before = world.digest()
    world.describe_host(second, uri=world.lab.hosts[second].uri(transport, identity))
    refused(world, migrate(world, web, target_host=second), before, second, word)
    assert find_targets(world, web)["suitable_hosts"] == [third]
    world.describe_host(first, uri=world.lab.hosts[first].uri(transport, identity))
    refused(world, evacuate(world, first), before, first, word)
    assert everyone_lives(world, web)


@pytest.mark.kvm
def test_a_host_whose_key_has_changed(authenticated_kvm_world: KvmWorld) -> None:
    world = authenticated_kvm_world
    world.transport = "ssh"
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    world.lab.ssh.replace_host_key(second)
    world.lab.hosts[second].restart_sshd()
    before = world.digest()
    refused(world, migrate(world, web, target_host=second), before, second, "host key")


def test_an_empty_inventory() -> None:
    for module, options in (("host_evacuate", {"hosts": ["kvm1"]}), ("vm_migrate", {"vm": "web1", "target_host": "kvm2"}), ("site_info", {})):
        answer = run_module(module, {"site": {"driver": "libvirt", "hosts": {}}, **options})
        assert answer.failed
        assert answer.code == "empty_inventory"
        assert "site.hosts" in answer.message


def test_libvirt_python_is_missing(tmp_path: Path) -> None:
    (tmp_path / "libvirt.py").write_text("raise ImportError(\"No module named 'libvirt'\")\n")
    environment = {"PYTHONPATH": f"{tmp_path}:{collections_folder()}"}
    for module, options in (("host_evacuate", {"hosts": ["kvm1"]}), ("vm_migrate", {"vm": "web1", "target_host": "kvm2"}), ("site_info", {})):
        answer = run_module(module, {"site": LIBVIRT_SITE, **options}, environment=environment)
        assert answer.failed
        assert answer.code == "library_missing"
        assert "libvirt-python" in answer.message
