# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which folder implements which driver. Imported by statements inside functions, so that Ansible's packager finds them and nothing loads early."""

from __future__ import annotations

from ..model.errors import InputError
from ..model.options import SiteOptions
from .driver import Driver

DRIVERS = ("libvirt", "vsphere", "simulator")


def open_driver(options: SiteOptions) -> Driver:
    """The driver that the options name, opened lazily. Raises InputError (``driver_unknown``) and the driver's own errors."""
    if options.driver == "libvirt":
        from .libvirt.driver import LibvirtDriver

        return LibvirtDriver(options)
    if options.driver == "vsphere":
        from .vsphere.driver import VsphereDriver

        return VsphereDriver(options)
    if options.driver == "simulator":
        from .simulator.driver import SimulatorDriver

        return SimulatorDriver(options)
    raise InputError("site.driver", f"{options.driver!r} is not a driver.", code="driver_unknown", hint=f"Drivers: {', '.join(DRIVERS)}.")
