# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims kept on hosts: secrets whose usage id names what is claimed, so that libvirt itself lets only one controller have it.

A claim's UUID follows from the claim, so its owner finds it again without remembering anything, and can never touch another's.
"""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Sequence

from ...model.codec import decode, encode
from ...model.errors import InputError
from ...model.host import MaintenanceState
from ...model.note import Claim, ClaimKind
from ...model.reason import Reason, hard
from ..driver import Admission, HostLoad, LoadEntry
from ..liveness import ClaimWatch
from . import secrets
from .connection import Connection, HostSession
from .domain_stats import light_stats
from .host_lock import USAGE as LOCK
from .host_lock import host_lock
from .host_notes import read_maintenance

FOLDER = f"{secrets.PREFIX}claim/"
_NAMESPACE = uuid.UUID("6c5f0a53-7a0e-4c0c-8a44-0d1a6c2b9e55")
_RETRIES = 5


def usage_of(claim: Claim) -> str:
    """The usage id: one for each thing that can be claimed on a host. A drain is kept with its host and needs no name, which sites may choose differently."""
    if claim.kind is ClaimKind.DRAIN:
        return f"{FOLDER}{claim.kind.value}"
    return f"{FOLDER}{claim.kind.value}/{claim.subject}"


def uuid_of(claim: Claim) -> str:
    """The claim's own UUID. Renewing does not change it."""
    return str(uuid.uuid5(_NAMESPACE, f"{claim.host}\n{usage_of(claim)}\n{claim.operation_id}\n{claim.controller.boot_id}\n{claim.controller.pid}"))


def read_claim(kept: secrets.KeptText) -> Claim | None:
    """The claim of a secret; None where it is none that this version can read."""
    try:
        return decode(Claim, kept.data, "claim")
    except InputError:
        return None


class ClaimBook:
    """Makes, judges, renews and removes claims. ``session_of`` gives a host's connections by name."""

    def __init__(self, session_of: Callable[[str], HostSession]) -> None:
        self._session_of = session_of
        self._watch = ClaimWatch(time.time, time.monotonic)

    def claim(self, claim: Claim, admits: Admission | None) -> Reason | None:
        """See ``driver.Driver.claim``."""
        session = self._session_of(claim.host)
        if claim.kind is not ClaimKind.MEMORY or admits is None:
            return session.run("making a claim", lambda connection: self._make(connection, claim))
        for _turn in range(_RETRIES):
            with host_lock(session, self._watch) as lock:
                load = session.run("reading the host's load", lambda connection: self._load(session, connection, claim))
                refused = admits(load) or session.run("making a claim", lambda connection: self._make(connection, claim))
                if refused is not None or session.run("checking the host's lock", lock.is_held):
                    return refused
                # We were so slow that somebody took the lock for abandoned: what was admitted may not fit any more.
                self.release([claim])
        return hard("operation_in_progress", f"Host {claim.host} answers too slowly to admit a VM safely.", "Run the task again later.")

    def renew(self, claims: Sequence[Claim]) -> None:
        """See ``driver.Driver.renew``."""
        for claim in claims:
            fresh = dataclasses.replace(claim, renewed_at=time.time())
            self._session_of(claim.host).run("renewing a claim", lambda connection, fresh=fresh: _renew(connection, fresh))  # type: ignore[misc]

    def release(self, claims: Sequence[Claim]) -> None:
        """See ``driver.Driver.release``."""
        for claim in claims:
            own = uuid_of(claim)
            self._session_of(claim.host).run("releasing a claim", lambda connection, own=own: secrets.undefine(connection, own))  # type: ignore[misc]

    def live(self, host: str) -> tuple[Claim, ...]:
        """See ``driver.Driver.claims``."""
        return self._session_of(host).run("reading the claims", self._live)

    def drop_stale(self, host: str) -> None:
        """Remove the host's stale claims, and its lock where its holder is dead. By UUID, so that a claim made meanwhile is not touched."""
        self._session_of(host).run("dropping stale claims", self._drop_stale)

    def _drop_stale(self, connection: Connection) -> None:
        for kept in (*secrets.all_under(connection, FOLDER), *secrets.all_under(connection, LOCK)):
            claim = read_claim(kept)
            if claim is not None and self._watch.is_stale(claim):
                secrets.undefine(connection, kept.uuid)

    def _live(self, connection: Connection) -> tuple[Claim, ...]:
        found = (read_claim(kept) for kept in secrets.all_under(connection, FOLDER))
        return tuple(claim for claim in found if claim is not None and not self._watch.is_stale(claim))

    def _make(self, connection: Connection, claim: Claim) -> Reason | None:
        """Define the secret; a stale holder is removed, by its UUID, and the place tried once more."""
        for _turn in range(2):
            other = secrets.define(connection, uuid_of(claim), usage_of(claim), encode(claim))
            if other is None:
                return None
            holder = read_claim(other)
            if holder is not None and not self._watch.is_stale(holder):
                return _held(claim, holder)
            secrets.undefine(connection, other.uuid)
        return hard("operation_in_progress", f"Another controller claimed {_what(claim)} on {claim.host} in this moment.", "Run the task again later.")

    def _load(self, session: HostSession, connection: Connection, claim: Claim) -> HostLoad:
        options = session.options
        own = uuid_of(claim)
        return HostLoad(
            host=session.name,
            memory_mib=options.memory_mib if options.memory_mib is not None else connection.raw.getInfo()[1],
            reserved_memory_mib=options.reserved_memory_mib or 0,
            vms=tuple(LoadEntry(domain.UUIDString(), stats.memory_mib) for domain, stats in light_stats(connection, active_only=True)),
            claims=tuple(found for found in self._live(connection) if uuid_of(found) != own),
            max_vms=options.max_vms,
            is_open=read_maintenance(connection).state is MaintenanceState.AVAILABLE,
        )


def _renew(connection: Connection, claim: Claim) -> None:
    own = uuid_of(claim)
    if secrets.exists(connection, own):
        secrets.define(connection, own, usage_of(claim), encode(claim))


def _held(claim: Claim, holder: Claim) -> Reason:
    text = f"{_what(claim)} on {claim.host} is claimed by {holder.controller}, operation {holder.operation_id}."
    return hard("operation_in_progress", text[0].upper() + text[1:], "Wait for the end of that operation, or stop it.")


def _what(claim: Claim) -> str:
    return {
        ClaimKind.VM: f"VM {claim.subject}",
        ClaimKind.VOLUME: f"volume {claim.subject}",
        ClaimKind.MEMORY: f"memory for VM {claim.subject}",
        ClaimKind.SPACE: f"space for {claim.subject}",
        ClaimKind.DRAIN: "the drain",
        ClaimKind.POOL: f"the emptying of pool {claim.subject}",
        ClaimKind.CANCEL: f"the cancelling of VM {claim.subject}",
        ClaimKind.RECOVER: f"the recovery of the VMs of {claim.subject}",
    }[claim.kind]
