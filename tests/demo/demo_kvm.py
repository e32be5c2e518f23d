# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Eight real guests with different dirty rates on one of three libvirt hosts: a playbook empties it, the same one brings them home, and another retires the
storage pool under them; what every guest noticed is printed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import yaml

from tests.labs.kvm.commands import LabError
from tests.labs.kvm.config import POOL_PATHS, SHARED_POOL, LabConfig
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.requirements import missing_requirements

HOST = "kvm1"
FOLDER = Path("build/demo-kvm")
LINK_MBPS = 400
OLD_POOL, OLD_FOLDER = "old-filer", f"{POOL_PATHS[SHARED_POOL]}/old-filer"
# name, dirty rate in MiB/s, working set in MiB: from idle to a guest whose memory is rewritten several times during the move
GUESTS = (
    ("idle-1", 0.0, 16),
    ("idle-2", 0.0, 32),
    ("web-1", 0.5, 16),
    ("web-2", 1.0, 16),
    ("queue-1", 2.0, 16),
    ("cache-1", 4.0, 24),
    ("db-1", 6.0, 32),
    ("db-2", 8.0, 16),
)


def main() -> int:
    missing = missing_requirements()
    if missing:
        print(f"demo-kvm: missing: {'; '.join(missing)}", file=sys.stderr)
        return 1
    lab = Lab(LabConfig(name="demo"))
    try:
        print("Starting three libvirt hosts ...", flush=True)
        lab.up()
        lab.reset()
        return _demo(lab)
    except LabError as error:
        print(f"demo-kvm: {error}", file=sys.stderr)
        return 1
    finally:
        if os.environ.get("VMOPS_LAB_KEEP") != "1":
            lab.down()


def _demo(lab: Lab) -> int:
    lab.shape_migration_links(LINK_MBPS)
    _add_old_pool(lab)
    guests = [_started(lab, *described) for described in GUESTS]
    inventory = _write_inventory(lab)
    print(f"{len(guests)} guests run on {HOST}, their disks are in pool {OLD_POOL}; the migration network carries {LINK_MBPS} Mbit/s per host.\n", flush=True)
    play = ["ansible-playbook", "-i", str(inventory)]
    maintenance = [*play, "vmops.migration.host_maintenance", "-e", f"host_maintenance_hosts={HOST}"]
    home = [*maintenance, "-e", "host_maintenance_state=available", "-e", "host_maintenance_return_home=true"]
    retirement = [*play, "vmops.migration.storage_retirement", "-e", f"storage_retirement_pools={OLD_POOL}"]
    faults = _play(f"{HOST} goes into maintenance", maintenance, lab, guests)
    faults += [f"still on {HOST}: {name}" for name in lab.placements()[HOST]]
    if "--check" not in sys.argv and not faults:
        faults += _play("Everybody goes home", home, lab, guests)
        faults += [f"not back on {HOST}: {guest.name}" for guest in guests if guest.name not in lab.placements()[HOST]]
        faults += _play(f"Pool {OLD_POOL} is retired under its guests", retirement, lab, guests)
        faults += [f"still in pool {OLD_POOL}: {path.name}" for path in _old_folder(lab).iterdir()]
    for fault in faults:
        print(f"demo-kvm: {fault}", file=sys.stderr)
    if not faults:
        print("\nThe host was emptied, everybody came home, the pool is empty; every guest goes on, none was restarted, and second runs changed nothing.")
    return 1 if faults else 0


def _play(title: str, command: list[str], lab: Lab, guests: list[Guest]) -> list[str]:
    """Run one playbook, and once more; print what every guest noticed, and give what should not have been."""
    print(f"\n=== {title}: {' '.join(command[3:])}\n", flush=True)
    for guest in guests:
        guest.reset_gap()
    played = subprocess.run([*command, *sys.argv[1:]], check=False)
    faults = _observe(lab, guests)
    if played.returncode != 0:
        faults.append(f"{title}: the playbook ended with status {played.returncode}")
    elif _changes_of_second_run(command) != 0:
        faults.append(f"{title}: the second run of the same playbook changed something")
    return faults


