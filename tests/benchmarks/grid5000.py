# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations and schedules against real migrations: 25 scenarios of 10 VMs on 4 nodes, each run four times on Grid'5000.

Source: V. Kherbache, E. Madelaine, F. Hermenier, "Scheduling live migration of virtual machines", IEEE TCC 2017; data of btrplace/kherbache-thesis.
"""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Limits, Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm
from ansible_collections.vmops.migration.plugins.module_utils.planning.bounds import lower_bound
from ansible_collections.vmops.migration.plugins.module_utils.planning.durations import Estimate, estimate
from ansible_collections.vmops.migration.plugins.module_utils.planning.jobs import Capacity, Job
from ansible_collections.vmops.migration.plugins.module_utils.planning.planner import plan_to
from ansible_collections.vmops.migration.plugins.module_utils.planning.routes import Routes
from ansible_collections.vmops.migration.plugins.module_utils.planning.schedule import schedule

LINK_MBPS = {"0": 500, "1": 500, "2": 1000, "3": 1000}
MIB_PER_MB = 1e6 / 2**20
RUN_LINE = re.compile(r"\{action=migrate\(vm=vm#(\d+), from=node#\d+, to=node#\d+, bw=(\d+)\)\};(\d+);(\d+);\d+")


@dataclass(frozen=True)
class Sample:
    """One real migration, and what mVM had planned for it (seconds)."""

    scenario: str
    vm: str
    bandwidth_mbps: int
    memory_mb: int
    dirty_mb_s: float
    planned_seconds: float
    real_seconds: float


@dataclass(frozen=True)
class TableJob(Job):
    """A job whose duration is mVM's own figure at the bandwidth that mVM gave it."""

    table_seconds: float = 0.0
    table_mbps: float = 0.0

    def at(self, bandwidth_mbps: float) -> Estimate:
        """Half the bandwidth, twice the time."""
        seconds = self.table_seconds * self.table_mbps / bandwidth_mbps
        megabits = self.table_seconds * self.table_mbps * self.calibration.efficiency
        return Estimate(seconds, 0.0, converges=True, bytes=round(megabits * 1e6 / 8))


@dataclass
class Scenario:
    """One plan file."""

    name: str
    data: dict[str, object] = field(repr=False)

    @property
    def actions(self) -> list[dict[str, int]]:
        """mVM's migrations."""
        return [action for action in self.data["actions"] if action["id"] == "migrateVM"]  # type: ignore[attr-defined,index]

    def site(self) -> Site:
        """Memory as the nodes have it; every node's own link is what limits."""
        origin: dict[str, dict[str, dict[str, dict[str, float]]]] = self.data["origin"]  # type: ignore[assignment]
        memory = next(view for view in origin["views"] if view["rcId"] == "mem")  # type: ignore[index]
        nodes = {str(name): int(size) * 1000 for name, size in memory["nodes"].items()}  # type: ignore[index]
        hosts = tuple(Host(f"node{name}", memory_mib=round(size * MIB_PER_MB), management_link_mbps=LINK_MBPS[name]) for name, size in nodes.items())
        where = {str(vm): f"node{name}" for name, there in origin["mapping"]["onlineNodes"].items() for vm in there["runningVMs"]}
        facts = origin["attributes"]["vms"]
        vms = tuple(
            Vm(
                f"vm{vm}",
                f"vm{vm}",
                where[vm],
                memory_mib=round(facts[vm]["memUsed"] * MIB_PER_MB),
                dirty_rate_mib_s=facts[vm]["dirtyRate"] * MIB_PER_MB,
            )
            for vm in sorted(where)
        )
        return Site(driver="simulator", hosts=hosts, vms=vms, limits=Limits(migrations_per_host=4))


def scenarios(folder: Path) -> list[Scenario]:
    """All plans, by number."""
    paths = sorted((folder / "plans").glob("*.json"), key=lambda path: int(path.name.split(".")[1]))
    return [Scenario(path.name.split(".")[1], json.loads(path.read_text())) for path in paths]


def samples(folder: Path) -> list[Sample]:
    """All real migrations."""
    found = []
    for scenario in scenarios(folder):
        planned = {str(action["vm"]): action for action in scenario.actions}
        facts = scenario.data["origin"]["attributes"]["vms"]  # type: ignore[index]
        for path in sorted((folder / "runs").glob(f"random.{scenario.name}.run*.csv")):
            for vm, mbps, start, end in RUN_LINE.findall(path.read_text()):
                action = planned[vm]
                lasted = float(end) - float(start)
                found.append(Sample(scenario.name, vm, int(mbps), facts[vm]["memUsed"], facts[vm]["dirtyRate"], action["end"] - action["start"], lasted))
    return found


def _mape(of: Iterable[Sample], guess: Callable[[Sample], float]) -> float:
    return 100 * statistics.mean(abs(guess(sample) - sample.real_seconds) / sample.real_seconds for sample in of)


