# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""find_migration_targets on a large site, with a fact about every VM in the overlay file: planning time, and the size of the module's whole event.

Run by `make bench`, or alone: python -m tests.benchmarks.large_find. Ends with an error where the event is too large; times are only told.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Scope
from ansible_collections.vmops.migration.plugins.module_utils.interface.opening import open_site
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import encode
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets

from tests.benchmarks.large_site import large_site
from tests.benchmarks.planning import median_time, print_table, reference_loop
from tests.integration.modules import run_module

EVENT_BYTES = 700_000
"""AWX drops an event that is larger."""

ONLY_IN_OVERLAY = "only-in-the-overlay"
"""A label that the overlay gives to every VM and nothing else has: where it turns up, the overlay was copied there."""

NEEDED_TAG = "fast"
"""A tag that the overlay asks for every VM and gives to every other host: where it counts, the overlay was read."""


def write_site(folder: Path, site: Site) -> dict[str, Any]:
    """World and overlay as files; gives the option ``site``."""
    world, overlay = folder / "world.json", folder / "overlay.json"
    pools = frozenset(site.pool_by_id)
    # A world names every pool that a host has; the hosts' own local ones hold nothing here.
    world.write_text(json.dumps(encode(dataclasses.replace(site, hosts=tuple(dataclasses.replace(host, pools=host.pools & pools) for host in site.hosts)))))
    told = {"labels": [ONLY_IN_OVERLAY], "required_host_tags": [NEEDED_TAG], "dirty_rate_mib_s": 5.0, "working_set_mib": 128}
    overlay.write_text(json.dumps({"vms": {vm.name: told for vm in site.vms}, "hosts": {host.name: {"tags": [NEEDED_TAG]} for host in site.hosts[::2]}}))
    return {"driver": "simulator", "simulator": {"world": str(world)}, "overlay_file": str(overlay)}


def event_text(result: Any) -> str:
    """The module's answer as an event carries it, ``invocation`` included."""
    return json.dumps(result)


def main() -> int:
    """Measure, print, and give the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        site = large_site()
        options = write_site(Path(folder), site)
        name = site.vms[4].name
        rows = _planning_rows(options, name)
        few, size_of_few = _event(options, name, only_suitable=True, limit=5)
        every, size_of_every = _event(options, name)
    rows += [("event with only_suitable and limit 5, invocation included", few), ("event with all candidates, shortened as need be", every)]
    print_table("find_migration_targets: 1,000 hosts, 100 pools, 10,000 VMs, each of them in the overlay file (limit of an event: 700 kB)", rows)
    return 0 if max(size_of_few, size_of_every) < EVENT_BYTES else 1


def _planning_rows(options: dict[str, Any], name: str) -> list[tuple[str, str]]:
    with open_site({"site": options}) as driver:
        seen = driver.snapshot(Scope(vms=frozenset({name}), hosts=frozenset()))
    vm = seen.find_vm(name, "vm")
    request = PlanRequest((vm.id,), scope="zone")
    return [
        ("reference: a fixed loop of a million additions", median_time(reference_loop)),
        ("planning for one VM, all reasons of 1,000 hosts", median_time(lambda: find_targets(seen, vm, request))),
    ]


def _event(options: dict[str, Any], name: str, **more: Any) -> tuple[str, int]:
    began = time.perf_counter()
    answer = run_module("find_migration_targets", {"site": options, "vm": name, **more})
    seconds = time.perf_counter() - began
    if answer.failed or "invocation" not in answer.result:
        raise SystemExit(f"no answer to measure: {answer!r}")
    size = len(event_text(answer.result).encode())
    told = f"{answer['suitable_count']} of {answer['candidate_count']} suitable, {len(answer['targets'])} shown"
    return f"{size:,} bytes; {told}; {seconds:.1f} s of process", size


if __name__ == "__main__":
    sys.exit(main())
