# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example site is what its first lines say, physically."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, Scope
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.disks import size_bytes
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.driver import SimulatorDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.simulator.world import World, load_world
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SimulatorOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import AffinityKind, PowerState, VmKind

PROJECT = Path(__file__).parents[4]
EXAMPLE = PROJECT / "examples" / "site.yml"


@pytest.fixture(scope="module")
def world() -> World:
    return load_world(EXAMPLE)


@pytest.fixture
def driver(tmp_path: Path) -> SimulatorDriver:
    return SimulatorDriver(SiteOptions("simulator", simulator=SimulatorOptions(str(EXAMPLE), str(tmp_path / "state.json"))))


def codes(driver: SimulatorDriver, site: Site, name: str, target: str) -> set[str]:
    vm = site.find_vm(name, "vm")
    return {reason.code for reason in driver.check(Migration("m", vm.id, vm.name, vm.host, target), MoveOptions())}


def test_the_file_is_what_its_script_writes() -> None:
    script = PROJECT / "tools" / "make_example_site.py"
    written = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert EXAMPLE.read_text() == written


def test_it_has_the_size_and_the_variety_that_it_claims(world: World) -> None:
    site = world.site
    assert len({host.zone for host in site.hosts}) == 1
    assert len({host.pod for host in site.hosts}) == 2
    assert len({host.cluster for host in site.hosts}) == 3
    assert len(site.hosts) == 12
    assert 115 <= len(site.vms) <= 125
    assert {vm.kind for vm in site.vms} == set(VmKind)
    assert {vm.power_state for vm in site.vms} == {PowerState.RUNNING, PowerState.PAUSED, PowerState.SAVED, PowerState.OFF}
    assert {(group.kind, group.required) for group in site.affinity_groups} >= {(AffinityKind.AFFINITY, True), (AffinityKind.ANTI_AFFINITY, False)}
    assert len({vm.name for vm in site.vms}) == len(site.vms)
    for host in site.hosts:
        assert sum(vm.memory_mib for vm in site.vms_by_host[host.name] if vm.is_active) <= (host.memory_mib or 0) - host.reserved_memory_mib


def test_every_vm_runs_where_its_networks_and_pools_are(world: World) -> None:
    for vm in world.site.vms:
        host = world.site.host_by_name[vm.host]
        assert {nic.network for nic in vm.nics} <= {network.name for network in host.networks or ()}, vm.name
        assert {volume.pool for volume in vm.volumes} <= host.pools, vm.name
        assert (vm.required_cpu_features or frozenset()) <= (host.cpu_features or frozenset()), vm.name


def test_every_vm_of_the_host_that_the_demo_empties_has_somewhere_to_go(driver: SimulatorDriver) -> None:
    site = driver.snapshot(EVERYTHING)
    leaving = site.vms_by_host["kvm-a1"]
    assert len(leaving) == 12
    for vm in leaving:
        assert any(not codes(driver, site, vm.name, host.name) for host in site.hosts if host.name != "kvm-a1"), vm.name


@pytest.mark.parametrize(
    ("name", "code"),
    [("app-legacy-1", "pool_not_on_host"), ("files-team-1", "block_job_active"), ("batch-gpu-1", "host_device")],
)
def test_what_cannot_move_cannot_move_anywhere(driver: SimulatorDriver, name: str, code: str) -> None:
    site = driver.snapshot(EVERYTHING)
    here = site.find_vm(name, "vm").host
    assert all(code in codes(driver, site, name, host.name) for host in site.hosts if host.name != here)


def test_what_has_its_disks_on_its_host_leaves_with_them_only(driver: SimulatorDriver) -> None:
    site = driver.snapshot(EVERYTHING)
    tied = [vm for vm in site.vms_by_host["kvm-b2"] if any(volume.pool == "kvm-b2/local" for volume in vm.volumes)]
    assert len(tied) == 5
    assert any(volume.backing for vm in tied for volume in vm.volumes)
    for vm in tied:
        mode = Mode.LIVE if vm.is_active else Mode.OFFLINE
        ways = tuple(VolumeMove(volume.id, volume.pool, "kvm-b3/local", device=volume.device) for volume in vm.volumes)
        alone = Migration("m", vm.id, vm.name, vm.host, "kvm-b3", mode=mode)
        along = dataclasses.replace(alone, type=MigrationType.HOST_STORAGE, volumes=ways)
        assert {reason.code for reason in driver.check(alone, MoveOptions())} == {"pool_not_on_host"}
        assert driver.check(along, MoveOptions()) == ()


def test_two_volumes_are_nobody_s(driver: SimulatorDriver) -> None:
    pools = frozenset(pool.id for pool in driver.snapshot(EVERYTHING).pools)
    assert {volume.id for volume in driver.snapshot(Scope(volumes_of=pools)).volumes} == {"nfs-a/old-billing-data", "kvm-a3/local/scratch"}


def test_no_pool_holds_more_than_it_is_large(world: World) -> None:
    held: dict[str, int] = {}
    for volume in (*world.site.volumes, *(volume for vm in world.site.vms for volume in vm.volumes)):
        held[volume.pool or ""] = held.get(volume.pool or "", 0) + size_bytes(volume)
    for pool in world.site.pools:
        if pool.capacity_bytes is not None and pool.free_bytes is not None:
            assert held.get(pool.id, 0) <= pool.capacity_bytes - pool.free_bytes, pool.id


def test_the_first_of_the_etcds_can_go_only_where_another_one_is(driver: SimulatorDriver) -> None:
    site = driver.snapshot(EVERYTHING)
    possible = {host.name for host in site.hosts if host.name != "kvm-c1" and not codes(driver, site, "etcd-1", host.name)}
    assert possible == {site.find_vm(f"etcd-{number}", "vm").host for number in (2, 3, 4)}
