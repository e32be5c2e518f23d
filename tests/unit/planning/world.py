# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small sites for the planner's tests: hosts and VMs by memory alone, everything else well."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import AffinityGroup, AffinityKind, Vm


def host(name: str, memory_mib: int = 16384, **facts: object) -> Host:
    """A host that takes anything that fits."""
    usual: dict[str, object] = {
        "hypervisor": "qemu",
        "hypervisor_version": "7.2",
        "architecture": "x86_64",
        "cpu_features": frozenset(),
        "machine_types": frozenset({"q35"}),
        "networks": (),
        "management_link_mbps": 1000,
    }
    return Host(name=name, memory_mib=memory_mib, **(usual | facts))  # type: ignore[arg-type]


def vm(name: str, on: str, memory_mib: int = 2048, **facts: object) -> Vm:
    """A VM without disks and NICs; its id is its name."""
    usual: dict[str, object] = {"architecture": "x86_64", "machine_type": "q35", "required_cpu_features": frozenset(), "dirty_rate_mib_s": 1.0}
    return Vm(id=name, name=name, host=on, memory_mib=memory_mib, **(usual | facts))  # type: ignore[arg-type]


def site(hosts: list[Host], vms: list[Vm], **facts: object) -> Site:
    """A site of these."""
    return Site(driver="simulator", hosts=tuple(hosts), vms=tuple(vms), **facts)  # type: ignore[arg-type]


def drain(world: Site, *names: str, **wanted: object) -> PlanRequest:
    """Everything away from these hosts."""
    moving = tuple(subject.id for subject in world.vms if subject.host in names)
    return PlanRequest(moving, avoid_hosts=frozenset(names), **wanted)  # type: ignore[arg-type]


def apart(name: str, *ids: str, required: bool = True) -> AffinityGroup:
    """These VMs stay apart."""
    return AffinityGroup(name, AffinityKind.ANTI_AFFINITY, frozenset(ids), required)


def together(name: str, *ids: str, required: bool = True) -> AffinityGroup:
    """These VMs stay together."""
    return AffinityGroup(name, AffinityKind.AFFINITY, frozenset(ids), required)


def targets(plan: Plan) -> dict[str, str]:
    """Target host by VM name."""
    return {move.vm_name: move.target_host for move in plan.migrations}


def move_of(plan: Plan, name: str) -> Migration:
    """The migration of that VM."""
    return next(move for move in plan.migrations if move.vm_name == name)
