# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes examples/site.yml, the world of the demo: ``tools/make_example_site.py > examples/site.yml``. The tables below are the whole truth."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import yaml

GIB = 1024
GB_BYTES = 10**9
CLUSTERS = {"a": "p1", "b": "p1", "c": "p2"}
HOSTS = tuple(f"kvm-{cluster}{number}" for cluster in CLUSTERS for number in range(1, 5))
HOST_MEMORY_GIB = {"a": 512, "b": 512, "c": 384, "kvm-c4": 128}
TAGS = {"kvm-a1": "ssd licensed-db", "kvm-a2": "ssd licensed-db", "kvm-b1": "ssd licensed-db", "kvm-b2": "ssd", "kvm-c3": "gpu", "kvm-c4": "archive"}
CPU_FEATURES = "aes avx avx2 bmi1 bmi2 fma pcid sse4_2 ssse3 x2apic"
CPUS = {
    "a": ("Skylake-Server-IBRS", CPU_FEATURES + " avx512f avx512dq"),
    "b": ("Cascadelake-Server-noTSX", CPU_FEATURES + " avx512f avx512dq avx512vnni"),
    "c": ("EPYC-Rome", CPU_FEATURES + " clzero wbnoinvd"),
}

# kind of guest: memory in GiB, CPUs, dirty rate in MiB/s, working set in MiB, size of its data disk in GB (0: none), pool (host, cluster or zone), networks
KINDS: dict[str, tuple[int, int, float, int, int, str, str]] = {
    "db": (64, 16, 160.0, 4096, 800, "zone", "br-prod br-db"),
    "cache": (48, 8, 210.0, 6144, 0, "zone", "br-prod"),
    "queue": (16, 8, 45.0, 1024, 100, "zone", "br-prod"),
    "search": (32, 8, 70.0, 3072, 400, "zone", "br-prod"),
    "batch": (32, 12, 90.0, 8192, 200, "cluster", "br-prod"),
    "app": (24, 8, 35.0, 1536, 0, "zone", "br-prod"),
    "api": (16, 4, 25.0, 1024, 0, "zone", "br-prod"),
    "web": (8, 4, 12.0, 512, 0, "zone", "br-dmz"),
    "build": (16, 8, 55.0, 4096, 100, "cluster", "br-prod"),
    "files": (16, 4, 8.0, 512, 2000, "cluster", "br-prod"),
    "mail": (16, 4, 10.0, 768, 600, "cluster", "br-dmz"),
    "mon": (24, 4, 40.0, 2048, 300, "zone", "br-prod"),
    "desktop": (8, 2, 6.0, 1024, 0, "cluster", "br-prod"),
    "etcd": (8, 4, 4.0, 256, 20, "cluster", "br-prod"),
    "lab": (8, 4, 5.0, 512, 0, "cluster", "br-lab"),
    "ci": (16, 8, 55.0, 4096, 100, "host", "br-prod"),
    "vdi": (8, 2, 6.0, 1024, 0, "host", "br-prod"),
    "attic": (8, 2, 1.0, 64, 200, "host", "br-prod"),
    "s": (2, 1, 2.0, 128, 0, "cluster", "br-prod"),
    "v": (1, 1, 1.0, 64, 0, "cluster", "br-prod"),
    "r": (1, 1, 1.0, 64, 0, "cluster", "br-prod br-dmz"),
    "l": (1, 1, 1.0, 64, 0, "cluster", "br-prod br-dmz"),
}
SYSTEM_KINDS = {"s": "secondary_storage", "v": "console_proxy", "r": "router", "l": "load_balancer"}

