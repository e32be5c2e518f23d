# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges what is asked for one VM: every reason that its type, mode and options give, and what remains of those that have no effect."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.capabilities import Capabilities
from ..model.errors import InputError
from ..model.host import Host
from ..model.intent import Intent
from ..model.migration import MigrationType, VolumeMove
from ..model.reason import Reason
from ..model.site import Site
from ..model.vm import Vm
from .evaluate import evaluate_options
from .option_case import OptionCase
from .option_effect import between_rbd

HOST_TIMEOUT_SECONDS = 3600.0
STORAGE_TIMEOUT_SECONDS = 86400.0
"""As long as CloudStack waits for a live storage migration by default (kvm.storage.online.migration.wait; 10,800 in older versions): CSK-06."""

SPEEDS_MIB_S = {"medium": 20, "fast": 30, "unlimited": 0}
"""Named speeds (CAS-49). The source prints "about 20 Mbps", "30 Mbps" and "100 Mbps"; megabytes are meant, and unlimited is no cap here."""

MOST_SPEED_MIB_S = 1_000_000


def judge_options(
    intent: Intent,
    vm: Vm,
    target: Host | None,
    site: Site,
    volumes: tuple[VolumeMove, ...] = (),
    capabilities: Capabilities | None = None,
    consents: frozenset[str] = frozenset(),
) -> tuple[Reason, ...]:
    """All reasons of the site's profile against (or about) what is asked; none where the combination is sound.

    ``target`` None: not chosen yet, so that only what holds for any is told. ``volumes`` are the ways of those that move. Without ``capabilities`` nothing is
    said of the driver.
    """
    case = OptionCase(site, vm, site.host_by_name.get(vm.host), target, intent, volumes, capabilities)
    return evaluate_options(case, site.profile, consents)


def uncapped_bytes(intent: Intent, reasons: Iterable[Reason], site: Site, volumes: Iterable[VolumeMove]) -> int:
    """Bytes that are copied at full speed though a speed is given: all where the guest's snapshots (or the type) leave it without effect (CAS-51, CAS-49),
    those of volumes between RBD pools where that does (CAS-50). ``reasons`` are what the rulebook said of the options.
    """
    if not intent.speed_mib_s:
        return 0
    numbers = {number for reason in reasons if reason.code in ("speed_ignored", "speed_type") for number in reason.rules}
    moving = [move for move in volumes if move.moves]
    if numbers & {"CAS-49", "CAS-51"}:
        return sum(move.bytes_to_copy for move in moving)
    return sum(move.bytes_to_copy for move in moving if between_rbd(site, move)) if "CAS-50" in numbers else 0


def speed_named(text: str, option: str = "speed") -> int:
    """MiB per second of ``medium``, ``fast``, ``unlimited`` (0: no cap) or a whole number. Raises InputError for anything else."""
    if text in SPEEDS_MIB_S:
        return SPEEDS_MIB_S[text]
    if text.isascii() and text.isdigit() and 0 < int(text) <= MOST_SPEED_MIB_S:
        return int(text)
    hint = f"Give {', '.join(SPEEDS_MIB_S)}, or a whole number of MiB per second from 1 to {MOST_SPEED_MIB_S}."
    raise InputError(option, f"{text!r} is not a speed.", hint=hint)


def type_of(changes_host: bool, changes_pools: bool) -> MigrationType:
    """The type of a move follows from what changes (CSV-02). Raises InputError where nothing does."""
    if changes_host:
        return MigrationType.HOST_STORAGE if changes_pools else MigrationType.HOST
    if changes_pools:
        return MigrationType.STORAGE
    raise InputError("type", "neither the host nor a pool would change.", hint="Give target_host, target_pool or volume_pools.")


def timeout_of(intent: Intent) -> float:
    """Seconds that one move may take: what is asked for, or the default of its type (CSK-06)."""
    if intent.timeout_seconds is not None:
        return intent.timeout_seconds
    return HOST_TIMEOUT_SECONDS if intent.type is MigrationType.HOST else STORAGE_TIMEOUT_SECONDS
