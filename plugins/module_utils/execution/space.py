# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims on the space of pools: two controllers never fill one pool together, although each of them found room in it (CAS-16)."""

from __future__ import annotations

from collections import Counter

from ..model.host import HostState
from ..model.migration import Migration
from ..model.note import ClaimKind
from ..model.reason import Reason, hard
from ..model.site import Site
from .operation import RunContext

MIB = 2**20


def claim_space(context: RunContext, migration: Migration, site: Site) -> Reason | None:
    """Claim what the migration brings to each pool; None where there is room for it beside what other controllers have claimed, else the reason.

    The claim comes before the look, so that of two that look at once at least one sees the other; both may step back then. What another move has copied
    already counts twice, as taken and as claimed: that errs on the safe side. Moves of this very run were reckoned with by the plan.
    """
    for pool_id, wanted_mib in sorted(_coming(migration).items()):
        pool, keeper_host = site.pool_by_id.get(pool_id), _keeper_of(site, pool_id)
        if pool is None or pool.free_bytes is None or not keeper_host:
            continue
        refused = context.keeper.take(ClaimKind.SPACE, keeper_host, _subject(migration, pool_id), wanted_mib)
        if refused is not None:
            return refused
        others_mib = sum(
            claim.amount_mib
            for claim in context.driver.claims(keeper_host)
            if claim.kind is ClaimKind.SPACE and claim.operation_id != context.operation.id and claim.subject.endswith(f" in {pool_id}")
        )
        if others_mib and pool.free_bytes // MIB - others_mib <= wanted_mib:
            text = f"Pool {pool_id} has {pool.free_bytes // MIB} MiB free, of which other runs have claimed {others_mib} MiB; {wanted_mib} MiB are needed."
            return hard("insufficient_storage", text, "Wait for the other runs, or choose another pool.", ("CAS-16",))
    return None


def give_space_back(context: RunContext, migration: Migration) -> None:
    """Release what ``claim_space`` has claimed."""
    for pool_id in _coming(migration):
        context.keeper.give_back(_subject(migration, pool_id), ClaimKind.SPACE)


def _coming(migration: Migration) -> Counter[str]:
    """MiB that come to each pool, rounded up."""
    coming: Counter[str] = Counter()
    for move in migration.volumes:
        if move.moves and move.target_pool is not None:
            coming[move.target_pool] += -(-move.bytes_to_copy // MIB)
    return coming


def _keeper_of(site: Site, pool_id: str) -> str:
    """The host that keeps the claims on a pool: the first by name that answers and has it, the same for every controller of the site."""
    return min((host.name for host in site.hosts if pool_id in host.pools and host.state is HostState.UP), default="")


def _subject(migration: Migration, pool_id: str) -> str:
    return f"{migration.vm or migration.vm_name} in {pool_id}"
