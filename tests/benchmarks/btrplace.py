# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placement of very many VMs: the instances of BtrPlace (TDSC 2013) that ask for what a drain asks for.

``nr``: servers have failed and their VMs are to run elsewhere, applications spread over different nodes. The failed servers stand for hosts to be
emptied. Memory and ``spread`` are kept; CPU shares and ``among`` (all VMs of an application within one of several groups of nodes) are not modelled here.
``li`` asks to relieve hosts whose VMs grew, which is no drain, and is left out.
"""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import AffinityGroup, AffinityKind, Vm
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan


def rows(folder: Path) -> list[tuple[str, str]]:
    """One row per instance."""
    found = []
    for path in sorted(folder.glob("*.gz")):
        name = path.name.removesuffix(".gz")
        found.append((name, "left out: relieves overloaded hosts, no drain" if name.startswith("li-") else _solve(path)))
    return found


def _solve(path: Path) -> str:
    site, request = _world(json.loads(gzip.decompress(path.read_bytes())))
    began, busy = time.perf_counter(), time.process_time()
    plan = make_plan(site, request)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    faults = check_plan(site, plan, request, orders=2, seed=1)
    return (
        f"{len(plan.migrations)} of {len(request.vms)} VMs placed on {len(site.hosts) - len(request.avoid_hosts)} hosts "
        f"beside {len(site.vms) - len(request.vms)} VMs and {len(site.affinity_groups)} groups in {seconds:.2f} s ({busy:.2f} s CPU), {len(faults)} violations"
    )


def _world(data: dict[str, Any]) -> tuple[Site, PlanRequest]:
    model = data["model"]
    memory = next(view for view in model["views"] if view.get("rcId") == "memory")
    online, failed = model["mapping"]["onlineNodes"], sorted(map(int, model["mapping"]["offlineNodes"]))
    hosts = tuple(_host(int(name), memory) for name in sorted([*map(int, online), *failed]))
    vms = [_vm(vm, int(name), memory) for name, there in online.items() for vm in there["runningVMs"]]
    lost = [_vm(vm, failed[index % len(failed)], memory) for index, vm in enumerate(sorted(model["mapping"]["readyVMs"]))]
    spread = [constraint["vms"] for constraint in data["constraints"] if constraint["id"] == "spread"]
    groups = tuple(
        AffinityGroup(f"spread{number}", AffinityKind.ANTI_AFFINITY, frozenset(f"vm{vm}" for vm in members)) for number, members in enumerate(spread)
    )
    site = Site(driver="simulator", hosts=hosts, vms=(*vms, *lost), affinity_groups=groups)
    return site, PlanRequest(tuple(vm.id for vm in lost), avoid_hosts=frozenset(f"node{name}" for name in failed))


def _host(name: int, memory: dict[str, Any]) -> Host:
    return Host(
        f"node{name}",
        hypervisor="qemu",
        hypervisor_version="7.2",
        architecture="x86_64",
        memory_mib=memory["nodes"].get(str(name), memory["defCapacity"]),
        management_link_mbps=1000,
    )


def _vm(number: int, node: int, memory: dict[str, Any]) -> Vm:
    size = memory["vms"].get(str(number), memory["defConsumption"])
    return Vm(f"vm{number}", f"vm{number}", f"node{node}", memory_mib=size, required_cpu_features=frozenset(), dirty_rate_mib_s=1.0)
