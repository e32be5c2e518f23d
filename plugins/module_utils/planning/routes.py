# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which way a migration goes: network, shared links, bandwidth. A channel is one direction of one link; moves on the same channel share it."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.host import Host
from ..model.migration import NetworkRole
from ..model.reason import Reason, warning
from ..model.request import PlanRequest
from ..model.site import Site
from .durations import MIB

ASSUMED_LINK_MBPS = 1000
"""Where a link's speed is not known: Gigabit Ethernet, the least that hosts of today have. Every plan that rests on it says so."""

Channel = tuple[str, str, str]
"""What (``nic`` or ``link``), its name, and the direction (``out``, ``in``) as seen from it."""


@dataclass(frozen=True, slots=True)
class Route:
    """A way from source to target.

    ``channels`` are shared with all moves that take them; ``bandwidth_mbps`` is what one move alone may have. ``links`` are the names of the shared links.
    """

    network: NetworkRole
    networks_used: tuple[NetworkRole, ...]
    channels: tuple[Channel, ...]
    links: tuple[str, ...]
    bandwidth_mbps: float
    cap_mbps: float
    warnings: tuple[Reason, ...] = ()


class Routes:
    """The ways between hosts of a site, each worked out once; ``capacity_mbps`` of every channel that was taken."""

    def __init__(self, site: Site, request: PlanRequest) -> None:
        self._site = site
        self._cap_mbps = request.bandwidth_mib_s * MIB * 8 / 1e6 if request.bandwidth_mib_s else float("inf")
        self._known: dict[tuple[str, str, bool], Route] = {}
        self.capacity_mbps: dict[Channel, float] = {}

    def between(self, source: str, target: str, *, management_only: bool = False) -> Route:
        """The way from one host to another: over the migration network where both ends have one, unless ``management_only``."""
        key = (source, target, management_only)
        route = self._known.get(key)
        if route is None:
            ends = self._site.host_by_name.get(source), self._site.host_by_name[target]
            network, found = (NetworkRole.MANAGEMENT, []) if management_only else _network(*ends)
            route = self._known[key] = self._find(*ends, source, network, found)
        return route

    def storage(self, host_name: str) -> Route:
        """The way of a host's disks to another pool of the same host: its storage network."""
        key = (host_name, host_name, False)
        route = self._known.get(key)
        if route is None:
            found: list[Reason] = []
            channel = ("storage nic", host_name, "both")
            speed = self.capacity_mbps[channel] = self._speed(self._site.host_by_name.get(host_name), host_name, NetworkRole.STORAGE, found)
            role = NetworkRole.STORAGE
            route = self._known[key] = Route(role, (role,), (channel,), (), min(speed, self._cap_mbps), self._cap_mbps, tuple(found))
        return route

    def _find(self, source: Host | None, target: Host, source_name: str, network: NetworkRole, found: list[Reason]) -> Route:
        channels: list[Channel] = []
        for name, host, direction in ((source_name, source, "out"), (target.name, target, "in")):
            channel = (f"{network.value} nic", name, direction)
            channels.append(channel)
            self.capacity_mbps[channel] = self._speed(host, name, network, found)
        links = [link for link in sorted(self._site.links, key=lambda link: link.name) if (source_name in link.hosts) is not (target.name in link.hosts)]
        for link in links:
            channel = ("link", link.name, "out" if source_name in link.hosts else "in")
            channels.append(channel)
            self.capacity_mbps[channel] = float(link.bandwidth_mbps)
        bandwidth_mbps = min(self._cap_mbps, *(self.capacity_mbps[channel] for channel in channels))
        used = (NetworkRole.MANAGEMENT,) if network is NetworkRole.MANAGEMENT else (NetworkRole.MIGRATION, NetworkRole.MANAGEMENT)
        return Route(network, used, tuple(channels), tuple(link.name for link in links), bandwidth_mbps, self._cap_mbps, tuple(found))

    @staticmethod
    def _speed(host: Host | None, name: str, network: NetworkRole, found: list[Reason]) -> float:
        fact = f"{network.value}_link_mbps"
        speed: int | None = getattr(host, fact, None)
        if speed:
            return float(speed)
        found.append(
            warning(
                "fact_unknown",
                f"The duration could not be reckoned with the speed of host {name}'s {network.value} network: site.hosts.{name}.{fact} is not known; "
                f"{ASSUMED_LINK_MBPS} Mbit/s assumed.",
                f"Give it as site.hosts.{name}.{fact} in the overlay.",
                ("CAS-42",),
            )
        )
        return float(ASSUMED_LINK_MBPS)


def _network(source: Host | None, target: Host) -> tuple[NetworkRole, list[Reason]]:
    """The migration network if both ends have one, else the management network (CAS-13)."""
    ends = [bool(host and host.migration_address) for host in (source, target)]
    if all(ends):
        return NetworkRole.MIGRATION, []
    if source is None or not any(ends):
        return NetworkRole.MANAGEMENT, []
    has, lacks = (source.name, target.name) if ends[0] else (target.name, source.name)
    text = f"Host {has} has a migration network and host {lacks} has none, so the management network carries the move."
    return NetworkRole.MANAGEMENT, [warning("migration_network_one_end", text, f"Give site.hosts.{lacks}.migration_address.", ("CAS-13",))]