def _ours(sample: Sample) -> float:
    return estimate(round(sample.memory_mb * MIB_PER_MB), sample.dirty_mb_s * MIB_PER_MB, None, sample.bandwidth_mbps).seconds


def _form(sample: Sample) -> float:
    return sample.memory_mb / (sample.bandwidth_mbps / 8 - sample.dirty_mb_s)


def _fitted(training: list[Sample]) -> Callable[[Sample], float]:
    """a * M / (B - D) + c by least squares of the relative error."""
    weights = [1 / sample.real_seconds for sample in training]
    xs = [_form(sample) * weight for sample, weight in zip(training, weights, strict=True)]
    sxx, sx1, s11 = sum(x * x for x in xs), sum(x * weight for x, weight in zip(xs, weights, strict=True)), sum(weight * weight for weight in weights)
    sxy, s1y = sum(xs), sum(weights)
    factor = (sxy * s11 - s1y * sx1) / (sxx * s11 - sx1 * sx1)
    constant = (s1y - factor * sx1) / s11
    return lambda sample: factor * _form(sample) + constant


def duration_rows(folder: Path) -> list[tuple[str, str]]:
    """Mean absolute percentage errors of durations over all real migrations."""
    real = samples(folder)
    by_scenario: dict[str, list[Sample]] = defaultdict(list)
    for sample in real:
        by_scenario[sample.scenario].append(sample)
    left_out = []
    for name, own in by_scenario.items():
        guess = _fitted([sample for sample in real if sample.scenario != name])
        left_out += [abs(guess(sample) - sample.real_seconds) / sample.real_seconds for sample in own]
    repeated: dict[tuple[str, str], list[float]] = defaultdict(list)
    for sample in real:
        repeated[sample.scenario, sample.vm].append(sample.real_seconds)
    noise = [abs(one - statistics.mean(runs)) / statistics.mean(runs) for runs in repeated.values() for one in runs]
    return [
        (f"real migrations ({len(by_scenario)} scenarios)", f"{len(real)}"),
        ("ours, defaults, nothing fitted", f"{_mape(real, _ours):.1f} %"),
        ("a*M/(B-D)+c, fitted on the other scenarios", f"{100 * statistics.mean(left_out):.1f} %"),
        ("mVM's own plans (published, all 50: 20.2 %)", f"{_mape(real, lambda sample: sample.planned_seconds):.1f} %"),
        ("memory / bandwidth (published, all 50: 19.7 %)", f"{_mape(real, lambda sample: sample.memory_mb * 8 / sample.bandwidth_mbps):.1f} %"),
        ("from run to run (published, all 50: 2.2 %)", f"{100 * statistics.mean(noise):.1f} %"),
    ]


def schedule_rows(folder: Path) -> list[tuple[str, str]]:
    """Mean makespan over lower bound: our plans by our durations, our order and mVM's by mVM's durations."""
    ours, table, theirs, waits = [], [], [], 0
    for scenario in scenarios(folder):
        site = scenario.site()
        host_of = {f"vm{action['vm']}": f"node{action['to']}" for action in scenario.actions}
        request = PlanRequest(tuple(sorted(host_of)), scope="site")
        plan = plan_to(site, request, host_of)
        if not plan.is_complete:
            raise SystemExit(f"scenario {scenario.name}: {plan.explanation}")
        ours.append(plan.makespan_seconds / plan.lower_bound_seconds)
        waits += len(plan.order)
        jobs, capacity = _table_jobs(scenario, site, request)
        bound = lower_bound(jobs, capacity)
        least = bound.seconds if bound else 0.0
        table.append(schedule(jobs, capacity).timeline.makespan_seconds / least)
        theirs.append(max(action["end"] for action in scenario.actions) / least)
    return [
        ("ours, our durations, slots of 4 per host", f"{statistics.mean(ours):.3f} (worst {max(ours):.3f}; {waits} order constraints in all)"),
        ("our order of admission, mVM's durations (no order constraints)", f"{statistics.mean(table):.3f} (worst {max(table):.3f})"),
        ("mVM's plans, mVM's durations (published, all 50: 1.163)", f"{statistics.mean(theirs):.3f} (worst {max(theirs):.3f})"),
    ]


def _table_jobs(scenario: Scenario, site: Site, request: PlanRequest) -> tuple[list[TableJob], Capacity]:
    routes = Routes(site, request)
    jobs = []
    for action in scenario.actions:
        vm, target = site.vm_by_id[f"vm{action['vm']}"], f"node{action['to']}"
        units = (("host", vm.host), ("host", target))
        route = routes.between(vm.host, target)
        seconds = float(action["end"] - action["start"])
        jobs.append(TableJob(vm.id, vm, vm.host, target, route, units, table_seconds=seconds, table_mbps=float(action["bw"])))
    jobs.sort(key=lambda job: job.id)
    return jobs, Capacity(site.limits, 0, routes.capacity_mbps)
