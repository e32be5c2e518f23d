# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller without the driver's libraries: everything can be imported, and the driver says what to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPEN_WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # what Python itself does to make an import fail
from ansible_collections.vmops.migration.plugins.module_utils.drivers.registry import open_driver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import DriverMissing
from ansible_collections.vmops.migration.plugins.module_utils.model.options import HostOptions, SiteOptions
try:
    open_driver(SiteOptions("libvirt", hosts={"kvm1": HostOptions(uri="qemu:///system")}))
except DriverMissing as error:
    print(error.code, error.library, "pip install" in error.hint, "ImportError" in error.trace or "ModuleNotFoundError" in error.trace)
"""


@pytest.mark.parametrize(("module", "package"), [("libvirt", "libvirt-python"), ("defusedxml", "defusedxml")])
def test_a_missing_library_is_named(module: str, package: str) -> None:
    if module == "defusedxml":
        pytest.importorskip("libvirt", reason="libvirt-python is missing here as well, and is named first")
    answer = subprocess.run([sys.executable, "-c", OPEN_WITHOUT, module], capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(sys.path)})
    assert answer.stdout == f"library_missing {package} True True\n", answer.stderr
