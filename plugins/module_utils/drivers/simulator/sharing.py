# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How concurrent copies share links: max-min fairness, as long-lived TCP streams come close to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Resource = tuple[str, ...]
"""One direction of one link."""

_SATURATED = 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class Flow:
    """One copy: the resources that it crosses, and its own cap in bytes per second (0: none)."""

    resources: tuple[Resource, ...]
    cap: float = 0.0


def fair_rates(flows: Sequence[Flow], capacity: Mapping[Resource, float]) -> tuple[float, ...]:
    """Rates in bytes per second, one per flow: progressive filling (D. Bertsekas, R. Gallager, Data Networks, section 6.5.2).

    All flows grow alike; whoever meets a full resource or its own cap stays where it is. Every flow must cross a resource or have a cap. No resource
    carries more than its capacity, and no flow could get more without taking from one that has no more itself.
    """
    limits: dict[Resource, float] = {resource: capacity[resource] for flow in flows for resource in flow.resources}
    crossed: list[tuple[Resource, ...]] = []
    for index, flow in enumerate(flows):
        own: Resource = ("cap", str(index))
        if flow.cap > 0:
            limits[own] = flow.cap
        crossed.append(flow.resources + ((own,) if flow.cap > 0 else ()))
    rates = [0.0] * len(flows)
    growing = list(range(len(flows)))
    while growing:
        users: dict[Resource, int] = {}
        for index in growing:
            for resource in crossed[index]:
                users[resource] = users.get(resource, 0) + 1
        step = min(limits[resource] / count for resource, count in users.items())
        full = {resource for resource, count in users.items() if limits[resource] / count <= step * _SATURATED}
        for resource, count in users.items():
            limits[resource] = 0.0 if resource in full else limits[resource] - step * count
        for index in growing:
            rates[index] += step
        growing = [index for index in growing if full.isdisjoint(crossed[index])]
    return tuple(rates)
