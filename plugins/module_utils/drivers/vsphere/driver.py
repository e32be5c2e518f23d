# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver for vCenter and ESXi: the contract's methods, each handed to the file that does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from ...model.capabilities import Capabilities
from ...model.errors import StateConflict
from ...model.host import Maintenance
from ...model.intent import TimeoutAction
from ...model.migration import Migration
from ...model.note import Claim, VmNote
from ...model.options import SiteOptions
from ...model.pool import Volume
from ...model.progress import Progress
from ...model.reason import Reason
from ...model.recovery import RecoveryNote
from ...model.request import MoveOptions
from ...model.site import Site
from ...model.vm import Vm
from ..driver import DEFAULTS, Admission, Clock, Driver, InFlight, Job, Presence, Scope, Verification
from ..wallclock import WallClock
from .claims import ClaimBook
from .connection import VCenter
from .datastore_files import delete_volume
from .detached import DetachedMoves
from .in_flight import find_in_flight, find_presences
from .kept_book import KeptBook
from .maintenance import clear_stop, request_stop, set_maintenance, set_pool_maintenance, stop_requested
from .moves import Moves
from .power import STOPPED_MODES
from .snapshot import SnapshotReader


class VsphereDriver:
    """See ``driver.Driver``. Opened with its options (InputError, DriverMissing); logs in when it is first asked, and out when it is closed."""

    name = "vsphere"
    capabilities = Capabilities(live_storage=True, live_host_storage=True, cold=True, suspended=True, needs_controller=frozenset(STOPPED_MODES))
    poll_seconds = 0.02

    def __init__(self, options: SiteOptions) -> None:
        self.clock: Clock = WallClock()
        self._center = VCenter(options)
        self._reader = SnapshotReader(self._center, options)
        self._book = KeptBook(self._center)
        self._claims = ClaimBook(self._center, self._book, self._reader.inventory, options)
        self._moves = Moves(self._center, self._reader.inventory)
        self._detached = DetachedMoves(self._center, self._book, self._reader.inventory)

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Log out. Moves under way go on: vCenter carries them."""
        self._moves.close()
        self._reader.close()
        self._center.close()

    # reading

    def snapshot(self, scope: Scope) -> Site:
        """See ``driver.Driver``."""
        return self._reader.take(scope)

    def in_flight(self) -> tuple[InFlight, ...]:
        """See ``driver.Driver``."""
        return find_in_flight(self._center, self._reader.inventory())

    # moving

    def check(self, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return (self._moves if migration.vm else self._detached).check(migration)

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions = DEFAULTS) -> VmNote:
        """See ``driver.Driver``."""
        return (self._moves if migration.vm else self._detached).write_note(migration, note)

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> Job:
        """See ``driver.Driver``."""
        handle = (self._moves if migration.vm else self._detached).start(migration, note, options)
        return Job(migration, note, self.clock.now(), handle=handle)

    def adopt(self, found: InFlight) -> Job:
        """See ``driver.Driver``. Raises StateConflict for a migration of somebody else."""
        if found.note is None:
            raise StateConflict(f"The migration of {found.vm_name} was started by somebody else; it is not taken over.")
        migration, handle = self._moves.adopt(found, found.note)
        return Job(migration, found.note, found.note.started_at, adopted=True, handle=handle)

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """See ``driver.Driver``."""
        told = {job.migration.id: progress for job, progress in self._polled(jobs)}
        return tuple(told[job.migration.id] for job in jobs)

    def _polled(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Progress]]:
        of_vms, detached = [job for job in jobs if job.migration.vm], [job for job in jobs if not job.migration.vm]
        yield from zip(of_vms, self._moves.poll(of_vms), strict=True)
        yield from zip(detached, self._detached.poll(detached), strict=True)

    def cancel(self, job: Job) -> None:
        """See ``driver.Driver``."""
        (self._moves if job.migration.vm else self._detached).cancel(job)

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """See ``driver.Driver``. vSphere has no call for it: it slows the guest itself where that is needed."""
        text = f"vSphere cannot bring the move of {job.migration.vm_name} to its end by {action.value}."
        raise StateConflict(text, code="capability_missing", hint="Wait, or cancel the move.")

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """See ``driver.Driver``."""
        return (self._moves if migration.vm else self._detached).verify(migration, note)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return (self._moves if migration.vm else self._detached).finish(migration, note)

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return (self._moves if migration.vm else self._detached).rollback(migration, note)

    def drop_home(self, vm: str, host: str) -> None:
        """See ``driver.Driver``."""
        self._moves.drop_home(vm, host)

    # recovery

    def presences(self, vms: Sequence[str]) -> Mapping[str, tuple[Presence, ...]]:
        """See ``driver.Driver``."""
        return find_presences(self._center, self._reader.inventory(), vms)

    def definitions(self) -> Mapping[str, str]:
        """See ``driver.Driver``. vCenter keeps the definitions itself."""
        return {}

    def signs_of_life(self, host: str, vms: Sequence[Vm]) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        raise _left_to_ha(host)

    def check_recovery(self, migration: Migration, definition: str) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        raise _left_to_ha(migration.source_host)

    def recover(self, migration: Migration, definition: str, note: VmNote) -> None:
        """See ``driver.Driver``."""
        raise _left_to_ha(migration.source_host)

    def recoveries(self) -> tuple[RecoveryNote, ...]:
        """See ``driver.Driver``. There are none."""
        return ()

    def write_recovery(self, note: RecoveryNote) -> None:
        """See ``driver.Driver``."""
        raise _left_to_ha(note.host)

    def drop_recovery(self, host: str) -> None:
        """See ``driver.Driver``. There is none."""

    def drop_definition(self, vm: str, host: str) -> Reason | None:
        """See ``driver.Driver``."""
        raise _left_to_ha(host)

    # claims

    def claim(self, claim: Claim, admits: Admission | None = None) -> Reason | None:
        """See ``driver.Driver``."""
        return self._claims.claim(claim, admits)

    def renew(self, claims: Sequence[Claim]) -> None:
        """See ``driver.Driver``."""
        self._claims.renew(claims)

    def release(self, claims: Sequence[Claim]) -> None:
        """See ``driver.Driver``."""
        self._claims.release(claims)

    def claims(self, host: str) -> tuple[Claim, ...]:
        """See ``driver.Driver``."""
        return self._claims.live(host)

    def drop_stale_claims(self) -> None:
        """See ``driver.Driver``."""
        self._claims.drop_stale()

    # maintenance

    def set_maintenance(self, host: str, maintenance: Maintenance) -> None:
        """See ``driver.Driver``. The host enters ESXi's own maintenance mode too, and leaves it."""
        set_maintenance(self._center, self._book, self._reader.inventory(), host, maintenance)

    def set_pool_maintenance(self, pool: str, maintenance: Maintenance) -> None:
        """See ``driver.Driver``."""
        set_pool_maintenance(self._book, self._reader.inventory(), pool, maintenance)

    def delete_volume(self, volume: Volume) -> None:
        """See ``driver.Driver``."""
        delete_volume(self._center, self._reader.inventory(), volume)

    def request_stop(self, host: str, by: str) -> None:
        """See ``driver.Driver``."""
        request_stop(self._book, self._reader.inventory(), host, by)

    def stop_requested(self, host: str) -> str | None:
        """See ``driver.Driver``."""
        return stop_requested(self._book, self._reader.inventory(), host)

    def clear_stop(self, host: str) -> None:
        """See ``driver.Driver``."""
        clear_stop(self._book, self._reader.inventory(), host)


def _left_to_ha(host: str) -> StateConflict:
    text = f"The VMs of the dead host {host} are not started elsewhere by this collection on vSphere."
    return StateConflict(text, code="capability_missing", hint="vSphere HA does that; switch it on for the cluster.")
