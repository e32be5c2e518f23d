# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What VMs can be attached to on a host: libvirt's own networks, bridges, and interfaces for direct attachment."""

from __future__ import annotations

from ...model.host import HostNetwork
from .connection import Connection
from .domain_xml import parse
from .library import libvirt


def read_networks(connection: Connection) -> tuple[HostNetwork, ...] | None:
    """Everything active that a NIC could name: three calls, and one for each network and each interface that is new. None where it cannot be told whole."""
    found = []
    for network in connection.raw.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE):
        found.append(HostNetwork(network.name(), "network"))
        bridge = parse(network.XMLDesc()).find("./bridge")
        if bridge is not None and bridge.get("name"):
            found.append(HostNetwork(bridge.get("name", ""), "bridge"))
    interfaces = _interfaces(connection)
    if interfaces is None:
        return None
    return tuple(sorted(set(found) | set(interfaces), key=lambda network: (network.name, network.kind)))


def _interfaces(connection: Connection) -> list[HostNetwork] | None:
    try:
        # A bridge without a port counts as inactive, and yet takes VMs: so not only the active ones
        interfaces = connection.raw.listAllInterfaces()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            return None  # the daemon has no interface driver: bridges made outside libvirt cannot be listed
        raise
    kinds: dict[str, str] = connection.cache.setdefault("interfaces", {})
    found = []
    for interface in interfaces:
        name = interface.name()
        if name == "lo":
            continue
        if name not in kinds:
            kinds[name] = _kind(interface)
        found.append(HostNetwork(name, kinds[name]))
        if kinds[name] == "bridge":
            found.append(HostNetwork(name, "direct"))
    return found


def _kind(interface: object) -> str:
    try:
        return "bridge" if parse(interface.XMLDesc()).get("type") == "bridge" else "direct"  # type: ignore[attr-defined]
    except libvirt.libvirtError:
        return "direct"  # gone in the meantime, or one that libvirt cannot describe