PLACEMENT = {
    "kvm-a1": "db-orders-1 db-crm-1 cache-sessions-1 search-catalog-1 batch-reports-1 app-erp-1 "
    "app-billing-1 api-orders-1 web-shop-1 build-agent-1 mon-prod-1 r-21-VM",
    "kvm-a2": "db-orders-2 queue-orders-1 app-crm-1 api-orders-2 api-stock-1 web-shop-2 web-blog-1 batch-invoices-1 s-1-VM desktop-anna",
    "kvm-a3": "cache-sessions-2 search-catalog-2 app-billing-2 api-stock-2 api-prices-1 web-shop-3 web-portal-1 build-agent-2 v-2-VM desktop-ben",
    "kvm-a4": "db-stock-1 queue-mail-1 app-hr-1 api-prices-2 api-login-1 web-shop-4 web-portal-2 mon-logs-1 r-22-VM desktop-carla",
    "kvm-b1": "db-orders-3 db-hr-1 queue-orders-2 app-erp-2 api-login-2 web-blog-2 web-wiki-1 batch-backup-1 l-31-VM desktop-dana",
    "kvm-b2": "db-billing-1 app-billing-3 cache-prices-1 api-orders-3 api-maps-1 web-intranet-1 web-wiki-2 build-agent-3 r-23-VM desktop-emil "
    "ci-one ci-two vdi-one vdi-two attic-one",
    "kvm-b3": "app-legacy-1 mail-main-1 files-team-1 queue-legacy-1 api-maps-2 api-stock-3 web-intranet-2 web-docs-1 r-24-VM desktop-fritz",
    "kvm-b4": "db-crm-2 search-docs-1 app-hr-2 api-prices-3 api-login-3 web-docs-2 web-shop-5 mon-prod-2 l-32-VM desktop-greta",
    "kvm-c1": "etcd-1 app-plan-1 queue-batch-1 batch-render-1 batch-render-2 files-archive-1 lab-one lab-two s-3-VM",
    "kvm-c2": "etcd-2 app-plan-2 cache-batch-1 batch-risk-1 build-agent-4 files-scans-1 lab-three lab-four v-4-VM",
    "kvm-c3": "etcd-3 batch-gpu-1 batch-risk-2 build-agent-5 search-scans-1 app-map-1 r-41-VM desktop-hugo desktop-ines",
    "kvm-c4": "etcd-4 files-archive-2 files-archive-3 app-map-2 build-agent-6 mon-lab-1 l-42-VM desktop-jan desktop-kim desktop-lena",
}
OTHER_MEMORY_GIB = {"db-orders-1": 96, "db-orders-2": 96, "db-orders-3": 96, "db-billing-1": 96, "batch-risk-1": 48}
OTHER_POWER_STATES = {
    "build-agent-1": "paused",
    "desktop-carla": "off",
    "desktop-greta": "off",
    "lab-four": "off",
    "desktop-kim": "off",
    "files-archive-3": "off",
    "attic-one": "off",
    "desktop-lena": "saved",
}
PECULIAR: dict[str, dict[str, Any]] = {
    "app-legacy-1": {"local_disk": True},
    "mail-main-1": {"snapshots": 2},
    "files-team-1": {"operation": "block_job"},
    "batch-gpu-1": {"host_devices": ["pci_0000_3b_00_0"]},
    "queue-legacy-1": {"policy": {"pinned": True, "note": "licence is bound to this machine until March"}},
    "db-crm-1": {"required_host_tags": ["ssd"]},
    "db-hr-1": {"required_host_tags": ["licensed-db"]},
    "files-archive-1": {"required_host_tags": ["archive"]},
    "search-catalog-1": {"more_features": ["avx512f"]},
    "desktop-anna": {"autostart": False},
}
TEMPLATE = "/var/lib/libvirt/images/template-debian-12.qcow2"
ALLOCATED_SHARE = 0.3
"""Of the disks in pools of hosts, which are sparse files."""
WIDTH = 160
DETACHED = (("nfs-a", "old-billing-data", 200), ("kvm-a3/local", "scratch", 80))
"""Volumes of nobody: pool, name, size in GB."""
GROUPS = (
    ("orders-databases-apart", "anti_affinity", True, "db-orders-1 db-orders-2 db-orders-3"),
    ("shop-fronts-apart", "anti_affinity", False, "web-shop-1 web-shop-2 web-shop-3 web-shop-4 web-shop-5"),
    ("etcd-apart", "anti_affinity", False, "etcd-1 etcd-2 etcd-3 etcd-4"),
    ("billing-together", "affinity", True, "db-billing-1 app-billing-3"),
)
HEAD = """\
# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# A whole site for the simulator: one zone, two pods, three clusters, twelve hosts and about 120 VMs. Written by tools/make_example_site.py; the form
# is the one that site_info writes (docs/simulator.md). What is worth knowing:
#
# kvm-a1   can be emptied completely: twelve VMs, among them busy databases, a paused build agent and a router (a system VM, which stays in its pod).
# kvm-b2   can be emptied with its disks only (type: host_storage): two build servers have theirs in a pool of the host, two desktops are linked clones of
#          a template there, and attic-one is off with its disks there and stays.
# kvm-b3   cannot: app-legacy-1 has a disk of this host, mail-main-1 snapshots, files-team-1 an active block job, queue-legacy-1 is pinned.
# kvm-c1   etcd-1 can leave only with allow_soft_affinity: each of the other hosts that it could go to runs one of its kind already.
#          files-archive-1 has only one host to go to, by its tag; the two lab VMs can only go to kvm-c2, by their network.
# kvm-c3   batch-gpu-1 holds a device of the host.
# kvm-c4   is an old machine without an address on the migration network: moves from and to it take the slow management network.
# nfs-a and kvm-a3/local hold a detached volume each.
"""


