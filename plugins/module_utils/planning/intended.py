# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an intent changes in a candidate's answer: its options are judged, its networks and its course are those of its type and mode."""

from __future__ import annotations

from ..model.host import Host
from ..model.migration import MigrationType, Mode, VolumeMove
from ..model.reason import Reason
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.vm import Vm
from ..rules.options import judge_options, uncapped_bytes
from .advice import advice
from .calibration import fit
from .durations import Estimate, estimate
from .networks import Way, course_of, slow_network, way_of
from .routes import Routes


def option_reasons(site: Site, vm: Vm, host: Host | None, request: PlanRequest, volumes: tuple[VolumeMove, ...]) -> tuple[Reason, ...]:
    """What the options of the intent give for that target (None: for any); nothing without an intent."""
    intent = request.of(vm.id).intent
    if intent is None:
        return ()
    return judge_options(intent, vm, host, site, volumes, request.capabilities, request.consents)


def way_and_course(
    site: Site, vm: Vm, host: Host, request: PlanRequest, routes: Routes, volumes: tuple[VolumeMove, ...], options: tuple[Reason, ...]
) -> tuple[Way, Estimate, tuple[Reason, ...]]:
    """The way to the host, the expected course, and what is to be said of both. ``volumes`` are the ways of the disks, ``options`` the reasons that say
    whether a speed has an effect.
    """
    disk_bytes = sum(move.bytes_to_copy for move in volumes)
    intent, calibration = request.of(vm.id).intent, fit(request.measured).calibration
    if intent is None or (intent.type is MigrationType.HOST and intent.mode is Mode.LIVE):
        route = routes.between(vm.host, host.name)
        way = Way(route.network, route.networks_used, route.bandwidth_mbps, route.links, route.warnings)
        course = estimate(vm.memory_mib, vm.dirty_rate_mib_s, vm.working_set_mib, way.bandwidth_mbps, calibration)
    else:
        way = way_of(site, routes, intent, vm, host.name)
        course = course_of(way, intent, vm, disk_bytes, intent.speed_mib_s, calibration, uncapped_bytes(intent, options, site, volumes))
    said = slow_network(vm, way, disk_bytes) + advice(intent, vm, host, site, course.seconds, request.capabilities)
    return way, course, way.warnings + said
