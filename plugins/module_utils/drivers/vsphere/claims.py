# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims, kept with their hosts; the contract is that of ``driver.Driver``."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from ...model.errors import MigrationError
from ...model.host import MaintenanceState
from ...model.note import Claim, ClaimKind
from ...model.options import HostOptions, SiteOptions
from ...model.reason import Reason, hard
from ..driver import Admission, HostLoad, LoadEntry
from ..liveness import ClaimWatch
from .connection import Link, VCenter
from .host_notes import Kept, with_claim
from .inventory import HostEntry, Inventory
from .kept_book import KeptBook
from .properties import read

_LOAD_PATHS = ("vm", "summary.hardware.memorySize", "runtime.inMaintenanceMode")


def place_of(claim: Claim) -> tuple[ClaimKind, str]:
    """What can be claimed once on a host. A drain is kept with its host and needs no name."""
    return claim.kind, "" if claim.kind is ClaimKind.DRAIN else claim.subject


def is_same(one: Claim, other: Claim) -> bool:
    """True for two states of one claim: renewing changes neither its operation nor its process."""
    return (
        place_of(one) == place_of(other)
        and one.operation_id == other.operation_id
        and one.controller.boot_id == other.controller.boot_id
        and one.controller.pid == other.controller.pid
    )


class ClaimBook:
    """Makes, judges, renews and removes claims."""

    def __init__(self, center: VCenter, book: KeptBook, inventory_of: Callable[[], Inventory], options: SiteOptions) -> None:
        self._center = center
        self._book = book
        self._inventory_of = inventory_of
        self._options = options
        self._watch = ClaimWatch(time.time, time.monotonic)

    def claim(self, claim: Claim, admits: Admission | None) -> Reason | None:
        """See ``driver.Driver.claim``."""
        host = self._inventory_of().host(claim.host)

        def make(kept: Kept) -> tuple[Kept, Reason | None]:
            live = self._live(kept)
            others = tuple(found for found in live if not is_same(found, claim))
            holder = next((found for found in others if place_of(found) == place_of(claim)), None)
            fresh = dataclasses.replace(kept, claims=others)
            if holder is not None:
                return kept, _held(claim, holder)
            if claim.kind is ClaimKind.MEMORY and admits is not None:
                refused = admits(self._load(host, dataclasses.replace(kept, claims=others)))
                if refused is not None:
                    return kept, refused
            return with_claim(fresh, claim), None

        return self._book.change(host.ref, "making a claim", make)

    def renew(self, claims: Sequence[Claim]) -> None:
        """See ``driver.Driver.renew``."""
        for host, own in _by_host(claims).items():
            self._book.change(self._inventory_of().host(host).ref, "renewing claims", lambda kept, own=own: (_renewed(kept, own), None))  # type: ignore[misc]

    def release(self, claims: Sequence[Claim]) -> None:
        """See ``driver.Driver.release``."""
        for host, own in _by_host(claims).items():
            self._book.change(self._inventory_of().host(host).ref, "releasing claims", lambda kept, own=own: (_without(kept, own), None))  # type: ignore[misc]

    def live(self, host: str) -> tuple[Claim, ...]:
        """See ``driver.Driver.claims``."""
        return self._live(self._book.read(self._inventory_of().host(host).ref))

    def drop_stale(self) -> None:
        """See ``driver.Driver.drop_stale_claims``. A host whose lock is not to be had now is left to the next run."""
        hosts = self._inventory_of().hosts.values()
        found = self._book.read_all([host.ref for host in hosts], "HostSystem")
        for host in hosts:
            kept = found.get(host.moid, Kept())
            if len(self._live(kept)) == len(kept.claims):
                continue
            try:
                self._book.change(host.ref, "dropping stale claims", lambda kept: (dataclasses.replace(kept, claims=self._live(kept)), None))
            except MigrationError:
                continue

    def _live(self, kept: Kept) -> tuple[Claim, ...]:
        return tuple(claim for claim in kept.claims if not self._watch.is_stale(claim))

    def _load(self, host: HostEntry, kept: Kept) -> HostLoad:
        own = self._options.hosts.get(host.name) or HostOptions()
        return self._center.run("reading the host's load", lambda link: _load_of(link, host, own, kept, self._live(kept)))


def _load_of(link: Link, host: HostEntry, own: HostOptions, kept: Kept, claims: tuple[Claim, ...]) -> HostLoad:
    entry = next(iter(read(link, [host.ref], "HostSystem", _LOAD_PATHS).values()))
    vms = read(link, entry["vm"] or (), "VirtualMachine", ["runtime.powerState", "summary.config.memorySizeMB"])
    memory = entry["summary.hardware.memorySize"]
    running = [LoadEntry(moid, vm["summary.config.memorySizeMB"] or 0) for moid, vm in vms.items() if str(vm["runtime.powerState"]) == "poweredOn"]
    return HostLoad(
        host=host.name,
        memory_mib=own.memory_mib if own.memory_mib is not None else memory // 2**20 if memory else None,
        reserved_memory_mib=own.reserved_memory_mib or 0,
        vms=tuple(running),
        claims=claims,
        max_vms=own.max_vms,
        is_open=kept.maintenance.state is MaintenanceState.AVAILABLE and not entry["runtime.inMaintenanceMode"],
    )


def _by_host(claims: Sequence[Claim]) -> dict[str, list[Claim]]:
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        found.setdefault(claim.host, []).append(claim)
    return found


def _renewed(kept: Kept, own: Sequence[Claim]) -> Kept:
    now = time.time()
    fresh = tuple(dataclasses.replace(found, renewed_at=now) if any(is_same(found, claim) for claim in own) else found for found in kept.claims)
    return dataclasses.replace(kept, claims=fresh)


def _without(kept: Kept, own: Sequence[Claim]) -> Kept:
    return dataclasses.replace(kept, claims=tuple(found for found in kept.claims if not any(is_same(found, claim) for claim in own)))


def _held(claim: Claim, holder: Claim) -> Reason:
    what = "The drain" if claim.kind is ClaimKind.DRAIN else f"{claim.kind.value} {claim.subject}".capitalize()
    text = f"{what} on {claim.host} is claimed by {holder.controller}, operation {holder.operation_id}."
    return hard("operation_in_progress", text, "Wait for the end of that operation, or stop it.")