def folded(line: str) -> Iterator[str]:
    """The line, or two where it is too long: parted at the last comma that leaves the first one short enough."""
    if len(line) <= WIDTH:
        yield line
        return
    cut = line.rindex(", ", 0, WIDTH) + 1
    yield line[:cut]
    yield from folded(" " * 9 + line[cut:].lstrip())


def identity(name: str) -> str:
    """The id of a thing, the same every time."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.example.vmops"))


def flow(value: Any) -> str:
    """YAML's flow style, quoted where it must be."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    is_plain = isinstance(value, str) and ":" not in value and "," not in value and yaml.safe_load(value) == value
    return value if is_plain else json.dumps(value)


def entry(fields: dict[str, Any]) -> Iterator[str]:
    """One item of a block sequence."""
    for number, (key, value) in enumerate(fields.items()):
        lead = "  - " if number == 0 else "    "
        if isinstance(value, list) and value and (isinstance(value[0], dict) or len(flow(value)) > 120):
            yield f"{lead}{key}:"
            yield from (line for item in value for line in folded(f"      - {flow(item)}"))
        else:
            yield f"{lead}{key}: {flow(value)}"


def networks_of(host: str) -> list[str]:
    """Networks that VMs can be attached to on a host: not all are everywhere."""
    return ["br-prod"] + (["br-dmz", "br-db"] if host[4] in "ab" else []) + (["br-lab"] if host in ("kvm-c1", "kvm-c2") else [])


def host_fields(name: str) -> dict[str, Any]:
    """Everything that a snapshot says of one host."""
    cluster, number = name[4], int(name[5])
    fields: dict[str, Any] = {
        "name": name,
        "id": identity(name),
        "zone": "z1",
        "pod": CLUSTERS[cluster],
        "cluster": cluster,
        "hypervisor": "QEMU",
        "hypervisor_version": "7.2.15",
        "os_name": "debian",
        "os_version": "12",
        "architecture": "x86_64",
        "cpu_model": CPUS[cluster][0],
        "cpu_features": CPUS[cluster][1].split(),
        "cpu_count": 64 if cluster in "ab" else 48,
        "machine_types": ["pc-i440fx-7.2", "pc-q35-7.2"],
        "memory_mib": HOST_MEMORY_GIB.get(name, HOST_MEMORY_GIB[cluster]) * GIB,
        "reserved_memory_mib": 8 * GIB,
        "pools": ["ceph-ssd", "iso", f"nfs-{cluster}", f"{name}/local"],
        "networks": [{"name": network} for network in networks_of(name)],
        "management_link_mbps": 1000,
    }
    if name in TAGS:
        fields["tags"] = TAGS[name].split()
    if name != "kvm-c4":
        fields["migration_address"] = f"10.78.{'abc'.index(cluster)}.{10 + number}"
        fields["migration_link_mbps"] = 10000
    return fields


def pools() -> Iterator[dict[str, Any]]:
    """Pools of the zone, of each cluster, and of each host."""
    yield {
        "id": "ceph-ssd",
        "name": "ceph-ssd",
        "kind": "rbd",
        "scope": "zone",
        "zone": "z1",
        "identity": "rbd:5d1c5c3e-6b8f-4a9e-8d35-0f6f1a2f3c11/vms",
        "capacity_bytes": 400_000 * GB_BYTES,
        "free_bytes": 260_000 * GB_BYTES,
        "tags": ["ssd"],
    }
    yield {"id": "iso", "name": "iso", "kind": "netfs", "scope": "zone", "zone": "z1", "identity": "nfs:10.80.0.9:/export/iso", "path": "/srv/iso"}
    for cluster, pod in CLUSTERS.items():
        shared = {"id": f"nfs-{cluster}", "name": f"nfs-{cluster}", "kind": "netfs", "scope": "cluster", "zone": "z1", "pod": pod, "cluster": cluster}
        sizes = {"capacity_bytes": 60_000 * GB_BYTES, "free_bytes": 21_000 * GB_BYTES}
        yield {**shared, "identity": f"nfs:10.80.0.{10 + 'abc'.index(cluster)}:/export/{cluster}", "path": f"/srv/nfs-{cluster}", **sizes}
    for host in HOSTS:
        local = {"id": f"{host}/local", "name": "local", "kind": "dir", "scope": "host", "path": "/var/lib/libvirt/images"}
        yield {**local, "capacity_bytes": 900 * GB_BYTES, "free_bytes": 700 * GB_BYTES}


