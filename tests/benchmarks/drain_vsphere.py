# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How near a drain on the vSphere lab comes to its lower bound, where every relocation takes two seconds: the rest is ours.

Run by `make bench`, or alone: python -m tests.benchmarks.drain_vsphere [VMs]
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.host_links import SLOW_NETWORK_UNITS

from tests.integration.modules import evacuate
from tests.integration.world_vsphere import VsphereWorld
from tests.labs.kvm.certificates import CertificateAuthority
from tests.labs.vsphere.lab import VsphereLab

MOVE_SECONDS = 2.0
LINK_MBPS = 1000
"""For which vSphere makes four moves of a host at once."""
MOST_RATIO = 1.1


def main() -> int:
    """Measure and print; the exit code says whether the ratio is within its bound and everyone has arrived."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as folder:
        authority = CertificateAuthority(Path(folder) / "ca")
        authority.create()
        with VsphereLab(authority) as lab:
            world = VsphereWorld(lab)
            first = world.hosts[0]
            vms = [world.add_vm(f"web{number}", first) for number in range(count)]
            for host in world.hosts:
                lab.control("hosts", name=host, link_mbps=LINK_MBPS)
            lab.settings(move_seconds=MOVE_SECONDS)
            began = time.perf_counter()
            answer = evacuate(world, first, state="evacuated")
            whole = time.perf_counter() - began
            away = [vm for vm in vms if first not in world.where(vm).defined_on]
    bound = math.ceil(count / SLOW_NETWORK_UNITS) * MOVE_SECONDS
    makespan = float(answer["stats"]["makespan_seconds"])
    print(f"Drain of {count} VMs, {MOVE_SECONDS:.0f} s each, {SLOW_NETWORK_UNITS} at once\n")
    print(f"lower bound {bound:.1f} s, makespan {makespan:.1f} s, ratio {makespan / bound:.3f} (at most {MOST_RATIO}), the whole run {whole:.1f} s")
    return 0 if makespan <= MOST_RATIO * bound and len(away) == count and not answer.failed else 1


if __name__ == "__main__":
    sys.exit(main())
