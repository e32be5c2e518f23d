# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to empty a host of eight real guests: ours against hand-written loops of `virsh migrate`, in turn, medians.

The links of the lab are shaped, so that one guest alone copies for at least five seconds; what is compared is the time from the first start to
the last end, which for ours includes reading afresh, rules, claims, pre-check, note, verifying and finishing of every guest.
Run by `make bench`, or alone: python -m tests.benchmarks.drain_kvm [rounds]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

GUESTS = 8
PARALLEL = 4
WORKING_SET_MIB = 128
MEMORY_MIB = 160
LINK_MBPS = 200
SOURCE, TARGETS = "kvm1", ("kvm2", "kvm3")
ROUNDS = 5
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sample:
    """One measured drain: seconds from the first start to the last end, and seconds of everything around it."""

    seconds: float
    around_seconds: float = 0.0


def main() -> int:
    """Measure, print the table, and say with the exit code whether every guest lived through it all."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with lab_for_benchmark() as lab:
        guests = [
            lab.guest(f"bench{number}", SOURCE, memory_mib=MEMORY_MIB, working_set_mib=WORKING_SET_MIB, dirty_mib_s=number % 3) for number in range(GUESTS)
        ]
        ways: dict[str, Callable[[], Sample]] = {
            "host_evacuate": lambda: _ours(lab),
            "virsh loop, parallel": lambda: _virsh(lab, guests, PARALLEL),
            "virsh loop, serial": lambda: _virsh(lab, guests, 1),
        }
        samples: dict[str, list[Sample]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, measure in ways.items():
                lab.shape_migration_links(LINK_MBPS)
                samples[name].append(measure())
                _check_and_return(lab, guests)
                print(f"  round {number + 1} of {rounds}: {name}: {samples[name][-1].seconds:.1f} s", file=sys.stderr, flush=True)
        faults = [f"{guest.name}: {fault}" for guest in guests for fault in guest.faults()] + [
            f"{guest.name}: restarted" for guest in guests if guest.restarts()
        ]
    _print_table(samples)
    print("\n".join(faults) if faults else f"All {GUESTS} guests beat on through {3 * rounds} drains, none was restarted.")
    return 1 if faults else 0


@contextmanager
def lab_for_benchmark() -> Iterator[Lab]:
    """A lab of this process's own."""
    lab = Lab(LabConfig(name=f"bench-p{os.getpid()}"))
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


def _ours(lab: Lab) -> Sample:
    """Our module, as a process of its own, as Ansible runs it."""
    arguments = {
        "site": lab.site_options("unix") | {"limits": {"migrations_per_host": PARALLEL}},
        "hosts": [SOURCE],
        "state": "evacuated",
        "parallel": PARALLEL,
    }
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "arguments.json")
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        module = "ansible_collections.vmops.migration.plugins.modules.host_evacuate"
        environment = os.environ | {"PYTHONPATH": str(ROOT / ".venv/collections")}
        ran = subprocess.run([sys.executable, "-m", module, str(file)], capture_output=True, text=True, check=False, env=environment, cwd=folder)
    whole = time.monotonic() - began
    result = json.loads(ran.stdout)
    if result.get("failed"):
        raise SystemExit(f"host_evacuate failed: {result.get('msg')}")
    started = min(attempt["started_at"] for move in result["migrations"] for attempt in move["attempts"])
    ended = max(move["ended_at"] for move in result["migrations"])
    return Sample(ended - started, whole - (ended - started))


def _virsh(lab: Lab, guests: list[Guest], parallel: int) -> Sample:
    """What one would write by hand: `virsh migrate --live --p2p`, so many at a time."""
    turns = list(enumerate(guests))
    began = time.monotonic()
    with ThreadPoolExecutor(parallel) as workers:
        list(workers.map(lambda turn: virsh_migrate(lab, turn[1].name, SOURCE, TARGETS[turn[0] % len(TARGETS)]), turns))
    return Sample(time.monotonic() - began)


def virsh_migrate(lab: Lab, name: str, source: str, target: str, *options: str) -> None:
    """Live, peer to peer, over the network for migrations."""
    socket, host = lab.hosts[source].socket, lab.hosts[target]
    command = ["virsh", "--connect", f"qemu:///system?socket={socket}", "migrate", "--live", "--p2p", "--persistent", "--undefinesource"]
    command += ["--migrateuri", f"tcp://{host.migration_address}", *options, name, host.peer_uri()]
    subprocess.run(command, check=True, capture_output=True)


def _check_and_return(lab: Lab, guests: list[Guest]) -> None:
    """Every guest must have left and must live; then all go home over unshaped links, for the next turn."""
    lab.clear_migration_links()
    placements = lab.placements()
    if placements[SOURCE]:
        raise SystemExit(f"still on {SOURCE}: {placements[SOURCE]}")
    for target in TARGETS:
        for name in placements[target]:
            virsh_migrate(lab, name, target, SOURCE)
    for guest in guests:
        guest.wait_beating()


def _print_table(samples: dict[str, list[Sample]]) -> None:
    medians = {name: statistics.median(sample.seconds for sample in found) for name, found in samples.items()}
    base = medians["virsh loop, parallel"]
    print(
        f"\nDraining {GUESTS} guests of {WORKING_SET_MIB} MiB, {PARALLEL} at a time, over links of {LINK_MBPS} Mbit/s "
        f"(medians of {len(samples['host_evacuate'])})"
    )
    print(f"{'':24}{'seconds':>10}{'ratio':>10}{'spread':>16}")
    for name, found in samples.items():
        seconds = [sample.seconds for sample in found]
        print(f"{name:24}{medians[name]:10.2f}{medians[name] / base:10.2f}{min(seconds):8.1f}-{max(seconds):.1f}")
    around = statistics.median(sample.around_seconds for sample in samples["host_evacuate"])
    print(f"The module's own start, snapshots and planning around it: {around:.2f} s.")


if __name__ == "__main__":
    raise SystemExit(main())
