# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pyVmomi is loaded by the driver for vSphere alone, and by that one only when it is opened; where it is missing, that is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.modules import collections_folder

PACKAGE = "ansible_collections.vmops.migration.plugins"
MODULES = ("find_migration_targets", "host_evacuate", "pool_evacuate", "site_info", "systemvm_migrate", "vm_migrate", "volume_migrate")

OPEN = f"""
import sys
sys.path.insert(0, sys.argv[1])
{{before}}
from {PACKAGE}.module_utils.drivers.registry import open_driver
from {PACKAGE}.module_utils.model.options import SiteOptions
from {PACKAGE}.module_utils.model.errors import DriverMissing
try:
    open_driver(SiteOptions({{driver!r}}))
except DriverMissing as error:
    print("missing", error.library)
except Exception:
    pass
print(sorted(name for name in sys.modules if name.split(".")[0] in ("pyVmomi", "pyVim")))
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code, str(collections_folder())], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("driver", ["libvirt", "simulator"])
def test_no_other_driver_loads_it(driver: str) -> None:
    assert run(OPEN.format(driver=driver, before="")).splitlines()[-1] == "[]"


@pytest.mark.parametrize("module", MODULES)
def test_no_module_loads_it_by_being_imported(module: str) -> None:
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {PACKAGE}.modules.{module}; print([name for name in sys.modules if name.startswith('pyV')])"
    assert run(code).strip() == "[]"


def test_where_it_is_not_installed_its_package_is_named() -> None:
    assert run(OPEN.format(driver="vsphere", before="sys.modules['pyVmomi'] = None")).splitlines()[0] == "missing pyvmomi"
