# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Light facts of all domains of a host, in one call; and the way around a QEMU that does not answer its libvirt any more.

libvirt waits without end for such a QEMU (its disk hangs, say), and each call that waits takes one of the daemon's few workers. So the bulk calls have a
time; when one does not come back, that host is asked VM by VM, without any question to a QEMU, for a while. At most one worker is lost to us.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .connection import Connection, QemuSilentError
from .domains import Domain
from .library import libvirt
from .threads import bounded

BULK_SECONDS = 8.0
CAREFUL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class LightStats:
    """State and size of a domain. ``state`` and ``reason`` are libvirt's numbers."""

    state: int
    reason: int
    memory_mib: int
    vcpus: int


def light_stats(connection: Connection, active_only: bool = False) -> list[tuple[Domain, LightStats]]:
    """All domains of the host, or the active ones, with their light facts."""
    if not connection.health.is_careful():
        stats = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_BALLOON | libvirt.VIR_DOMAIN_STATS_VCPU
        flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT | (libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE if active_only else 0)
        found = _in_time(connection, lambda: connection.raw.getAllDomainStats(stats, flags))
        return [(domain, _from_bulk(entry)) for domain, entry in found]
    domains = connection.raw.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE if active_only else 0)
    return [pair for domain in domains if (pair := _ask_one(domain)) is not None]


def detail_stats(connection: Connection, domains: list[Domain]) -> dict[str, dict[str, Any]]:
    """Statistics of disks and dirty rate of these domains by UUID, in one call; nothing of them where a QEMU does not answer."""
    blank: dict[str, dict[str, Any]] = {domain.UUIDString(): {} for domain in domains}
    if not domains or connection.health.is_careful():
        return blank
    stats = libvirt.VIR_DOMAIN_STATS_BLOCK | libvirt.VIR_DOMAIN_STATS_DIRTYRATE
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    found = _in_time(connection, lambda: connection.raw.domainListGetStats(domains, stats, flags))
    return blank | {domain.UUIDString(): details for domain, details in found}


def _in_time(connection: Connection, ask: Callable[[], list[tuple[Domain, dict[str, Any]]]]) -> list[tuple[Domain, dict[str, Any]]]:
    try:
        return bounded(ask, BULK_SECONDS, "vmops-stats")
    except TimeoutError:
        connection.health.be_careful(time.monotonic() + CAREFUL_SECONDS)
        raise QemuSilentError from None


def _from_bulk(entry: dict[str, Any]) -> LightStats:
    return LightStats(
        state=entry.get("state.state", libvirt.VIR_DOMAIN_NOSTATE),
        reason=entry.get("state.reason", 0),
        memory_mib=entry.get("balloon.maximum", 0) // 1024,
        vcpus=entry.get("vcpu.maximum", 1),
    )


def _ask_one(domain: Domain) -> tuple[Domain, LightStats] | None:
    """The same of one domain, from what libvirt itself knows; None where it is gone in the meantime."""
    try:
        state, reason = domain.state()
        _state, maximum_kib, _now_kib, vcpus, _time = domain.info()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise
    return domain, LightStats(state, reason, maximum_kib // 1024, vcpus)
