# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's fixtures for the tests of the lab itself and of the driver on it."""

from __future__ import annotations

from tests.labs.vsphere.fixtures import vsphere_authority, vsphere_lab

__all__ = ["vsphere_authority", "vsphere_lab"]
