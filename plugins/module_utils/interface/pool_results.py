# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts of the answer of ``pool_evacuate``: the pools, and what is in them by their own listing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model.host import MaintenanceState
from ..model.outcome import Remaining
from ..model.pool_content import PoolContent
from ..model.reason import Reason, warning
from ..model.site import Site
from .plan_view import amount
from .result_form import PoolResult

NAMES_SHOWN = 5


def pool_results(pools: tuple[str, ...], before: Site, states: Mapping[str, MaintenanceState], contents: tuple[PoolContent, ...]) -> tuple[PoolResult, ...]:
    """One entry per pool, in their order."""
    found = []
    for name in pools:
        here = [content for content in contents if content.pool == name]
        was = before.pool_by_id[name].maintenance.state.value
        size = sum(content.size_bytes or 0 for content in here)
        found.append(PoolResult(name, states[name].value, was, len(here), sum(content.is_needed for content in here), size))
    return tuple(found)


def pool_rows(pools: tuple[PoolResult, ...]) -> list[tuple[str, str, str]]:
    """Rows for a diff."""
    return [(f"pool {pool.id}", pool.state_before, pool.state) for pool in pools]


def needed_as_remaining(needed: Iterable[PoolContent], site: Site) -> tuple[Remaining, ...]:
    """What VMs still need, in the words of a failure: each VM with the volume and its reason."""
    hosts = {vm.name: vm.host for vm in site.vms}
    found = []
    for content in needed:
        names = ", ".join(content.vms[:NAMES_SHOWN])
        found.append(Remaining(content.vms[0], f"{content.name} ({names})", hosts.get(content.vms[0], ""), content.reasons))
    return tuple(found)


def leftover_warnings(contents: Iterable[PoolContent]) -> tuple[Reason, ...]:
    """What is left that no VM needs: named with its size, and never touched."""
    left = [content for content in contents if not content.is_needed]
    if not left:
        return ()
    shown = ", ".join(f"{content.volume} ({content.owner.value}, {_size(content)})" for content in left[:NAMES_SHOWN])
    more = f" and {len(left) - NAMES_SHOWN} more" if len(left) > NAMES_SHOWN else ""
    hint = "They are not touched. Find out whose they are before the pool is taken away; remaining in the result lists all."
    return (warning("volumes_left", f"{len(left)} volume(s) that no VM needs are left: {shown}{more}.", hint),)


def _size(content: PoolContent) -> str:
    return "size unknown" if content.size_bytes is None else amount(content.size_bytes)
