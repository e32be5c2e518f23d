# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claims of a run: made, renewed by a thread for as long as the process lives, and released."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from types import TracebackType

from ..drivers.driver import Admission, Driver, HostLoad
from ..model.errors import MigrationError
from ..model.note import Claim, ClaimKind, Controller
from ..model.reason import Reason, hard
from ..model.vm import Vm

LIFETIME_SECONDS = 30.0
RENEW_SECONDS = 6.0
SWEEP_SECONDS = 5.0


class ClaimKeeper:
    """Holds the claims of one operation. Their times are real time, because a process's life is."""

    def __init__(self, driver: Driver, operation_id: str, controller: Controller, renew_seconds: float = RENEW_SECONDS) -> None:
        self._driver = driver
        self._renew_seconds = renew_seconds
        self._operation_id = operation_id
        self._controller = controller
        self._held: list[Claim] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_closed, name="claims", daemon=True)
        self._sweep = threading.Thread(target=self._drop_stale, name="stale-claims", daemon=True)

    def __enter__(self) -> ClaimKeeper:
        self._thread.start()
        self._sweep.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        with self._lock:
            held, self._held = self._held, []
        self._release(held)
        self._sweep.join(SWEEP_SECONDS)

    def take(self, kind: ClaimKind, host: str, subject: str, amount_mib: int = 0, admits: Admission | None = None) -> Reason | None:
        """Make a claim; None where it is made, else the reason."""
        now = time.time()
        claim = Claim(kind, host, subject, self._operation_id, self._controller, now, now, amount_mib, LIFETIME_SECONDS)
        refused = self._driver.claim(claim, admits)
        if refused is None:
            with self._lock:
                self._held.append(claim)
        return refused

    def give_back(self, subject: str, *kinds: ClaimKind) -> None:
        """Release this operation's claims of these kinds on one subject."""
        with self._lock:
            gone = [claim for claim in self._held if claim.subject == subject and claim.kind in kinds]
            self._held = [claim for claim in self._held if claim not in gone]
        self._release(gone)

    def _release(self, claims: list[Claim]) -> None:
        # One host that does not answer must not keep the others' claims; a claim that stays becomes stale by itself.
        for claim in claims:
            try:
                self._driver.release([claim])
            except MigrationError:
                continue

    def _drop_stale(self) -> None:
        """What a run that was killed left on hosts that this run may never ask again. Beside the run's own work; hosts that do not answer are let be."""
        with suppress(MigrationError):
            self._driver.drop_stale_claims()

    def _renew_until_closed(self) -> None:
        """Each host in a thread of its own: one that does not answer for half a minute must not let the claims on the others become stale."""
        busy: dict[str, threading.Thread] = {}
        while not self._closing.wait(self._renew_seconds):
            with self._lock:
                held = list(self._held)
            for host in {claim.host for claim in held}:
                if host in busy and busy[host].is_alive():
                    continue
                mine = [claim for claim in held if claim.host == host]
                busy[host] = threading.Thread(target=self._renew, args=(mine,), name=f"claims-{host}", daemon=True)
                busy[host].start()

    def _renew(self, claims: list[Claim]) -> None:
        for claim in claims:
            try:
                self._driver.renew([claim])
            except MigrationError:
                continue


def memory_admission(vm: Vm, apart_from: frozenset[str]) -> Admission:
    """The rule for a claim of memory, asked under the host's lock.

    VMs that are on the host and live claims of VMs that are not there yet must fit beside the new one (CAS-02), and none of them may be in ``apart_from``:
    two controllers, or two retries, never bring VMs together that must be apart.
    """

    def admits(load: HostLoad) -> Reason | None:
        if not load.is_open:
            return hard("host_in_maintenance", f"Host {load.host} was closed to new VMs in the meantime.", "Choose another target.")
        held = {claim.subject: claim.amount_mib for claim in load.claims if claim.kind is ClaimKind.MEMORY}
        held.update({entry.vm: entry.memory_mib for entry in load.vms})
        held.pop(vm.id, None)
        together = sorted(held.keys() & apart_from)
        if together:
            text = f"VM {vm.name} must be apart from {', '.join(together)}, which is on host {load.host} or on the way to it."
            return hard("anti_affinity", text, "Choose another target.")
        if load.max_vms is not None and len(held) >= load.max_vms:
            return hard("max_vms_reached", f"Host {load.host} holds or awaits {len(held)} VMs of at most {load.max_vms}.", "Choose another target.")
        if load.memory_mib is None:
            return None
        free_mib = load.memory_mib - load.reserved_memory_mib - sum(held.values())
        if vm.memory_mib <= free_mib:
            return None
        awaited = len(held) - len(load.vms)
        return hard(
            "insufficient_memory",
            f"VM {vm.name} needs {vm.memory_mib} MiB, host {load.host} has {max(free_mib, 0)} MiB free"
            + (f" ({awaited} more VM(s) on the way to it counted)." if awaited > 0 else "."),
            "Free memory there, add a target host, or lower the reserve.",
            ("CAS-02",),
        )

    return admits
