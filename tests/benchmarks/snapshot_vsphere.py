# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a snapshot of many VMs costs on the vSphere lab: calls, time and memory of the client, against reading the same facts object by object.

Every call goes through a small proxy that holds it back for 5 ms, as a network would. Run by `make bench`, or alone:
python -m tests.benchmarks.snapshot_vsphere [VMs of the first table] [hosts and VMs of the second]
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import EVERYTHING
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.driver import VsphereDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions
from pyVmomi import vim

from tests.labs.kvm.certificates import CertificateAuthority
from tests.labs.vsphere.lab import ADDRESS, VsphereLab

DELAY_SECONDS = 0.005
MOST_CALLS, LEAST_RATIO, MOST_MIB = 20, 20.0, 400

CHILD = """
import json, resource, sys
from tests.benchmarks.snapshot_vsphere import take
seconds, count = take(json.loads(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "vms": count, "mib": after // 1024}))
"""


class SlowProxy:
    """A TCP proxy before the server that holds back what clients send for a moment."""

    def __init__(self, port: int) -> None:
        self._target = (ADDRESS, port)
        self._listener = socket.create_server((ADDRESS, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pump, args=(client, server, DELAY_SECONDS), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, 0.0), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, delay: float) -> None:
    try:
        while data := source.recv(2**18):
            if delay:
                time.sleep(delay)
            target.sendall(data)
    except OSError:
        pass
    finally:
        target.close()


def take(site: dict[str, Any]) -> tuple[float, int]:
    """Seconds for one snapshot in full, login included, and the number of VMs in it."""
    with VsphereDriver(decode(SiteOptions, site, "site")) as driver:
        began = time.perf_counter()
        found = driver.snapshot(EVERYTHING)
        return time.perf_counter() - began, len(found.vms)


def object_by_object(lab: VsphereLab, port: int) -> tuple[float, int]:
    """Seconds for the same facts as attributes of each object, the way a straightforward script reads them."""
    service = lab.another_connection(port)
    content = service.RetrieveContent()
    began = time.perf_counter()
    count, read = 0, 0
    for kind in (vim.HostSystem, vim.Datastore, vim.VirtualMachine):
        view = content.viewManager.CreateContainerView(content.rootFolder, [kind], recursive=True)
        for one in view.view:
            if kind is vim.VirtualMachine:
                read += len(_facts_of(one))
                count += 1
            else:
                read += len((one.name, one.summary, one.parent))
        view.Destroy()
    assert read > count
    return time.perf_counter() - began, count


def _facts_of(vm: Any) -> tuple[Any, ...]:
    config, summary, runtime = vm.config, vm.summary.config, vm.runtime
    light = (vm.name, runtime.host, runtime.powerState, summary.memorySizeMB, summary.numCpu)
    return (*light, config.extraConfig, config.hardware.device, config.managedBy, vm.rootSnapshot, vm.recentTask)


def main() -> int:
    """Measure and print; the exit code says whether calls, ratio and memory are within their bounds."""
    few = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    hosts, many = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (1000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        authority = CertificateAuthority(Path(folder) / "ca")
        authority.create()
        calls, ratio = _few(authority, few)
        mib = _many(authority, hosts, many)
    return 0 if calls <= MOST_CALLS and ratio >= LEAST_RATIO and mib < MOST_MIB else 1


def _few(authority: CertificateAuthority, count: int) -> tuple[int, float]:
    with VsphereLab(authority, host_count=10, vm_count=count) as lab:
        proxy = SlowProxy(lab.port)
        before = lab.calls()
        ours, found = take(lab.module_site(port=proxy.port))
        calls = lab.calls() - before
        before = lab.calls()
        theirs, same = object_by_object(lab, proxy.port)
        their_calls = lab.calls() - before
        proxy.close()
    assert found == same == count
    print(f"Snapshot of {count} VMs on 10 hosts, {1000 * DELAY_SECONDS:.0f} ms for each call\n")
    print(f"{'way':<24}{'calls':>10}{'seconds':>10}")
    print(f"{'snapshot, with login':<24}{calls:>10}{ours:>10.2f}")
    print(f"{'object by object':<24}{their_calls:>10}{theirs:>10.2f}")
    print(f"ratio {theirs / ours:.1f} (at least {LEAST_RATIO:.0f}), calls {calls} (at most {MOST_CALLS})\n")
    return calls, theirs / ours


def _many(authority: CertificateAuthority, hosts: int, count: int) -> int:
    clusters = max(1, hosts // 100)
    with VsphereLab(authority, host_count=hosts // clusters, cluster_count=clusters, vm_count=count // clusters) as lab:
        command = [sys.executable, "-c", CHILD, json.dumps(lab.module_site())]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(f"Snapshot of {told['vms']} VMs on {hosts} hosts: {told['seconds']:.1f} s, {told['mib']} MiB of memory (at most {MOST_MIB})")
    return int(told["mib"])


if __name__ == "__main__":
    sys.exit(main())