def vm_fields(name: str, host: str) -> dict[str, Any]:
    """Everything that a snapshot says of one VM."""
    kind = name.split("-")[0]
    memory_gib, vcpus, dirty_rate, working_set, _data, _pool, networks = KINDS[kind]
    own = dict(PECULIAR.get(name, {}))
    power_state = OTHER_POWER_STATES.get(name, "running")
    fields: dict[str, Any] = {"id": identity(name), "name": name, "host": host}
    if power_state != "running":
        fields["power_state"] = power_state
    if kind in SYSTEM_KINDS:
        fields["kind"] = SYSTEM_KINDS[kind]
    fields |= {"memory_mib": OTHER_MEMORY_GIB.get(name, memory_gib) * GIB, "vcpus": vcpus}
    if own.pop("autostart", kind not in SYSTEM_KINDS and power_state == "running"):
        fields["autostart"] = True
    fields |= {"architecture": "x86_64", "machine_type": "pc-q35-7.2", "cpu_mode": "custom", "cpu_model": "Haswell-noTSX"}
    fields["required_cpu_features"] = ["aes", "avx2", "sse4_2", *own.pop("more_features", [])]
    if power_state in ("running", "paused"):
        fields |= {"dirty_rate_mib_s": dirty_rate, "working_set_mib": working_set}
    fields["volumes"] = list(volumes(name, host, own.pop("local_disk", False)))
    fields["nics"] = [{"mac": mac(name, network), "network": network, "model": "virtio"} for network in networks.split() if network in networks_of(host)]
    return fields | own


def volumes(name: str, host: str, local_disk: bool) -> Iterator[dict[str, Any]]:
    """The root disk, and the data disk of those that have one."""
    data_gb, pool = KINDS[name.split("-")[0]][4:6]
    where = {"zone": "ceph-ssd", "cluster": f"nfs-{host[4]}", "host": f"{host}/local"}[pool]
    root = {"id": f"{where}/{name}-root", "kind": "root", "name": f"{name}-root", "device": "vda"}
    yield {**root, **placed(where, 40), **({"backing": [TEMPLATE]} if name.startswith("vdi-") else {})}
    if data_gb or local_disk:
        where = f"{host}/local" if local_disk else where
        yield {"id": f"{where}/{name}-data", "name": f"{name}-data", "device": "vdb", **placed(where, data_gb or 300)}


def placed(where: str, size_gb: int) -> dict[str, Any]:
    """Where a volume is and how large; in a pool of one host it is a sparse file."""
    fields: dict[str, Any] = {"pool": where, "capacity_bytes": size_gb * GB_BYTES, "format": "raw" if where == "ceph-ssd" else "qcow2"}
    return {**fields, "allocated_bytes": round(size_gb * ALLOCATED_SHARE) * GB_BYTES} if "/" in where else fields


def mac(name: str, network: str) -> str:
    """A MAC address in QEMU's range."""
    digits = hashlib.sha256(f"{name}/{network}".encode()).hexdigest()
    return f"52:54:00:{digits[:2]}:{digits[2:4]}:{digits[4:6]}"


def lines() -> Iterator[str]:
    """The file, line by line."""
    yield HEAD + "---"
    yield from ("driver: simulator", "taken_at: 1764547200", "limits:", "  migrations_per_host: 4", "  migrations_per_link: 8", "links:")
    for pod in ("p1", "p2"):
        behind = [host for host in HOSTS if CLUSTERS[host[4]] == pod]
        yield from entry({"name": f"uplink-{pod}", "hosts": behind, "bandwidth_mbps": 20000})
    yield "affinity_groups:"
    for name, kind, required, members in GROUPS:
        yield from entry({"name": name, "kind": kind, "required": required, "vms": [identity(member) for member in members.split()]})
    yield "pools:"
    for pool in pools():
        yield from entry(pool)
    yield "hosts:"
    for host in HOSTS:
        yield from entry(host_fields(host))
    yield "vms:"
    for host in HOSTS:
        yield f"  # {host}"
        for name in PLACEMENT[host].split():
            yield from entry(vm_fields(name, host))
    yield "volumes:"
    for pool, name, size_gb in DETACHED:
        yield from entry({"id": f"{pool}/{name}", "name": name, **placed(pool, size_gb)})
    yield "..."


if __name__ == "__main__":
    print("\n".join(lines()))
