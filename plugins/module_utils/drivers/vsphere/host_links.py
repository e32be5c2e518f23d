# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a host's network is where vMotion, management or storage traffic leaves it, and how many moves at once vSphere makes of that. Pure.

A VMkernel adapter is on a port group, that on a switch, and that has physical adapters with a speed. One stream uses one of them, so the fastest that is up
counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...model.host import Host
from ...model.site import Limits
from .properties import Entry

LINK_PATHS = ("config.network.pnic", "config.network.vswitch", "config.network.proxySwitch", "config.network.portgroup")
TRAFFIC = {"migration": "vmotion", "management": "management", "storage": "vSphereProvisioning"}
"""Names of the kinds of traffic in the API, by the role that the network has here."""

# VMware, vCenter Server and Host Management, "Limits on Simultaneous Migrations": a host has 8 units, of which a vMotion takes 1 and a Storage vMotion 4;
# a network has 4 at 1 Gbit/s and 8 at 10 Gbit/s; a datastore has 128, of which a Storage vMotion takes 16.
HOST_UNITS, STORAGE_VMOTION_UNITS, DATASTORE_STORAGE_VMOTIONS = 8, 4, 8
SLOW_NETWORK_UNITS, FAST_NETWORK_MBPS = 4, 10_000


def link_mbps(entry: Entry, role: str) -> int | None:
    """The speed for a role (``migration``, ``management``, ``storage``), in megabit per second; None where no adapter is chosen for it, or nothing is told."""
    adapters = (adapter for config in entry["config.virtualNicManagerInfo.netConfig"] or () if config.nicType == TRAFFIC[role] for adapter in _chosen(config))
    speeds = [speed for adapter in adapters for speed in _speeds(entry, adapter)]
    return max(speeds, default=None)


def _chosen(config: Any) -> Iterable[Any]:
    return (adapter for adapter in config.candidateVnic or () if adapter.key in (config.selectedVnic or ()))


def _speeds(entry: Entry, adapter: Any) -> list[int]:
    keys = set(_uplinks(entry, adapter))
    links = [nic.linkSpeed for nic in entry["config.network.pnic"] or () if nic.key in keys]
    return [int(link.speedMb) for link in links if link is not None]


def _uplinks(entry: Entry, adapter: Any) -> Iterable[str]:
    """Keys of the physical adapters of the switch that a VMkernel adapter is on, distributed or not."""
    port = getattr(adapter.spec, "distributedVirtualPort", None)
    if port is not None:
        return [key for switch in entry["config.network.proxySwitch"] or () if switch.dvsUuid == port.switchUuid for key in switch.pnic or ()]
    name = adapter.portgroup or getattr(adapter.spec, "portgroup", None)
    switches = {group.vswitch for group in entry["config.network.portgroup"] or () if name and group.spec.name == name}
    return [key for switch in entry["config.network.vswitch"] or () if switch.key in switches for key in switch.pnic or ()]


def limits_of(hosts: Iterable[Host]) -> Limits:
    """How many moves vCenter makes at once; more it lets wait."""
    slow = {host.name: SLOW_NETWORK_UNITS for host in hosts if host.migration_link_mbps is not None and host.migration_link_mbps < FAST_NETWORK_MBPS}
    return Limits(HOST_UNITS, migrations_per_pool=DATASTORE_STORAGE_VMOTIONS, storage_migration_units=STORAGE_VMOTION_UNITS, hosts=slow)
