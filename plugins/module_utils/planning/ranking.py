# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which hosts come into question: most free memory after the move first, then least load, then name. No chance."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterable, Iterator

from ..model.host import Host
from ..rules.planned import PlannedSite

Key = tuple[float, float, str]


def preference(host: Host, free_mib: int | None, memory_mib: int) -> Key:
    """The key to sort candidates by: free share of memory after the move, load (unknown counts as full), name. Unknown memory counts as none free."""
    share = (free_mib - memory_mib) / host.memory_mib if host.memory_mib and free_mib is not None else -1.0
    return (-share, 100.0 if host.cpu_load_percent is None else host.cpu_load_percent, host.name)


class RankedHosts:
    """Hosts kept in order of preference while memory is planned away, so that a placement need not sort a thousand hosts for every VM.

    Hosts of equal memory keep their order whatever the VM's size: one sorted list for each size of host, merged on the way.
    """

    def __init__(self, planned: PlannedSite, hosts: Iterable[Host]) -> None:
        self._planned = planned
        self._hosts = {host.name: host for host in hosts}
        self._by_size: dict[int | None, list[Key]] = {}
        for host in self._hosts.values():
            self._by_size.setdefault(host.memory_mib, []).append(self._key(host))
        for keys in self._by_size.values():
            keys.sort()

    def _key(self, host: Host) -> Key:
        free_mib = self._planned.memory_free_mib(host.name)
        return (0.0 if free_mib is None else -float(free_mib), 100.0 if host.cpu_load_percent is None else host.cpu_load_percent, host.name)

    def before_change(self, name: str) -> None:
        """To be called before memory on that host changes; ``after_change`` follows."""
        if name in self._hosts:
            keys = self._by_size[self._hosts[name].memory_mib]
            keys.pop(bisect.bisect_left(keys, self._key(self._hosts[name])))

    def after_change(self, name: str) -> None:
        """To be called after memory on that host has changed."""
        if name in self._hosts:
            bisect.insort(self._by_size[self._hosts[name].memory_mib], self._key(self._hosts[name]))

    def best_first(self, memory_mib: int) -> Iterator[Host]:
        """All hosts by preference for a VM of that size. Nothing may be changed while it is read."""
        ranked = (self._ranked(keys, memory_mib) for keys in self._by_size.values())
        return (host for _key, host in heapq.merge(*ranked, key=lambda pair: pair[0]))

    def _ranked(self, keys: list[Key], memory_mib: int) -> Iterator[tuple[Key, Host]]:
        for _free, _load, name in keys:
            host = self._hosts[name]
            yield preference(host, self._planned.memory_free_mib(name), memory_mib), host

    def fullest_first(self, memory_mib: int) -> list[Host]:
        """All hosts, the one that the VM would fill most first: leaves large holes whole, for when memory is short."""
        return sorted(self._hosts.values(), key=lambda host: self._fullness(host, memory_mib))

    def _fullness(self, host: Host, memory_mib: int) -> Key:
        free_mib = self._planned.memory_free_mib(host.name)
        share, load, name = preference(host, free_mib, memory_mib)
        return (-share if free_mib is not None else 2.0, load, name)
