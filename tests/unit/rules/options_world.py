# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short ways to ask what the rulebook says of options."""

from __future__ import annotations

import dataclasses

from ansible_collections.vmops.migration.plugins.module_utils.model.capabilities import Capabilities
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, Severity
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState, Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.options import judge_options

from tests.unit.rules.world import WEB, host, site, web

FULL = Capabilities(live_storage=True, live_host_storage=True, cold=True, suspended=True, post_copy=True, encrypt=True)
KNOWN = {"restart_pending": False, "hugepage_kib": 0}
RBD_POOLS = tuple(Pool(name, name, kind="rbd", scope=PoolScope.ZONE) for name in ("rbd-a", "rbd-b"))
FROM_RBD_TO_RBD = (VolumeMove("web-root", "rbd-a", "rbd-b", 2**30),)


def ordinary(**facts: object) -> Vm:
    """A running VM with ordinary pages."""
    return web(**({"hugepage_kib": 0} | facts))


def asked(
    subject: Vm = WEB,
    profile: str = "generic",
    to: Host | None = None,
    source: dict[str, object] | None = None,
    volumes: tuple[VolumeMove, ...] = (),
    capabilities: Capabilities | None = FULL,
    consents: frozenset[str] = frozenset(),
    **wanted: object,
) -> dict[str, Reason]:
    """Everything that is said of these options (fields of Intent), by code. ``source`` are facts of kvm1."""
    target = to or host("kvm2", **KNOWN)
    intent = Intent(**wanted)  # type: ignore[arg-type]
    world = site(target, subject, profile=profile)
    world = dataclasses.replace(world, hosts=(host("kvm1", **(KNOWN | (source or {}))), target), pools=world.pools + RBD_POOLS)
    goal = None if intent.type is MigrationType.STORAGE and to is None else target
    return {reason.code: reason for reason in judge_options(intent, subject, goal, world, volumes, capabilities, consents)}


def refused(found: dict[str, Reason]) -> set[str]:
    """Codes of what forbids."""
    return {code for code, reason in found.items() if reason.blocks}


def is_error(reason: Reason) -> bool:
    """Forbidden whatever is consented to."""
    return reason.severity is Severity.HARD


def is_warning(reason: Reason) -> bool:
    """Told, not forbidden."""
    return reason.severity is Severity.SOFT and not reason.blocks


BY_STORAGE = {"type": MigrationType.STORAGE}
BY_BOTH = {"type": MigrationType.HOST_STORAGE}
OFF = ordinary(power_state=PowerState.OFF)
PAUSED = ordinary(power_state=PowerState.PAUSED)
RUNNING = ordinary()
COLD = {"mode": Mode.COLD}
