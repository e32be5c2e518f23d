# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network cards that get another network with the move: the changes that a relocation takes along in its spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...model.errors import InputError
from ...model.migration import Migration
from .connection import Link
from .devices import network_of
from .inventory import HostEntry, Inventory
from .library import vim
from .properties import moid_of, read

Backings = Mapping[str, Any]
"""What a card is attached by, by the name of the network."""


def backings_of(link: Link, migration: Migration, inventory: Inventory) -> Backings:
    """The backings of all networks that the migration maps to; nothing is asked where it maps none. Raises InputError (``network_missing``)."""
    host = inventory.host(migration.target_host)
    wanted = sorted(set(migration.network_map.values()))
    return {name: _backing(link, _found(host, name), name) for name in wanted}


def _found(host: HostEntry, name: str) -> Any:
    ref = host.networks.get(name)
    if ref is None:
        hint = f"Networks of {host.name}: {', '.join(sorted(host.networks)[:20]) or 'none'}."
        raise InputError("network_map", f"host {host.name} has no network {name!r}.", code="network_missing", hint=hint)
    return ref


def _backing(link: Link, ref: Any, name: str) -> Any:
    kinds = vim().vm.device.VirtualEthernetCard
    if isinstance(ref, vim().dvs.DistributedVirtualPortgroup):
        group = read(link, [ref], "DistributedVirtualPortgroup", ["key", "config.distributedVirtualSwitch"])[moid_of(ref)]
        switch = group["config.distributedVirtualSwitch"]
        uuid = read(link, [switch], "DistributedVirtualSwitch", ["uuid"])[moid_of(switch)]["uuid"]
        port = vim().dvs.PortConnection(portgroupKey=group["key"], switchUuid=uuid)
        return kinds.DistributedVirtualPortBackingInfo(port=port)
    if isinstance(ref, vim().OpaqueNetwork):
        summary = read(link, [ref], "OpaqueNetwork", ["summary"])[moid_of(ref)]["summary"]
        return kinds.OpaqueNetworkBackingInfo(opaqueNetworkId=summary.opaqueNetworkId, opaqueNetworkType=summary.opaqueNetworkType)
    return kinds.NetworkBackingInfo(deviceName=name, network=ref)


def card_changes(migration: Migration, devices: Iterable[Any], portgroups: Mapping[str, str], backings: Backings) -> list[Any]:
    """One change for each card whose network the migration maps; ``portgroups`` are names of distributed port groups by their key. Pure."""
    found = []
    for card in devices:
        name = network_of(card.backing, portgroups)[0] if isinstance(card, vim().vm.device.VirtualEthernetCard) else ""
        backing = backings.get(migration.network_map.get(name, ""))
        if backing is not None:
            card.backing = backing
            found.append(vim().vm.device.VirtualDeviceSpec(operation="edit", device=card))
    return found
