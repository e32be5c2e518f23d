# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How KVM hosts reach each other: the source's daemon opens the destination, and what it lacks is named before the VM is touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.modules import evacuate, migrate
from tests.integration.world_kvm import KvmWorld
from tests.integration.worlds import everyone_lives, running_on

pytestmark = pytest.mark.kvm

Distrust = Callable[[KvmWorld, str, str], None]


def without_client_certificate(world: KvmWorld, source: str, _target: str) -> None:
    world.lab.certificates.remove_client_certificate(source)


def with_a_strangers_certificate(world: KvmWorld, source: str, _target: str) -> None:
    world.lab.certificates.make_client_a_stranger(source)


def to_a_server_of_another_authority(world: KvmWorld, _source: str, target: str) -> None:
    world.lab.certificates.make_server_a_stranger(target)
    world.lab.hosts[target].restart_daemon()


def to_a_closed_port(world: KvmWorld, _source: str, target: str) -> None:
    world.describe_host(target, peer_uri=f"qemu+tls://{world.lab.hosts[target].management_address}:1/system")


def to_an_unknown_name(world: KvmWorld, _source: str, target: str) -> None:
    world.describe_host(target, peer_uri="qemu+tls://no-such-host.invalid/system")


DISTRUSTS = [without_client_certificate, with_a_strangers_certificate, to_a_server_of_another_authority, to_a_closed_port, to_an_unknown_name]


@pytest.mark.parametrize("distrust", DISTRUSTS)
def test_a_source_that_cannot_open_the_destination_names_both_and_moves_nothing(authenticated_kvm_world: KvmWorld, distrust: Distrust) -> None:
    world = authenticated_kvm_world
    world.transport = "ssh"
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    distrust(world, first, second)
    before = world.digest()
    predicted = migrate(world, web, target_host=second, check=True)
    answer = migrate(world, web, target_host=second)
    for told in (predicted, answer):
        assert told.failed, str(told)
        assert "peer_unreachable" in told.message, str(told)
        assert first in told.message
        assert second in told.message
    assert world.where(web) == running_on(first)
    assert world.digest() == before
    assert everyone_lives(world, web)


def test_a_drain_goes_to_the_hosts_that_its_source_can_open(authenticated_kvm_world: KvmWorld) -> None:
    world = authenticated_kvm_world
    world.transport = "ssh"
    first, second, third = world.hosts
    guests = [world.add_vm(f"web{number}", first) for number in range(3)]
    to_a_server_of_another_authority(world, first, second)
    answer = evacuate(world, first, state="maintenance")
    assert not answer.failed, str(answer)
    assert [world.where(guest) for guest in guests] == [running_on(third)] * 3
    assert world.maintenance(first) == "maintenance"
    assert everyone_lives(world, *guests)
    assert world.left_behind() == []


def test_a_move_that_the_controller_carries_needs_no_trust_among_peers(authenticated_kvm_world: KvmWorld) -> None:
    world = authenticated_kvm_world
    world.transport = "ssh"
    first, second, _third = world.hosts
    web = world.add_vm("web1", first)
    without_client_certificate(world, first, second)
    answer = migrate(world, web, target_host=second, transport="managed")
    assert not answer.failed, str(answer)
    assert world.where(web) == running_on(second)
    assert everyone_lives(world, web)
