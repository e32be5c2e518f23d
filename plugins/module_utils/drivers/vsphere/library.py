# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pyVmomi: imported here alone, and only when something of it is first used, so that no other driver loads it."""

from __future__ import annotations

import importlib
import traceback
from functools import cache
from typing import Any

from ...model.errors import DriverMissing


@cache
def pyvmomi() -> Any:
    """The module ``pyVmomi``. Raises DriverMissing where it is not installed."""
    try:
        return importlib.import_module("pyVmomi")
    except ImportError:
        hint = "Install it for that interpreter: pip install pyvmomi, or the package python3-pyvmomi."
        raise DriverMissing("pyvmomi", traceback.format_exc(), hint=hint) from None


def vim() -> Any:
    """The types of the vSphere API."""
    return pyvmomi().vim


def vmodl() -> Any:
    """The types that the API's own types are made of: faults, property collector, dynamic properties."""
    return pyvmomi().vmodl
