# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The worlds of the scenarios: each scenario that takes ``world`` runs in every one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.world_kvm import KvmWorld
from tests.integration.world_simulator import SimulatorWorld
from tests.integration.worlds import World
from tests.labs.kvm.fixtures import (
    authenticated_kvm_lab,
    kvm_lab,
    session_authenticated_kvm_lab,
    session_kvm_lab,
    session_unprivileged_kvm_lab,
    unprivileged_kvm_lab,
)

__all__ = [
    "authenticated_kvm_lab",
    "kvm_lab",
    "session_authenticated_kvm_lab",
    "session_kvm_lab",
    "session_unprivileged_kvm_lab",
    "unprivileged_kvm_lab",
]

WORLDS = [pytest.param("simulator", marks=pytest.mark.simulator), pytest.param("kvm", marks=pytest.mark.kvm)]


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    """Three hosts, up and available, without VMs."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found


@pytest.fixture
def simulator_world(tmp_path: Path) -> SimulatorWorld:
    folder = tmp_path / "world"
    folder.mkdir()
    return SimulatorWorld(folder)


@pytest.fixture
def kvm_world(request: pytest.FixtureRequest) -> Iterator[KvmWorld]:
    world = KvmWorld(request.getfixturevalue("kvm_lab"))
    yield world
    world.close()


@pytest.fixture
def authenticated_kvm_world(request: pytest.FixtureRequest) -> Iterator[KvmWorld]:
    """The same with client certificates and ssh keys required."""
    world = KvmWorld(request.getfixturevalue("authenticated_kvm_lab"))
    yield world
    world.close()


@pytest.fixture
def unprivileged_kvm_world(request: pytest.FixtureRequest) -> Iterator[KvmWorld]:
    """Hosts whose QEMU runs as a user of its own: see ``tests/labs/kvm/config.py``."""
    world = KvmWorld(request.getfixturevalue("unprivileged_kvm_lab"))
    yield world
    world.close()
