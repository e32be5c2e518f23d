# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hypothesis strategies for random sites and requests: small worlds in which everything that the rules read occurs, also unknown facts."""

from __future__ import annotations

import dataclasses
import os

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostNetwork, HostState, Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Limits, Link, Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import AffinityGroup, AffinityKind, Nic, OperationKind, PowerState, Vm, VmKind, VmPolicy
from hypothesis import strategies as st

NETWORKS = ("lan", "dmz")
SHARED_POOLS = ("nfs-a", "nfs-b")
FEATURES = ("aes", "avx", "avx2")
TAGS = ("ssd", "gpu")
MEMORY_MIB = (512, 1024, 2048, 3072, 4096, 8192)
CONSENTS = (
    "allow_soft_affinity",
    "allow_older_hypervisor",
    "allow_unproven_sharing",
    "allow_os_upgrade",
    "allow_managed",
    "allow_other_cluster",
    "allow_insufficient_capacity",
    "allow_downtime",
)

mostly = st.sampled_from


def _rarely(value: object, usual: object) -> st.SearchStrategy[object]:
    return mostly([usual] * 9 + [value])


def examples(few: int) -> int:
    """How many worlds a property is tried on: ``few`` in a usual run, VMOPS_EXAMPLES where that is set (``make property-tests``: thousands)."""
    return int(os.environ.get("VMOPS_EXAMPLES", few))


@st.composite
def hosts(draw: st.DrawFn, name: str, *, troubled: bool = True) -> Host:
    """One host. Untroubled ones differ in memory, slots and load only, so that much can move."""
    host = Host(
        name=name,
        zone="z1",
        pod="p1",
        cluster="c1",
        hypervisor="qemu",
        hypervisor_version="7.2.0",
        os_name="debian",
        os_version="12",
        architecture="x86_64",
        cpu_features=frozenset(FEATURES),
        machine_types=draw(mostly([frozenset({"q35"}), None])),
        cpu_count=32,
        cpu_load_percent=draw(mostly([None, 10.0, 50.0])),
        memory_mib=draw(mostly([4096, 8192, 8192, 16384])),
        reserved_memory_mib=draw(mostly([0, 512])),
        max_vms=draw(mostly([None, None, 3, 8])),
        tags=frozenset(TAGS),
        pools=frozenset({*SHARED_POOLS, f"{name}/local"}),
        networks=tuple(HostNetwork(network) for network in NETWORKS),
        migration_address=draw(mostly(["10.0.0.1", None])),
        migration_link_mbps=draw(mostly([10000, 1000])),
        management_link_mbps=1000,
    )
    if not troubled:
        return host
    offered = draw(mostly([None, NETWORKS, NETWORKS, ("lan",)]))
    return dataclasses.replace(
        host,
        pod=draw(mostly(["p1", "p1", "p2", ""])),
        cluster=draw(mostly(["c1", "c2"])),
        state=draw(_rarely(HostState.UNREACHABLE, HostState.UP)),
        maintenance=Maintenance(draw(_rarely(MaintenanceState.PREPARING, MaintenanceState.AVAILABLE))),
        hypervisor=draw(_rarely("esxi", "qemu")),
        hypervisor_version=draw(mostly(["7.2.0", "7.2.0", "8.1", None])),
        os_name=draw(mostly(["debian", None])),
        os_version=draw(mostly(["12", "11"])),
        architecture=draw(_rarely("aarch64", "x86_64")),
        cpu_features=draw(st.none() | st.just(frozenset(FEATURES)) | st.frozensets(mostly(FEATURES))),
        memory_mib=draw(mostly([host.memory_mib] * 4 + [None])),
        tags=draw(st.frozensets(mostly(TAGS))),
        pools=frozenset(draw(st.sets(mostly(SHARED_POOLS), min_size=1)) | {f"{name}/local"}),
        networks=None if offered is None else tuple(HostNetwork(network, draw(_rarely("ovs", "bridge"))) for network in offered),
        migration_link_mbps=draw(mostly([10000, None])),
        management_link_mbps=draw(mostly([1000, None])),
    )


