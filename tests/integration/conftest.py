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
from tests.labs.vsphere.fixtures import vsphere_authority, vsphere_lab

__all__ = [
    "authenticated_kvm_lab",
    "kvm_lab",
    "session_authenticated_kvm_lab",
    "session_kvm_lab",
    "session_unprivileged_kvm_lab",
    "unprivileged_kvm_lab",
    "vsphere_authority",
    "vsphere_lab",
]

WORLDS = [pytest.param("simulator", marks=pytest.mark.simulator), pytest.param("kvm", marks=pytest.mark.kvm)]
VSPHERE = pytest.param("vsphere", marks=pytest.mark.vsphere)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each scenario runs in every world; on vSphere those of the modules that say so (``ON_VSPHERE``)."""
    if "world" in metafunc.fixturenames:
        on_vsphere = getattr(metafunc.module, "ON_VSPHERE", False)
        metafunc.parametrize("world", [*WORLDS, VSPHERE] if on_vsphere else WORLDS, indirect=True)


@pytest.fixture
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
def vsphere_world(request: pytest.FixtureRequest) -> World:
    lab = request.getfixturevalue("vsphere_lab")
    from tests.integration.world_vsphere import VsphereWorld  # pyVmomi may be what is missing, which the lab's fixture tells

    return VsphereWorld(lab)


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
