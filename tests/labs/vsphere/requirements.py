# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the vSphere lab needs from the machine, and what of it is missing."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

GOVMOMI = Path("/usr/share/gocode/src/github.com/vmware/govmomi/simulator")
PROGRAMS = {"go": "golang-go", "openssl": "openssl"}


def missing_requirements() -> list[str]:
    """What is missing, in words; empty when the lab can be brought up."""
    missing = [f"{program} (package {package})" for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not GOVMOMI.is_dir():
        missing.append("the simulator's library (package golang-github-vmware-govmomi-dev)")
    if importlib.util.find_spec("pyVmomi") is None:
        missing.append("the Python package pyvmomi")
    return missing