def _add_old_pool(lab: Lab) -> None:
    """A second pool of all hosts, in a folder of the storage that they share: one UUID tells that it is the same."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{OLD_POOL}.example.vmops"))
    for name, host in lab.hosts.items():
        if name == HOST:
            host.run(["mkdir", "-p", OLD_FOLDER])
        with host.connection() as connection:
            text = f"<pool type='dir'><name>{OLD_POOL}</name><uuid>{identity}</uuid><target><path>{OLD_FOLDER}</path></target></pool>"
            connection.storagePoolDefineXML(text).create()


def _old_folder(lab: Lab) -> Path:
    return lab.hosts[HOST].pool_folder("shared") / Path(OLD_FOLDER).name


def _started(lab: Lab, name: str, dirty_mib_s: float, working_set_mib: int) -> Guest:
    """A guest whose disk lies in the old pool."""
    guest = lab.guest(name, HOST, memory_mib=96, dirty_mib_s=dirty_mib_s, working_set_mib=working_set_mib, start=False)
    guest.image.rename(_old_folder(lab) / guest.image.name)
    with lab.hosts[HOST].connection() as connection:
        connection.storagePoolLookupByName(OLD_POOL).refresh()
        text = connection.lookupByUUIDString(guest.uuid).XMLDesc(0)
        connection.defineXML(text.replace(f"{POOL_PATHS[SHARED_POOL]}/{guest.image.name}", f"{OLD_FOLDER}/{guest.image.name}")).create()
    guest.wait_beating()
    return guest


def _write_inventory(lab: Lab) -> Path:
    """The lab as an inventory such as an operator has: one entry per host, the rest of the site in ``vmops_site``."""
    site: dict[str, Any] = lab.site_options()
    # libvirt does not tell how fast a guest rewrites its memory; an operator who knows gets better estimates
    site["vms"] = {name: {"dirty_rate_mib_s": rate, "working_set_mib": size} for name, rate, size in GUESTS}
    hosts = {name: {f"vmops_{field}": value for field, value in options.items()} for name, options in site.pop("hosts").items()}
    controller = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    inventory = {"all": {"hosts": {"localhost": controller}, "vars": {"vmops_site": site}, "children": {"hypervisors": {"hosts": hosts}}}}
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "inventory.yml"
    path.write_text(yaml.safe_dump(inventory, sort_keys=False))
    return path


def _observe(lab: Lab, guests: list[Guest]) -> list[str]:
    """Print what each guest noticed, and give what should not have been."""
    faults = []
    print(f"\n{'GUEST':<10}{'DIRTY MiB/s':>12}{'NOW ON':>10}{'LARGEST GAP':>14}{'RESTARTS':>10}{'HEARTBEAT':>12}")
    for guest in guests:
        places = lab.where(guest)
        gap_ms, beating, restarts = guest.largest_gap_ms(), guest.is_beating(), guest.restarts()
        shown = f"{guest.name:<10}{guest.spec.load.dirty_mib_s:>12.1f}{'+'.join(places) or '-':>10}{gap_ms:>11.0f} ms{restarts:>10}"
        print(f"{shown}{'goes on' if beating else 'SILENT':>12}")
        if list(places.values()) != [("running", True)]:
            faults.append(f"{guest.name} is defined as {places}, not running on one host only")
        if not beating:
            faults.append(f"{guest.name} does not beat any more")
        faults += [f"{guest.name}: {fault}" for fault in guest.faults()]
        if restarts:
            faults.append(f"{guest.name} was restarted")
    return faults


def _changes_of_second_run(command: list[str]) -> int:
    """Number of changed tasks when the same playbook runs again, -1 where it fails."""
    again = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
    (FOLDER / "second-run.log").write_text(again.stdout + again.stderr)
    changes = re.findall(r"^\S+ +: ok=.* changed=(\d+) ", again.stdout, flags=re.MULTILINE)
    return sum(map(int, changes)) if again.returncode == 0 and changes else -1


if __name__ == "__main__":
    sys.exit(main())