@st.composite
def vms(draw: st.DrawFn, number: int, host: str, *, troubled: bool = True) -> Vm:
    """One VM; untroubled ones can move wherever there is memory."""
    vm = Vm(
        id=f"id-{number:02}",
        name=f"vm{number}",
        host=host,
        power_state=draw(mostly([PowerState.RUNNING] * 8 + [PowerState.PAUSED])),
        memory_mib=draw(mostly(MEMORY_MIB)),
        architecture="x86_64",
        required_cpu_features=frozenset(),
        volumes=(Volume(f"disk-{number}", VolumeKind.ROOT, path=f"/data/{number}.qcow2", pool=draw(mostly(SHARED_POOLS))),),
        nics=(Nic(f"52:54:00:00:00:{number:02x}", draw(mostly(NETWORKS))),),
        dirty_rate_mib_s=draw(mostly([None, 1.0, 50.0, 5000.0])),
        working_set_mib=draw(mostly([None, 64])),
    )
    if not troubled:
        return vm
    return dataclasses.replace(
        vm,
        name=draw(_rarely("twin", vm.name)),
        power_state=draw(_rarely(PowerState.OFF, vm.power_state)),
        kind=draw(_rarely(VmKind.ROUTER, VmKind.USER)),
        architecture=draw(_rarely(None, "x86_64")),
        required_cpu_features=draw(st.none() | st.just(frozenset()) | st.frozensets(mostly(FEATURES), max_size=1)),
        volumes=(dataclasses.replace(vm.volumes[0], pool=draw(mostly([*SHARED_POOLS, *SHARED_POOLS, f"{host}/local", None]))),),
        host_devices=draw(_rarely(("pci 01:00.0",), ())),
        snapshots=draw(_rarely(1, 0)),
        operation=draw(_rarely(OperationKind.BLOCK_JOB, None)),
        required_host_tags=draw(_rarely(frozenset({"ssd"}), frozenset())),
        policy=draw(_rarely(VmPolicy(pinned=True), VmPolicy())),
        managed_by=draw(_rarely("nova", "")),
        labels=draw(_rarely(frozenset({"kubernetes_node"}), frozenset())),
    )


@st.composite
def sites(draw: st.DrawFn, max_hosts: int = 5, max_vms: int = 10, profiles: tuple[str, ...] = ("generic", "pcd", "cas")) -> Site:
    """A random site, often untroubled but for memory. It may be over-committed already, as real ones are."""
    troubled = draw(mostly([False, False, True]))
    names = [f"kvm{number}" for number in range(1, draw(st.integers(2, max_hosts)) + 1)]
    its_hosts = tuple(draw(hosts(name, troubled=troubled)) for name in names)
    count = draw(st.integers(1, max_vms))
    its_vms = tuple(draw(vms(number, draw(mostly(names)), troubled=troubled)) for number in range(1, count + 1))
    ids = [vm.id for vm in its_vms]
    groups = tuple(
        AffinityGroup(f"group{number}", draw(mostly(list(AffinityKind))), draw(st.frozensets(mostly(ids), min_size=1, max_size=3)), draw(st.booleans()))
        for number in range(draw(st.integers(0, 2)))
    )
    pools = [Pool(name, name, scope=PoolScope.CLUSTER, identity=draw(mostly([name, None])), path=f"/pools/{name}") for name in SHARED_POOLS]
    pools += [Pool(f"{name}/local", "local", scope=PoolScope.HOST) for name in names]
    links = draw(mostly([(), (Link("rack", frozenset(names[:1]), 1000),)]))
    limits = Limits(draw(st.integers(1, 4)), draw(st.integers(1, 4)), 4, hosts=draw(mostly([{}, {names[0]: 1}])))
    return Site(
        driver="simulator",
        profile=draw(mostly(profiles)),
        hosts=its_hosts,
        pools=tuple(pools),
        vms=its_vms,
        links=links,
        affinity_groups=groups,
        limits=limits,
    )


@st.composite
def requests(draw: st.DrawFn, site: Site) -> PlanRequest:
    """A drain of one or two hosts, or any VMs that are to move away from where they are."""
    consents = draw(st.frozensets(mostly(CONSENTS)))
    scope = draw(mostly(["site", "zone", "pod", "cluster"]))
    if draw(st.booleans()):
        drained = draw(st.frozensets(mostly([host.name for host in site.hosts]), min_size=1, max_size=2))
        moving = tuple(vm.id for vm in site.vms if vm.host in drained)
        return PlanRequest(moving, avoid_hosts=drained, scope=scope, consents=consents, parallel=draw(st.integers(0, 3)))
    moving = tuple(draw(st.lists(mostly([vm.id for vm in site.vms]), unique=True, max_size=8)))
    return PlanRequest(moving, scope=scope, consents=consents, bandwidth_mib_s=draw(mostly([0, 50])), keep_order=draw(st.booleans()))


@st.composite
def sites_with_requests(draw: st.DrawFn, max_hosts: int = 5, max_vms: int = 10) -> tuple[Site, PlanRequest]:
    """A site and something to plan on it."""
    site = draw(sites(max_hosts, max_vms))
    return site, draw(requests(site))
