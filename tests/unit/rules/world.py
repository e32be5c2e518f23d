# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small site in which everything is well, to be spoiled in one point per test, and short ways to ask the rulebook about it."""

from __future__ import annotations

import dataclasses

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostNetwork
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Nic, Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.evaluate import evaluate, evaluate_vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite

WEB = Vm(
    id="id-web",
    name="web",
    host="kvm1",
    memory_mib=4096,
    architecture="x86_64",
    machine_type="pc-q35-7.2",
    required_cpu_features=frozenset({"aes"}),
    volumes=(Volume("web-root", VolumeKind.ROOT, device="vda", path="/pools/nfs-a/web.qcow2", pool="nfs-a"),),
    nics=(Nic("52:54:00:00:00:01", "lan"),),
)


def host(name: str, **facts: object) -> Host:
    """A host that is fit to take ``WEB``, but for the facts given."""
    usual: dict[str, object] = {
        "zone": "z1",
        "pod": "p1",
        "cluster": "c1",
        "hypervisor": "qemu",
        "hypervisor_version": "7.2.0",
        "os_name": "debian",
        "os_version": "12",
        "architecture": "x86_64",
        "cpu_features": frozenset({"aes", "avx"}),
        "machine_types": frozenset({"pc-q35-7.2"}),
        "memory_mib": 16384,
        "cpu_count": 16,
        "pools": frozenset({"nfs-a", f"{name}/local"}),
        "networks": (HostNetwork("lan"),),
        "migration_address": "10.0.0.1",
        "migration_link_mbps": 10000,
        "management_link_mbps": 1000,
    }
    return Host(name=name, **(usual | facts))  # type: ignore[arg-type]


def site(target: Host | None = None, vm: Vm = WEB, **facts: object) -> Site:
    """kvm1 with the VM, kvm2 (or ``target``) beside it."""
    usual: dict[str, object] = {
        "driver": "simulator",
        "hosts": (host("kvm1"), target or host("kvm2")),
        "pools": (
            Pool("nfs-a", "nfs-a", scope=PoolScope.CLUSTER, identity="filer:/a", path="/pools/nfs-a"),
            Pool("kvm1/local", "local", scope=PoolScope.HOST, path="/srv"),
            Pool("kvm2/local", "local", scope=PoolScope.HOST, path="/srv"),
        ),
        "vms": (vm,),
    }
    return Site(**(usual | facts))  # type: ignore[arg-type]


def reasons(
    world: Site, vm: str = "id-web", target: str = "kvm2", consents: frozenset[str] = frozenset(), planned: PlannedSite | None = None
) -> dict[str, Reason]:
    """All reasons about that VM and host, by code."""
    subject = world.vm_by_id[vm]
    state = planned or PlannedSite(world)
    found = evaluate_vm(world, subject, world.profile, consents) + evaluate(state, subject, world.host_by_name[target], world.profile, consents)
    return {reason.code: reason for reason in found}


def web(**facts: object) -> Vm:
    """``WEB`` with other facts."""
    return dataclasses.replace(WEB, **facts)  # type: ignore[arg-type]


def with_source(world: Site, **facts: object) -> Site:
    """The site with other facts of the source, kvm1."""
    return dataclasses.replace(world, hosts=(host("kvm1", **facts), *world.hosts[1:]))
