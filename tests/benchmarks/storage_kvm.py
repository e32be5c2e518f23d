# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long it takes to move storage with a VM: ours against what one would write by hand, in turn, medians.

Live: a VM with two disks goes to another host with both, against bare `virsh migrate --copy-storage-all` (which leaves the source's files behind, whereas ours
proves the move and removes them). Cold: a VM that is off goes with its disk through the controller, against the same bytes through two bare libvirt streams;
reading the copy back for its proof is shown apart. The links are shaped so that each copy takes at least ten seconds.
Run by `make bench`, or alone: python -m tests.benchmarks.storage_kvm [rounds]
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt

from tests.benchmarks.drain_kvm import ROOT, ROUNDS, lab_for_benchmark, virsh_migrate
from tests.labs.kvm.commands import run
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.hosts import Host
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.network import Link
from tests.labs.kvm.storage_world import DataDisk, guest_with_disks

LINK_MBPS = 200
DATA_MIB = 256
MEMORY_MIB = 96
PIECE_BYTES = 1024 * 1024
SOURCE, TARGET = "kvm1", "kvm2"
Measured = dict[str, list[float]]


def main() -> int:
    """Measure, print the tables, and say with the exit code whether the guest lived through it all."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with lab_for_benchmark() as lab:
        live = guest_with_disks(lab, "live", SOURCE, memory_mib=MEMORY_MIB, data=(DataDisk(DATA_MIB + 1, DATA_MIB, "raw"),))
        cold = guest_with_disks(lab, "cold", SOURCE, start=False, data=(DataDisk(DATA_MIB + 1, DATA_MIB, "raw"),))
        found_live = _in_turn(
            rounds,
            {"vm_migrate, live": lambda: _ours(lab, live.uuid, mode="live"), "virsh --copy-storage-all": lambda: _virsh(lab, live)},
            lambda: _bring_back(lab, live),
            lab,
        )
        found_cold = _in_turn(
            rounds,
            {
                "vm_migrate, offline": lambda: _ours(lab, cold.uuid, mode="offline", verify_copy="stream"),
                "bare libvirt streams": lambda: _streams(lab, cold),
                "vm_migrate, read back": lambda: _ours(lab, cold.uuid, mode="offline", verify_copy="readback"),
            },
            lambda: _bring_back(lab, cold),
            lab,
        )
        faults = [*live.faults(), *(["restarted"] if live.restarts() else [])]
    _print(f"A running VM of {MEMORY_MIB} MiB with two disks, {DATA_MIB} MiB of data", found_live, "virsh --copy-storage-all")
    _print(f"A VM that is off, with two disks, {DATA_MIB} MiB of data", found_cold, "bare libvirt streams")
    print("\n".join(faults) if faults else f"The running guest beat on through {2 * rounds} moves, and was never restarted.")
    return 1 if faults else 0


def _in_turn(rounds: int, ways: dict[str, Callable[[], float]], bring_back: Callable[[], None], lab: Lab) -> Measured:
    found: Measured = {name: [] for name in ways}
    for number in range(rounds):
        for name, measure in ways.items():
            _shape(lab)
            found[name].append(measure())
            _clear(lab)
            bring_back()
            print(f"  round {number + 1} of {rounds}: {name}: {found[name][-1]:.1f} s", file=sys.stderr, flush=True)
    return found


def _shape(lab: Lab) -> None:
    """Both networks: live disks go over the one for migrations, streams over the one for management."""
    lab.shape_migration_links(LINK_MBPS)
    for name in lab.hosts:
        lab.network.shape(name, Link.MANAGEMENT, LINK_MBPS)


def _clear(lab: Lab) -> None:
    lab.clear_migration_links()
    for name in lab.hosts:
        lab.network.clear_shape(name, Link.MANAGEMENT)


def _ours(lab: Lab, vm: str, **options: Any) -> float:
    """Seconds of the move as its result tells them: fresh reading, rules, claims, pre-check, note, copying, verifying, removing the source."""
    arguments = {"site": lab.site_options(), "vm": vm, "type": "host_storage", "target_host": TARGET, **options}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "arguments.json")
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        module = "ansible_collections.vmops.migration.plugins.modules.vm_migrate"
        environment = os.environ | {"PYTHONPATH": str(ROOT / ".venv/collections")}
        ran = subprocess.run([sys.executable, "-m", module, str(file)], capture_output=True, text=True, check=False, env=environment, cwd=folder)
    result = json.loads(ran.stdout)
    if result.get("failed"):
        raise SystemExit(f"vm_migrate failed: {result.get('msg')}")
    (move,) = result["migrations"]
    return float(move["ended_at"] - move["attempts"][0]["started_at"])


def _virsh(lab: Lab, guest: Guest) -> float:
    began = time.monotonic()
    virsh_migrate(lab, guest.name, SOURCE, TARGET, "--copy-storage-all")
    return time.monotonic() - began


def _streams(lab: Lab, guest: Guest) -> float:
    """Every disk from the one host's stream into the other's, over the connections that ours uses; made and removed outside of the time."""
    files = _files(lab, guest, SOURCE)
    with _connected(lab.hosts[SOURCE]) as source, _connected(lab.hosts[TARGET]) as target:
        volumes = [(source.storageVolLookupByPath(file), _make(target, file, source)) for file in files]
        began = time.monotonic()
        for there, here in volumes:
            _pass_on(source, there, target, here)
        seconds = time.monotonic() - began
        for _there, here in volumes:
            here.delete(0)
    return seconds


@contextlib.contextmanager
def _connected(host: Host) -> Any:
    connection = libvirt.open(host.uri("tls"))
    try:
        yield connection
    finally:
        connection.close()


def _make(target: libvirt.virConnect, file: str, source: libvirt.virConnect) -> libvirt.virStorageVol:
    length = source.storageVolLookupByPath(file).info()[1]
    xml = f"<volume><name>{Path(file).name}</name><capacity>{length}</capacity><allocation>0</allocation><target><format type='raw'/></target></volume>"
    return target.storagePoolLookupByName("local").createXML(xml, 0)


def _pass_on(source: libvirt.virConnect, there: libvirt.virStorageVol, target: libvirt.virConnect, here: libvirt.virStorageVol) -> None:
    reading, writing = source.newStream(0), target.newStream(0)
    there.download(reading, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
    here.upload(writing, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
    while True:
        got = reading.recvFlags(PIECE_BYTES, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if isinstance(got, bytes):
            if not got:
                break
            sent = 0
            while sent < len(got):
                sent += writing.send(got[sent:])
        else:
            writing.sendHole(reading.recvHole(0), 0)
    reading.finish()
    writing.finish()


def _files(lab: Lab, guest: Guest, host: str) -> list[str]:
    with lab.hosts[host].connection() as connection:
        xml = connection.lookupByUUIDString(guest.uuid).XMLDesc(0)
    return [part.split("'")[0] for part in xml.split("<source file='")[1:]]


def _bring_back(lab: Lab, guest: Guest) -> None:
    """The guest must be where it was sent, and goes home over unshaped links; the side that it left keeps no file."""
    if TARGET not in lab.where(guest):
        if guest.name == "cold":
            return  # bare streams copy, and move nobody
        raise SystemExit(f"{guest.name} is not on {TARGET}")
    files = [Path(file).name for file in _files(lab, guest, TARGET)]
    _remove(lab, SOURCE, files)
    if guest.name == "cold":
        _carry_home(lab, guest, files)
    else:
        virsh_migrate(lab, guest.name, TARGET, SOURCE, "--copy-storage-all")
        guest.wait_beating()
    _remove(lab, TARGET, files)


def _carry_home(lab: Lab, guest: Guest, files: list[str]) -> None:
    source, target = lab.hosts[SOURCE], lab.hosts[TARGET]
    for file in files:
        run(["cp", "--sparse=always", str(target.pool_folder("local") / file), str(source.pool_folder("local") / file)])
    with source.connection() as home, target.connection() as away:
        domain = away.lookupByUUIDString(guest.uuid)
        home.storagePoolLookupByName("local").refresh()
        home.defineXML(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        domain.undefine()


def _remove(lab: Lab, host: str, files: list[str]) -> None:
    for file in files:
        (lab.hosts[host].pool_folder("local") / file).unlink(missing_ok=True)
    with lab.hosts[host].connection() as connection:
        connection.storagePoolLookupByName("local").refresh()


def _print(title: str, found: Measured, base: str) -> None:
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    print(f"\n{title}, over links of {LINK_MBPS} Mbit/s (medians of {len(found[base])})")
    print(f"{'':26}{'seconds':>10}{'ratio':>10}{'spread':>16}")
    for name, seconds in found.items():
        print(f"{name:26}{medians[name]:10.2f}{medians[name] / medians[base]:10.2f}{min(seconds):8.1f}-{max(seconds):.1f}")


if __name__ == "__main__":
    raise SystemExit(main())
