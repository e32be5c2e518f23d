# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of the vSphere lab: what is read, and in how few calls."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING, LIGHT, Scope
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.driver import VsphereDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.tags import TagReader
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostState, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration, MigrationType, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import PoolScope, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState
from pyVmomi import vim

from tests.labs.vsphere.lab import VsphereLab

pytestmark = pytest.mark.vsphere


def test_hosts_pools_and_vms_are_told_in_full(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    vsphere_lab.add_datastore("shared2", list(vsphere_lab.hosts))
    web = vsphere_lab.add_vm("web1", first, pools=("shared", f"local-{first}"), memory_mib=96)
    vsphere_lab.add_vm("web1", second, pools=("shared2",), powered_on=False, thin=False)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(EVERYTHING)
    host = site.host_by_name[first]
    assert (host.zone, host.cluster, host.state, host.hypervisor, host.hypervisor_version) == ("DC0", "DC0_C0", HostState.UP, "esxi", "8.0.2")
    assert (host.has_vmotion, host.max_hardware_version, host.migration_address) == (True, 21, "10.9.0.1")
    assert host.pools == {"shared", "shared2", f"local-{first}"}
    assert {network.name for network in host.networks or ()} >= {"VM Network"}
    assert (site.pool_by_id["shared"].scope, site.pool_by_id[f"local-{first}"].scope) == (PoolScope.CLUSTER, PoolScope.HOST)
    vm = site.vm_by_id[web]
    assert (vm.name, vm.host, vm.power_state, vm.memory_mib, vm.hardware_version) == ("web1", first, PowerState.RUNNING, 96, 14)
    assert [(volume.kind, volume.device, volume.pool, volume.format) for volume in vm.volumes] == [
        (VolumeKind.ROOT, "scsi0:0", "shared", "thin"),
        (VolumeKind.DATA, "scsi0:1", f"local-{first}", "thin"),
    ]
    (other,) = [vm for vm in site.vms if vm.id != web]
    assert (other.name, other.power_state, other.volumes[0].format) == ("web1", PowerState.OFF, "thick")


def test_the_number_of_calls_does_not_grow_with_the_vms(vsphere_lab: VsphereLab) -> None:
    def calls() -> int:
        before = vsphere_lab.calls()
        driver.snapshot(EVERYTHING)
        return vsphere_lab.calls() - before

    first = vsphere_lab.hosts[0]
    vsphere_lab.add_vm("web0", first)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(LIGHT)
        with_one = calls()
        for number in range(1, 12):
            vsphere_lab.add_vm(f"web{number}", first)
        assert calls() == with_one <= 8


def test_only_vms_in_scope_are_read_in_full(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    web, neighbour = vsphere_lab.add_vm("web1", first), vsphere_lab.add_vm("neighbour", second)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(Scope(vms=frozenset({"web1"}), hosts=frozenset()))
        assert (site.vm_by_id[web].detailed, site.vm_by_id[neighbour].detailed) == (True, False)
        part = driver.snapshot(Scope(only_hosts=frozenset({second})))
        assert ([host.name for host in part.hosts], [vm.id for vm in part.vms]) == ([second], [neighbour])


def test_a_host_that_does_not_answer_and_one_in_maintenance_are_told(vsphere_lab: VsphereLab) -> None:
    first, second, third = vsphere_lab.hosts
    web = vsphere_lab.add_vm("web1", first)
    vsphere_lab.control("hosts", name=first, connection="notResponding")
    vsphere_lab.wait(vsphere_lab.host(second).EnterMaintenanceMode_Task(10))
    vsphere_lab.control("hosts", name=third, vmotion=False, version="6.7.0")
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(EVERYTHING)
    assert site.host_by_name[first].state is HostState.UNREACHABLE
    assert site.vm_by_id[web].host == first
    assert site.host_by_name[second].maintenance.state is MaintenanceState.MAINTENANCE
    assert (site.host_by_name[third].has_vmotion, site.host_by_name[third].max_hardware_version) == (False, 14)


def test_datastores_that_a_host_does_not_reach_or_that_take_nothing_are_told(vsphere_lab: VsphereLab) -> None:
    first, second, _third = hosts = vsphere_lab.hosts
    for name in ("lost", "media", "resting"):
        vsphere_lab.add_datastore(name, list(hosts))
    vsphere_lab.change_datastore("lost", list(hosts), lost_on=(second,))
    vsphere_lab.change_datastore("media", list(hosts), read_only_on=(first,))
    vsphere_lab.change_datastore("resting", list(hosts), maintenance="inMaintenance")
    web = vsphere_lab.add_vm("web1", first)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(EVERYTHING)
    assert {host.name for host in site.hosts if "lost" in host.pools} == set(hosts) - {second}
    assert {pool.id for pool in site.pools if pool.closed_because} == {"media", "resting"}
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        driver.snapshot(EVERYTHING)
        lost, media = (refused_codes(driver, web, (first, target), pool) for target, pool in ((second, "lost"), (first, "media")))
    assert (lost, media) == ({"pool_not_on_host"}, {"pool_closed"})


def refused_codes(driver: VsphereDriver, vm: str, ends: tuple[str, str], pool: str) -> set[str]:
    """What vCenter itself says against the move of the VM's disk to that pool."""
    kind = MigrationType.STORAGE if ends[0] == ends[1] else MigrationType.HOST_STORAGE
    disk = driver.snapshot(EVERYTHING).vm_by_id[vm].volumes[0]
    move = Migration("m1", vm, "web1", *ends, type=kind, volumes=(VolumeMove(disk.id, disk.pool, pool),))
    return {reason.code for reason in driver.check(move, MoveOptions()) if reason.blocks}


def warned(lab: VsphereLab) -> set[str]:
    with VsphereDriver(lab.site_options()) as driver:
        return {reason.code for reason in driver.snapshot(LIGHT).warnings}


@pytest.mark.rule("CAS-04", sign="-")
def test_drs_that_moves_vms_by_itself_is_warned_of(vsphere_lab: VsphereLab) -> None:
    vsphere_lab.control("clusters", name="DC0_C0", behavior="fullyAutomated")
    assert "drs_automated" in warned(vsphere_lab)


@pytest.mark.rule("CAS-04", sign="+")
@pytest.mark.parametrize("behavior", ["manual", "partiallyAutomated"])
def test_drs_that_only_advises_is_no_matter(vsphere_lab: VsphereLab, behavior: str) -> None:
    vsphere_lab.control("clusters", name="DC0_C0", behavior=behavior)
    assert "drs_automated" not in warned(vsphere_lab)


def test_rules_of_vms_and_hosts_bind_vms_as_far_as_they_must_be_kept(vsphere_lab: VsphereLab) -> None:
    first, second, third = vsphere_lab.hosts
    vms = {name: vsphere_lab.add_vm(name, first) for name in ("licensed", "shy", "free")}
    rules = [
        {"name": "licence", "vms": ["licensed"], "hosts": [first, second], "mandatory": True},
        {"name": "away", "vms": ["shy"], "hosts": [second], "away": True, "mandatory": True},
        {"name": "rather", "vms": ["free"], "hosts": [third], "mandatory": False},
    ]
    vsphere_lab.control("clusters", name="DC0_C0", rules=rules)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(EVERYTHING)
    fitting = {
        name: {host.name for host in site.hosts if site.vm_by_id[moid].required_host_tags <= host.tags}  # a VM goes where all its tags are
        for name, moid in vms.items()
    }
    assert fitting == {"licensed": {first, second}, "shy": {first, third}, "free": {first, second, third}}


def test_a_vm_is_found_by_its_folder_where_its_name_is_not_enough(vsphere_lab: VsphereLab) -> None:
    first = vsphere_lab.hosts[0]
    one, other = vsphere_lab.add_vm("web1", first), vsphere_lab.add_vm("web1", first, pools=(f"local-{first}",))
    root = vsphere_lab.vm(one).parent
    team = root.CreateFolder("team-a")
    vsphere_lab.wait(team.MoveIntoFolder_Task([vsphere_lab.vm(other)]))
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(LIGHT)
    assert site.find_vm("DC0/vm/web1", "vm").id == one
    assert site.find_vm("DC0/vm/team-a/web1", "vm").id == other
    with pytest.raises(InputError, match="web1"):
        site.find_vm("web1", "vm")


def test_names_are_told_as_people_write_them(vsphere_lab: VsphereLab) -> None:
    """The API escapes percent signs and slashes."""
    first, second, _third = vsphere_lab.hosts
    vsphere_lab.control("hosts", name=first, networks=["VLAN 10%2f20"])
    vsphere_lab.control("hosts", name=second, networks=["VLAN 10%2f20"])
    web = vsphere_lab.add_vm("web/1 100%", first, network="VLAN 10%2f20")
    assert vsphere_lab.vm(web).name == "web%2f1 100%25"
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(EVERYTHING)
    vm = site.find_vm("web/1 100%", "vm")
    assert (vm.id, [nic.network for nic in vm.nics]) == (web, ["VLAN 10/20"])
    assert "VLAN 10/20" in {network.name for network in site.host_by_name[second].networks or ()}


def attach(lab: VsphereLab, tag: str, kind: str, moid: str) -> None:
    """A new tag on one object, made as an operator's own tool would."""
    with VsphereDriver(lab.site_options()) as driver:
        rest = TagReader(driver._center)
        category = {"create_spec": {"name": f"category of {tag}", "description": "", "cardinality": "MULTIPLE", "associable_types": []}}
        made = rest._ask("POST", "/tagging/category", category)
        made = rest._ask("POST", "/tagging/tag", {"create_spec": {"name": tag, "description": "", "category_id": made}})
        body = {"object_id": {"id": moid, "type": kind}}
        session = {"vmware-api-session-id": rest._session}
        assert rest._exchange("POST", f"/tagging/tag-association/id:{made}?~action=attach", body, session)[0] == 200
        rest.close()


def test_tags_are_read_where_that_is_asked_for(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    web = vsphere_lab.add_vm("web1", first)
    attach(vsphere_lab, "gpu", "HostSystem", vsphere_lab.host(second)._moId)
    attach(vsphere_lab, "ssd", "Datastore", vsphere_lab.named(vim.Datastore, "shared")._moId)
    attach(vsphere_lab, "gold", "VirtualMachine", web)
    with VsphereDriver(vsphere_lab.site_options(read_tags=True)) as driver:
        site = driver.snapshot(EVERYTHING)
        part = driver.snapshot(Scope(only_hosts=frozenset({first, second})))
    for seen in (site, part):
        assert {host.name: host.tags for host in seen.hosts}[second] == {"gpu"}
        assert (seen.host_by_name[first].tags, seen.pool_by_id["shared"].tags, seen.vm_by_id[web].labels) == (frozenset(), {"ssd"}, {"gold"})
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        assert driver.snapshot(EVERYTHING).pool_by_id["shared"].tags == frozenset()


def test_links_and_what_vsphere_makes_of_them_at_once(vsphere_lab: VsphereLab) -> None:
    first, second, _third = vsphere_lab.hosts
    vsphere_lab.control("hosts", name=second, link_mbps=1000)
    with VsphereDriver(vsphere_lab.site_options()) as driver:
        site = driver.snapshot(EVERYTHING)
        part = driver.snapshot(Scope(only_hosts=frozenset({second})))
    assert [(host.migration_link_mbps, host.management_link_mbps) for host in site.hosts] == [(10000, 10000), (1000, 1000), (10000, 10000)]
    assert part.host_by_name[second].migration_link_mbps == 1000
    limits = site.limits
    assert (limits.of("host", first), limits.of("host", second), limits.of("pool", "shared")) == (8, 4, 8)
    assert limits.cost("host", first, copies_disks=True) == 4
