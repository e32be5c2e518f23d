# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver for KVM hosts that libvirt manages: the contract's methods, each handed to the file that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from ..driver import DEFAULTS, LIGHT, Admission, Clock, Driver, InFlight, Job, Presence, Scope, Verification
from ..wallclock import WallClock
from . import host_notes
from .block import BlockMoves
from .claims import ClaimBook
from .cold import ColdMoves
from .connection import READ_SECONDS, Hosts
from .definitions import read_definitions
from .deleting import delete_volume
from .file_users import UserSearch
from .in_flight import adopted_migration, find_in_flight
from .life import signs_of_life
from .live import LiveMoves
from .live_storage import Keeps
from .pool_notes import set_pool_maintenance
from .recover import check_recovery, drop_definition, presences, recover
from .recovery_notes import joined, put_recovery, read_recoveries, remove_recovery
from .settle import forget_home
from .snapshot import SnapshotReader
from .ways import Ways


class LibvirtDriver:
    """See ``driver.Driver``. Opened with its options (InputError, DriverMissing); connects to a host when it is first asked."""

    name = "libvirt"
    capabilities = Capabilities(live_storage=True, live_host_storage=True, suspended=True, cold=True, post_copy=True, encrypt=True)
    poll_seconds = 0.2

    def __init__(self, options: SiteOptions) -> None:
        self.clock: Clock = WallClock()
        self._hosts = Hosts(options)
        self._reader = SnapshotReader(self._hosts, options)
        self._claims = ClaimBook(self._hosts.get)
        keeps, pools_of = Keeps(), self._reader.pools_of
        self._users = users = UserSearch(self._hosts, self._reader.pool_map)
        self._ways = Ways(ColdMoves(self._hosts, pools_of, keeps, users), BlockMoves(self._hosts, users), LiveMoves(self._hosts, pools_of, keeps, users))

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Peer-to-peer moves go on."""
        self._hosts.close()

    # reading

    def snapshot(self, scope: Scope) -> Site:
        """See ``driver.Driver``."""
        return self._reader.take(scope)

    def in_flight(self) -> tuple[InFlight, ...]:
        """See ``driver.Driver``."""
        return find_in_flight(self._hosts)

    # moving

    def check(self, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return self._ways.of(migration).check(migration, options)

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions = DEFAULTS) -> VmNote:
        """See ``driver.Driver``."""
        return self._ways.of(migration).write_note(migration, note, options)

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> Job:
        """See ``driver.Driver``."""
        return Job(migration, note, self.clock.now(), handle=self._ways.of(migration).start(migration, note, options))

    def adopt(self, found: InFlight) -> Job:
        """See ``driver.Driver``. Raises StateConflict for a migration of somebody else."""
        if found.note is None:
            raise StateConflict(f"The migration of {found.vm_name} was started by somebody else; it is not taken over.")
        migration = adopted_migration(found)
        handle = self._ways.of(migration, found.note).adopt(migration, found, found.note)
        return Job(migration, found.note, found.note.started_at, adopted=True, handle=handle)

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """See ``driver.Driver``."""
        return self._ways.poll(jobs)

    def cancel(self, job: Job) -> None:
        """See ``driver.Driver``."""
        self._ways.of_job(job).cancel(job)

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """See ``driver.Driver``."""
        self._ways.of_job(job).hurry(job, action)

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """See ``driver.Driver``."""
        return self._ways.of(migration, note).verify(migration, note)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return self._ways.of(migration, note).finish(migration, note)

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return self._ways.of(migration, note).rollback(migration, note)

    def drop_home(self, vm: str, host: str) -> None:
        """See ``driver.Driver``."""
        self._hosts.get(host).run("forgetting a home", lambda connection: forget_home(connection, vm))

    # recovery

    def presences(self, vms: Sequence[str]) -> Mapping[str, tuple[Presence, ...]]:
        """See ``driver.Driver``."""
        return presences(self._hosts, tuple(vms))

    def definitions(self) -> Mapping[str, str]:
        """See ``driver.Driver``. Of a VM that two hosts have, the definition of the one where it is active."""
        active = {vm.id: vm.host for vm in self._reader.take(LIGHT).vms}
        found, _silent = self._hosts.on_each(self._hosts.names, lambda session: session.run("reading definitions", read_definitions, READ_SECONDS))
        return {uuid: text for host, texts in found.items() for uuid, text in texts.items() if active.get(uuid, host) == host}

    def signs_of_life(self, host: str, vms: Sequence[Vm]) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return signs_of_life(self._hosts, host, vms)

    def check_recovery(self, migration: Migration, definition: str) -> tuple[Reason, ...]:
        """See ``driver.Driver``."""
        return check_recovery(self._hosts, migration, definition)

    def recover(self, migration: Migration, definition: str, note: VmNote) -> None:
        """See ``driver.Driver``."""
        recover(self._hosts, migration, definition, note)

    def recoveries(self) -> tuple[RecoveryNote, ...]:
        """See ``driver.Driver``."""
        found, _silent = self._hosts.on_each(self._hosts.names, lambda session: session.run("reading notes of recovery", read_recoveries))
        return tuple(joined(note for notes in found.values() for note in notes).values())

    def write_recovery(self, note: RecoveryNote) -> None:
        """See ``driver.Driver``. Raises the error of a host where none could be written, if that leaves no host that has it."""
        others = [name for name in self._hosts.names if name != note.host]
        found, errors = self._hosts.on_each(others, lambda session: session.run("writing a note of recovery", lambda link: put_recovery(link, note)))
        if not found and errors:
            raise next(iter(errors.values()))

    def drop_recovery(self, host: str) -> None:
        """See ``driver.Driver``."""
        self._hosts.on_each(self._hosts.names, lambda session: session.run("removing a note of recovery", lambda link: remove_recovery(link, host)))

    def drop_definition(self, vm: str, host: str) -> Reason | None:
        """See ``driver.Driver``."""
        return self._hosts.get(host).run("removing a stale definition", lambda connection: drop_definition(connection, host, vm))

    # claims and maintenance

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
        self._hosts.on_each(self._hosts.names, lambda session: self._claims.drop_stale(session.name))

    def set_maintenance(self, host: str, maintenance: Maintenance) -> None:
        """See ``driver.Driver``."""
        self._hosts.get(host).run("writing the maintenance note", lambda connection: host_notes.write_maintenance(connection, maintenance))

    def set_pool_maintenance(self, pool: str, maintenance: Maintenance) -> None:
        """See ``driver.Driver``."""
        set_pool_maintenance(self._hosts, pool, maintenance, self._reader.pool_map)

    def delete_volume(self, volume: Volume) -> None:
        """See ``driver.Driver``."""
        delete_volume(self._hosts, volume, self._reader.pool_map, self._users)

    def request_stop(self, host: str, by: str) -> None:
        """See ``driver.Driver``."""
        self._hosts.get(host).run("leaving the stop request", lambda connection: host_notes.write_stop(connection, by))

    def stop_requested(self, host: str) -> str | None:
        """See ``driver.Driver``."""
        return self._hosts.get(host).run("asking for a stop request", host_notes.read_stop)

    def clear_stop(self, host: str) -> None:
        """See ``driver.Driver``."""
        self._hosts.get(host).run("clearing the stop request", host_notes.clear_stop)
