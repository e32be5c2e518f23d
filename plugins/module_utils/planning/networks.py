# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which networks a move of any type uses, how fast it is there, and how long it takes: six cases, and what both ends have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ..model.intent import Intent
from ..model.migration import MigrationType, NetworkRole
from ..model.reason import Reason, warning
from ..model.site import Site
from ..model.vm import Vm
from ..rules.rule import Profile
from ..rules.volume_case import stays_in_memory
from .durations import DEFAULT_CALIBRATION, Calibration, Estimate, estimate, with_disks
from .routes import Route, Routes

_MANAGEMENT, _MIGRATION, _STORAGE = NetworkRole.MANAGEMENT, NetworkRole.MIGRATION, NetworkRole.STORAGE

# Type, online -> networks, the one that carries the data first (CAS-11). Where an end lacks a migration network, management takes its place (CAS-13).
NETWORKS: Mapping[tuple[MigrationType, bool], tuple[NetworkRole, ...]] = {
    (MigrationType.HOST, True): (_MIGRATION, _MANAGEMENT),
    (MigrationType.STORAGE, True): (_STORAGE,),
    (MigrationType.HOST_STORAGE, True): (_MIGRATION, _MANAGEMENT, _STORAGE),
    (MigrationType.HOST, False): (_MANAGEMENT,),
    (MigrationType.STORAGE, False): (_STORAGE,),
    (MigrationType.HOST_STORAGE, False): (_MIGRATION, _MANAGEMENT, _STORAGE),
}

SLOW_MBPS = 1000
"""A link that is not faster than this is called slow where disks are to be copied: an assumption, as the source says only "sufficient" (PCD-08)."""


@dataclass(frozen=True, slots=True)
class Way:
    """``network`` carries the data, ``networks_used`` names each network once, ``links`` each shared link once, whatever networks cross it (CAS-12)."""

    network: NetworkRole
    networks_used: tuple[NetworkRole, ...]
    bandwidth_mbps: float
    links: tuple[str, ...] = ()
    warnings: tuple[Reason, ...] = ()


def is_online(vm: Vm, intent: Intent) -> bool:
    """True where the guest stays in memory: only then is there memory to send."""
    return stays_in_memory(vm, intent.mode)


def route_of(site: Site, routes: Routes, intent: Intent, vm: Vm, target: str) -> Route:
    """The route of one VM's move to the host ``target`` (for a move of storage alone: its own host), with the networks that such a move uses."""
    table = NETWORKS[intent.type, is_online(vm, intent)]
    if table == (_STORAGE,):
        return routes.storage(vm.host)
    cold = site.profile == Profile.PCD and not is_online(vm, intent)  # there, cold moves copy over the management network (PCD-08)
    route = routes.between(vm.host, target, management_only=cold or _MIGRATION not in table)
    kept = tuple(role for role in table if role is not _MIGRATION or route.network is _MIGRATION)
    return dataclasses.replace(route, networks_used=kept, warnings=tuple(dict.fromkeys(route.warnings)))


def way_of(site: Site, routes: Routes, intent: Intent, vm: Vm, target: str) -> Way:
    """The same as far as an answer tells it."""
    route = route_of(site, routes, intent, vm, target)
    return Way(route.network, route.networks_used, route.bandwidth_mbps, route.links, route.warnings)


def has_memory(intent: Intent, vm: Vm) -> bool:
    """True where guest memory is sent to another host."""
    return is_online(vm, intent) and intent.type is not MigrationType.STORAGE


def course_of(
    way: Way, intent: Intent, vm: Vm, disk_bytes: int = 0, speed_mib_s: int = 0, calibration: Calibration = DEFAULT_CALIBRATION, uncapped_bytes: int = 0
) -> Estimate:
    """The expected course: memory (where the guest stays in it) and ``disk_bytes``, one after the other over the same way, so that it is counted once.

    ``speed_mib_s`` caps the copying of disks (0: no cap), ``uncapped_bytes`` of them apart.
    """
    memory_mib = vm.memory_mib if has_memory(intent, vm) else 0
    course = estimate(memory_mib, vm.dirty_rate_mib_s, vm.working_set_mib, way.bandwidth_mbps, calibration)
    return with_disks(course, disk_bytes, way.bandwidth_mbps, calibration, speed_mib_s, uncapped_bytes)


def slow_network(vm: Vm, way: Way, disk_bytes: int) -> tuple[Reason, ...]:
    """A warning where disks go over a slow link (PCD-08); nothing is asked where no disk is copied (PCD-19)."""
    return slow_copy(f"disks of VM {vm.name}", way.network, way.bandwidth_mbps, disk_bytes)


def slow_link(vm: Vm, route: Route, disk_bytes: int) -> tuple[Reason, ...]:
    """The same of a route."""
    return slow_copy(f"disks of VM {vm.name}", route.network, route.bandwidth_mbps, disk_bytes)


def slow_copy(what: str, network: NetworkRole, bandwidth_mbps: float, disk_bytes: int) -> tuple[Reason, ...]:
    """The same of anything that is copied; ``what`` are the words for it."""
    if disk_bytes <= 0 or bandwidth_mbps > SLOW_MBPS:
        return ()
    text = f"{disk_bytes / 2**30:.1f} GiB of {what} go over the {network.value} network, which carries {bandwidth_mbps:.0f} Mbit/s."
    return (warning("slow_network", text, "Use a faster network, shared storage, or a quiet hour.", ("PCD-08", "PCD-19")),)
