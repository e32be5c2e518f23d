# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims, maintenance notes and stop requests of a simulated world, kept in its state under the same lock as everything else."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from ...model.errors import InputError
from ...model.host import Host, Maintenance
from ...model.note import Claim, ClaimKind
from ...model.reason import Reason, hard
from ..driver import Admission, HostLoad, LoadEntry
from ..liveness import ClaimWatch
from .engine import Draft
from .moment import Moment


def new_watch() -> ClaimWatch:
    """Judges claims in real seconds, because controllers live in real time however fast the world's clock runs."""
    return ClaimWatch(time.time, time.monotonic)


def live_claims(moment: Moment, watch: ClaimWatch, host: str) -> tuple[Claim, ...]:
    """Claims kept on the host of controllers that still live."""
    return tuple(claim for claim in moment.state.claims if claim.host == host and not watch.is_stale(claim))


def make(draft: Draft, watch: ClaimWatch, claim: Claim, host: Host, admits: Admission | None) -> Reason | None:
    """Make a claim, or say why not. ``host`` is the claim's host as a snapshot shows it. Raises HostUnreachable."""
    moment = draft.moment
    moment.require(claim.host)
    live = live_claims(moment, watch, claim.host)
    for other in live:
        if _same_thing(other, claim) and other.operation_id != claim.operation_id:
            return _held(other)
    if claim.kind is ClaimKind.MEMORY and admits is not None:
        refused = admits(_load(moment, host, live))
        if refused is not None:
            return refused
    elsewhere = tuple(other for other in draft.state.claims if other.host != claim.host)
    others = tuple(other for other in live if not _same_thing(other, claim))
    draft.state = dataclasses.replace(draft.state, claims=(*elsewhere, *others, claim))
    return None


def renew(draft: Draft, claims: Sequence[Claim]) -> None:
    """Write the present time into those claims that are still there."""
    mine = {_key(claim) for claim in claims}
    now = time.time()
    renewed = tuple(dataclasses.replace(claim, renewed_at=now) if _key(claim) in mine else claim for claim in draft.state.claims)
    if renewed != draft.state.claims:
        draft.state = dataclasses.replace(draft.state, claims=renewed)


def release(draft: Draft, claims: Sequence[Claim]) -> None:
    """Remove those claims that are still there and still this operation's."""
    mine = {_key(claim) for claim in claims}
    kept = tuple(claim for claim in draft.state.claims if _key(claim) not in mine)
    if kept != draft.state.claims:
        draft.state = dataclasses.replace(draft.state, claims=kept)


def has_stale(moment: Moment, watch: ClaimWatch) -> bool:
    """True where a claim is kept that nobody stands behind any more."""
    return any(watch.is_stale(claim) for claim in moment.state.claims)


def drop_stale(draft: Draft, watch: ClaimWatch) -> None:
    """Remove them."""
    draft.state = dataclasses.replace(draft.state, claims=tuple(claim for claim in draft.state.claims if not watch.is_stale(claim)))


def set_maintenance(draft: Draft, host: str, maintenance: Maintenance) -> None:
    """Keep the note with the host. Raises HostUnreachable."""
    draft.moment.require(host)
    if draft.moment.host(host).maintenance != maintenance:
        draft.state = dataclasses.replace(draft.state, maintenance={**draft.state.maintenance, host: maintenance})


def set_pool_maintenance(draft: Draft, pool: str, maintenance: Maintenance) -> None:
    """Keep the note with the pool. Raises InputError for an unknown one, HostUnreachable where none of its hosts answers."""
    site = draft.moment.world.site
    if pool not in site.pool_by_id:
        raise InputError("pool", f"Pool {pool!r} is not in this world.", code="pool_unknown", hint=f"Known pools: {', '.join(sorted(site.pool_by_id))}.")
    hosts = [host.name for host in site.hosts if pool in host.pools]
    if hosts and not any(draft.moment.answers(host) for host in hosts):
        draft.moment.require(hosts[0])
    if draft.moment.pool(pool).maintenance != maintenance:
        draft.state = dataclasses.replace(draft.state, pool_maintenance={**draft.state.pool_maintenance, pool: maintenance})


def request_stop(draft: Draft, host: str, by: str) -> None:
    """Leave a stop request with the host. Raises HostUnreachable."""
    draft.moment.require(host)
    draft.state = dataclasses.replace(draft.state, stops={**draft.state.stops, host: by})


def clear_stop(draft: Draft, host: str) -> None:
    """Remove the stop request, if there is one. Raises HostUnreachable."""
    draft.moment.require(host)
    if host in draft.state.stops:
        draft.state = dataclasses.replace(draft.state, stops={name: by for name, by in draft.state.stops.items() if name != host})


def _load(moment: Moment, host: Host, live: tuple[Claim, ...]) -> HostLoad:
    return HostLoad(
        host=host.name,
        memory_mib=host.memory_mib,
        reserved_memory_mib=host.reserved_memory_mib,
        vms=tuple(LoadEntry(vm.id, vm.memory_mib) for vm in moment.memory_holders(host.name)),
        claims=tuple(claim for claim in live if claim.kind is ClaimKind.MEMORY),
        max_vms=host.max_vms,
        is_open=host.is_open,
    )


def _same_thing(one: Claim, other: Claim) -> bool:
    return (one.kind, one.host, one.subject) == (other.kind, other.host, other.subject)


def _key(claim: Claim) -> tuple[str, str, str, str]:
    return (claim.kind.value, claim.host, claim.subject, claim.operation_id)


def _held(claim: Claim) -> Reason:
    what = {
        ClaimKind.VM: "VM",
        ClaimKind.VOLUME: "volume",
        ClaimKind.MEMORY: "memory for VM",
        ClaimKind.SPACE: "space for the volumes of",
        ClaimKind.DRAIN: "the drain of host",
        ClaimKind.POOL: "the emptying of pool",
        ClaimKind.CANCEL: "the cancelling of VM",
        ClaimKind.RECOVER: "the recovery of the VMs of host",
    }[claim.kind]
    text = f"Operation {claim.operation_id} of {claim.controller} has {what} {claim.subject} on {claim.host} in hand."
    return hard("operation_in_progress", text, "Wait for it, or end it; a dead controller's claim is dropped by itself.")
