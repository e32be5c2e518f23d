# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`python -m tests.labs.kvm up|down|status`: the lab on the command line, for `make lab-up`, `make lab-down` and for looking around."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from .commands import LabError
from .config import LABS_FOLDER, LabConfig
from .requirements import missing_requirements
from .subnets import SubnetRegistry

if TYPE_CHECKING:  # needs libvirt-python, which may be what is missing
    from .lab import Lab


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.labs.kvm", description="Real libvirt hosts in namespaces of this machine.")
    parser.add_argument("action", choices=("up", "down", "down-all", "status"))
    parser.add_argument("--name", default="default", help="name of the lab; labs of different names live side by side (default: %(default)s)")
    parser.add_argument("--hosts", type=int, default=3, help="number of hosts (default: %(default)s)")
    parser.add_argument("--authenticated", action="store_true", help="TLS client certificates required, no TCP, an sshd per host")
    arguments = parser.parse_args()
    config = LabConfig(name=arguments.name, host_count=arguments.hosts, authenticated=arguments.authenticated)
    try:
        return _act(arguments.action, config)
    except LabError as error:
        print(f"lab {config.name}: {error}", file=sys.stderr)
        return 1


def _act(action: str, config: LabConfig) -> int:
    missing = missing_requirements()
    if missing:
        raise LabError(f"missing: {'; '.join(missing)}")
    from .lab import Lab

    start = time.monotonic()
    if action == "up":
        Lab(config).up()
    elif action == "down":
        Lab.existing(config).down()
    elif action == "down-all":
        for name in sorted(SubnetRegistry(LABS_FOLDER).owners().values()):
            Lab.existing(LabConfig(name=name)).down()
    if action in {"up", "status"}:
        _show(Lab.existing(config))
    print(f"{action}: {time.monotonic() - start:.1f} s")
    return 0


def _show(lab: Lab) -> None:
    if not lab.hosts:
        print(f"lab {lab.config.name} is down")
    placements = lab.placements()
    for name, host in lab.hosts.items():
        if not host.is_powered():
            print(f"{name}: off")
            continue
        print(f"{name}: {len(placements[name])} guests, management {host.management_address}, migration {host.migration_address}")
        print(f"    {host.uri('unix')}\n    {host.uri('tls')}")
        print(f"    {host.uri('ssh' if lab.config.authenticated else 'tcp')}")


if __name__ == "__main__":
    sys.exit(main())
