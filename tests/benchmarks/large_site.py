# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large site for measurements: made by rule, not by chance, so that two runs measure the same."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostNetwork
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Link, Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import AffinityGroup, AffinityKind, Nic, Vm

MACHINE_TYPES = frozenset({"pc-q35-8.2"})
FEATURES = frozenset({"aes", "avx", "avx2", "fma", "sse4_2", "x2apic", "rdrand", "pcid"})
HOSTS_PER_CLUSTER = 20
HOSTS_PER_RACK = 40


def large_site(hosts: int = 1000, pools: int = 100, vms: int = 10_000) -> Site:
    """Clusters of 20 hosts with two shared pools each, all on the same networks; VMs of 2 to 16 GiB, most hosts about two thirds full."""
    clusters = hosts // HOSTS_PER_CLUSTER
    its_pools = tuple(_pool(number, clusters) for number in range(pools))
    by_cluster = {f"c{number:03}": frozenset(pool.id for pool in its_pools if pool.cluster == f"c{number:03}") for number in range(clusters)}
    its_hosts = tuple(_host(number, by_cluster) for number in range(hosts))
    its_vms = tuple(_vm(number, its_hosts[number % hosts]) for number in range(vms))
    racks = range(hosts // HOSTS_PER_RACK)
    links = tuple(
        Link(f"rack{rack:02}", frozenset(host.name for host in its_hosts[rack * HOSTS_PER_RACK : (rack + 1) * HOSTS_PER_RACK]), 40_000) for rack in racks
    )
    pairs = tuple(
        AffinityGroup(f"pair{number:04}", AffinityKind.ANTI_AFFINITY, frozenset({f"id-{number:05}", f"id-{number + 1:05}"})) for number in range(0, vms, 50)
    )
    return Site(driver="simulator", hosts=its_hosts, pools=its_pools, vms=its_vms, links=links, affinity_groups=pairs)


def _pool(number: int, clusters: int) -> Pool:
    return Pool(f"nfs-{number:03}", f"nfs-{number:03}", "netfs", PoolScope.CLUSTER, cluster=f"c{number % clusters:03}", identity=f"filer:/export/{number}")


def _host(number: int, pools: dict[str, frozenset[str]]) -> Host:
    cluster = f"c{number // HOSTS_PER_CLUSTER:03}"
    return Host(
        name=f"host-{number:04}",
        zone="z1",
        pod=f"p{number // 200}",
        cluster=cluster,
        hypervisor="qemu",
        hypervisor_version="8.2.2",
        architecture="x86_64",
        cpu_features=FEATURES,
        machine_types=MACHINE_TYPES,
        cpu_load_percent=float(number * 37 % 80),
        memory_mib=131_072,
        reserved_memory_mib=4096,
        pools=pools[cluster] | {f"host-{number:04}/local"},
        networks=(HostNetwork("lan"), HostNetwork("dmz"), HostNetwork("storage")),
        migration_address=f"10.0.{number // 250}.{number % 250 + 1}",
        migration_link_mbps=10_000,
        management_link_mbps=1000,
    )


def _vm(number: int, host: Host) -> Vm:
    shared = sorted(pool for pool in host.pools if "/" not in pool)
    return Vm(
        id=f"id-{number:05}",
        name=f"vm-{number:05}",
        host=host.name,
        memory_mib=(2048, 4096, 8192, 8192, 16_384)[number * 7 % 5 if number % 3 else number % 5],
        vcpus=2,
        architecture="x86_64",
        machine_type="pc-q35-8.2",
        required_cpu_features=FEATURES - {"pcid"},
        volumes=(Volume(f"root-{number}", VolumeKind.ROOT, pool=shared[number % len(shared)]), Volume(f"data-{number}", pool=shared[0])),
        nics=(Nic(f"52:54:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}", "lan"),),
        dirty_rate_mib_s=float(number % 20),
        working_set_mib=256,
    )
