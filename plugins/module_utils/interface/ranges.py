# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers that make no sense are refused before anything is asked of a hypervisor: option, value, reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model.errors import InputError
from ..model.options import SiteOptions


@dataclass(frozen=True, slots=True)
class Range:
    """What a number may be, and what it stands for, in words that complete a sentence."""

    least: float
    most: float
    meaning: str


_DAY_SECONDS = 86400.0
_POSITIVE = Range(1, math.inf, "a number of 1 or more")

RANGES: Mapping[str, Range] = {
    "parallel": Range(1, 10_000, "the most moves that run at once; leave it out for the site's own limits"),
    "bandwidth_mib_s": Range(1, 1_000_000, "the most that one move may use; leave it out for no cap"),
    "max_downtime_ms": Range(1, 600_000, "the longest pause at the switch; leave it out for the hypervisor's own figure"),
    "timeout_seconds": Range(1, 30 * _DAY_SECONDS, "the longest that one move may take"),
    "storage_timeout_seconds": Range(1, 30 * _DAY_SECONDS, "the longest that one move may take that copies disks"),
    "connections": Range(1, 255, "how many streams carry the memory of one move; leave it out for one"),
    "shutdown_seconds": Range(1, _DAY_SECONDS, "how long a guest may take to shut down"),
    "stall_seconds": Range(1, 30 * _DAY_SECONDS, "how long nothing may be transferred"),
    "retries": Range(0, 100, "how many further targets are tried"),
    "claim_wait_seconds": Range(0, 30 * _DAY_SECONDS, "how long to wait for another run"),
    "limit": Range(1, 1_000_000, "how many targets to return; leave it out for all"),
}


def check_numbers(params: Mapping[str, Any]) -> None:
    """Raise InputError for the first number among a module's options that is out of its range."""
    for name, allowed in RANGES.items():
        if params.get(name) is not None:
            _check(name, params[name], allowed)


def check_site_numbers(site: SiteOptions) -> None:
    """Raise InputError for the first number of the option ``site`` that no machine can have."""
    _check("site.connect_timeout_seconds", site.connect_timeout_seconds, Range(0.1, 3600, "how long a host may take to answer"))
    _check("site.simulator.speed", site.simulator.speed, Range(0.001, 100_000, "simulated seconds per real second"))
    _check("site.vsphere.port", site.vsphere.port, Range(1, 65_535, "the port of the server's API"))
    for option, value in _site_numbers(site):
        if value is not None:
            _check(option, value, Range(0, math.inf, "a number of 0 or more") if option.endswith(".reserved_memory_mib") else _POSITIVE)


def _site_numbers(site: SiteOptions) -> Iterator[tuple[str, float | None]]:
    for name, host in site.hosts.items():
        for fact in (
            "migration_link_mbps",
            "management_link_mbps",
            "storage_link_mbps",
            "memory_mib",
            "max_vms",
            "max_hardware_version",
            "reserved_memory_mib",
        ):
            yield f"site.hosts.{name}.{fact}", getattr(host, fact)
    for name, link in site.links.items():
        yield f"site.links.{name}.bandwidth_mbps", link.bandwidth_mbps
    for fact in ("migrations_per_host", "migrations_per_link", "migrations_per_pool", "storage_migration_units"):
        yield f"site.limits.{fact}", getattr(site.limits, fact)
    for fact in ("hosts", "links", "pools"):
        for name, value in getattr(site.limits, fact).items():
            yield f"site.limits.{fact}.{name}", value


def _check(option: str, value: float, allowed: Range) -> None:
    if math.isfinite(value) and allowed.least <= value <= allowed.most:
        return
    least, most = _as_text(allowed.least), _as_text(allowed.most)
    bounds = f"at least {least}" if math.isinf(allowed.most) else f"from {least} to {most}"
    raise InputError(option, f"{_as_text(value)} makes no sense here; it must be {bounds}: {allowed.meaning}.")


def _as_text(value: float) -> str:
    """As an operator would write it: no exponent, no fraction where there is none."""
    return f"{value:.0f}" if math.isfinite(value) and value == int(value) else f"{value:g}"
