# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast and how well we plan: times on a large site, durations and schedules against real runs, placement of very many VMs. Prints tables.

Run by `make bench`, or alone: python -m tests.benchmarks.planning. The public data are looked for in VMOPS_BENCHMARK_DATA (default ../shared/benchmarks).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import make_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets

from tests.benchmarks import btrplace, grid5000
from tests.benchmarks.large_site import large_site

ROUNDS = 5


def main() -> None:
    """Measure and print."""
    data = Path(os.environ.get("VMOPS_BENCHMARK_DATA", "../shared/benchmarks"))
    print_table("Planning time: 1,000 hosts, 100 pools, 10,000 VMs (median of 5; CPU seconds tell more on a busy machine)", _times(large_site()))
    for folder, title, rows in (
        ("grid5000", "Error of expected durations against real migrations (mean absolute percentage)", grid5000.duration_rows),
        ("grid5000", "Makespan over lower bound, mean of the scenarios of 10 VMs on 4 nodes", grid5000.schedule_rows),
        ("btrplace", "BtrPlace instances of 5,000 nodes (published: 3 minutes for 30,000 VMs on hardware of 2013)", btrplace.rows),
    ):
        if (data / folder).is_dir():
            print_table(title, rows(data / folder))
        else:
            print_table(title, [("left out", f"no data in {data / folder}; set VMOPS_BENCHMARK_DATA")])


def _times(site: Site) -> list[tuple[str, str]]:
    one_vm = site.vms[4]
    return [
        ("reference: a fixed loop of a million additions", median_time(reference_loop)),
        ("find_targets for one VM, all reasons of 1,000 hosts", median_time(lambda: find_targets(site, one_vm, PlanRequest((one_vm.id,))))),
        ("drain of one host (10 VMs), check included", median_time(lambda: make_plan(site, _drain(site, 1000)))),
        ("drain of 20 hosts in 20 clusters (200 VMs)", median_time(lambda: make_plan(site, _drain(site, 50)))),
        ("drain of a whole cluster (200 VMs), none of which has a place", median_time(lambda: make_plan(site, _cluster(site)))),
    ]


def _drain(site: Site, step: int) -> PlanRequest:
    drained = frozenset(host.name for host in site.hosts[::step])
    return PlanRequest(tuple(vm.id for vm in site.vms if vm.host in drained), avoid_hosts=drained)


def _cluster(site: Site) -> PlanRequest:
    drained = frozenset(host.name for host in site.hosts if host.cluster == site.hosts[0].cluster)
    return PlanRequest(tuple(vm.id for vm in site.vms if vm.host in drained), avoid_hosts=drained)


def reference_loop() -> int:
    total = 0
    for number in range(1_000_000):
        total += number
    return total


def median_time(work: Callable[[], object]) -> str:
    walls, busy = [], []
    for _turn in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        busy.append(time.process_time() - cpu)
    return f"{statistics.median(walls):.3f} s ({statistics.median(busy):.3f} s CPU)"


def print_table(title: str, rows: list[tuple[str, str]]) -> None:
    width = max(len(label) for label, _value in rows)
    print(f"\n{title}")
    for label, value in rows:
        print(f"  {label:<{width}}  {value}")


if __name__ == "__main__":
    main()
