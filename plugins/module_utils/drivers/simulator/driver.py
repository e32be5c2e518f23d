# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator: a driver like any other, whose hypervisors are a file and a clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from ...model.capabilities import Capabilities
from ...model.errors import MoveFailed, StateConflict
from ...model.host import Maintenance
from ...model.intent import TimeoutAction
from ...model.migration import Migration
from ...model.note import Claim, NotePhase, VmNote
from ...model.options import SiteOptions
from ...model.pool import Volume
from ...model.progress import Progress
from ...model.reason import Reason, hard
from ...model.recovery import RecoveryNote
from ...model.request import MoveOptions
from ...model.site import Site
from ...model.vm import Vm
from ..driver import DEFAULTS, Admission, Clock, InFlight, Job, Presence, Scope, Verification
from . import claiming, deleting, moves, recovering, settling, view
from .copies import adopted
from .engine import Engine
from .moment import Moment
from .order import Order, order_of
from .possible import obstacles

REAL_POLL_SECONDS = 0.075


class SimulatorDriver:
    """See ``drivers/driver.py``. Only verbs of change write the state file; may be used by several threads."""

    name = "simulator"
    capabilities = Capabilities(
        live_host=True,
        live_storage=True,
        live_host_storage=True,
        cold=True,
        suspended=True,
        post_copy=True,
        encrypt=True,
        needs_controller=frozenset(),
    )

    def __init__(self, options: SiteOptions) -> None:
        self._options = options
        self._engine = Engine(options.simulator)
        self._watch = claiming.new_watch()
        self.clock: Clock = self._engine.clock
        self.poll_seconds = REAL_POLL_SECONDS * options.simulator.speed

    def __enter__(self) -> SimulatorDriver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is kept open; moves go on by themselves, because they are a function of time."""

    def snapshot(self, scope: Scope) -> Site:
        """See the contract."""
        return view.snapshot(self._engine.moment(), scope, self._options)

    def check(self, migration: Migration, options: MoveOptions) -> tuple[Reason, ...]:
        """See the contract."""
        return tuple(self._obstacles(self._engine.moment(), order_of(migration, "", options)))

    def write_note(self, migration: Migration, note: VmNote, options: MoveOptions = DEFAULTS) -> VmNote:  # noqa: ARG002 (the contract's)
        """See the contract."""
        with self._engine.changing() as draft:
            return settling.put_note(draft, migration, note)

    def start(self, migration: Migration, note: VmNote, options: MoveOptions) -> Job:
        """See the contract. What the hypervisors refuse shows as the job's end, not here."""
        order = order_of(migration, note.operation_id, options)
        with self._engine.changing() as draft:
            moves.check_order(draft.moment, order)
            kept = draft.moment.vm(migration.vm).note if migration.vm else draft.state.volume_notes.get(order.subject)
            if kept is None or kept.operation_id != note.operation_id or kept.phase is not NotePhase.MOVING:
                what = "VM" if migration.vm else "Volume"
                raise StateConflict(f"{what} {migration.vm_name} does not carry the note of this move.", hint="Write the note first.")
            move = moves.begin(draft, order)
        return Job(migration, note, move.started_at, handle=move.id)

    def adopt(self, found: InFlight) -> Job:
        """See the contract."""
        note = found.note
        if note is None:
            raise StateConflict(f"The migration of {found.vm_name} is not ours.", hint="Wait for it.")
        return Job(adopted(found, note), note, note.started_at, adopted=True)

    def poll(self, jobs: Sequence[Job]) -> tuple[Progress, ...]:
        """See the contract. Raises HostUnreachable where a job's source does not answer."""
        moment = self._engine.moment()
        return tuple(moves.sample(moment, job) for job in jobs)

    def cancel(self, job: Job) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            moves.abort(draft, job)

    def hurry(self, job: Job, action: TimeoutAction) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            moves.hurry(draft, job, action)

    def verify(self, migration: Migration, note: VmNote) -> Verification:
        """See the contract."""
        return settling.verify(self._engine.moment(), migration, note)

    def finish(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See the contract."""
        with self._engine.changing() as draft:
            return settling.finish(draft, migration, note)

    def rollback(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """See the contract."""
        with self._engine.changing() as draft:
            return settling.roll_back(draft, migration, note)

    def drop_home(self, vm: str, host: str) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            settling.forget_home(draft, vm, host)

    def in_flight(self) -> tuple[InFlight, ...]:
        """See the contract."""
        return moves.flights(self._engine.moment())

    def presences(self, vms: Sequence[str]) -> Mapping[str, tuple[Presence, ...]]:
        """See the contract."""
        return recovering.presences(self._engine.moment(), vms)

    def definitions(self) -> Mapping[str, str]:
        """See the contract."""
        return recovering.definitions(self._engine.moment())

    def signs_of_life(self, host: str, vms: Sequence[Vm]) -> tuple[Reason, ...]:
        """See the contract."""
        return tuple(recovering.signs_of_life(self._engine.moment(), host, vms))

    def check_recovery(self, migration: Migration, definition: str) -> tuple[Reason, ...]:
        """See the contract."""
        return recovering.check(self._engine.moment(), migration, definition)

    def recover(self, migration: Migration, definition: str, note: VmNote) -> None:
        """See the contract."""
        refused: MoveFailed | None = None
        with self._engine.changing() as draft:
            try:
                recovering.recover(draft, migration, definition, note)
            except MoveFailed as error:
                refused = error  # that it was refused is part of the world's state
        if refused is not None:
            raise refused

    def recoveries(self) -> tuple[RecoveryNote, ...]:
        """See the contract."""
        return tuple(self._engine.moment().state.recoveries.values())

    def write_recovery(self, note: RecoveryNote) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            recovering.write_note(draft, note)

    def drop_recovery(self, host: str) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            recovering.drop_note(draft, host)

    def drop_definition(self, vm: str, host: str) -> Reason | None:
        """See the contract."""
        with self._engine.changing() as draft:
            return recovering.drop_definition(draft, vm, host)

    def claim(self, claim: Claim, admits: Admission | None = None) -> Reason | None:
        """See the contract."""
        with self._engine.changing() as draft:
            host = view.host_with_overlay(draft.moment, claim.host, self._options)
            return claiming.make(draft, self._watch, claim, host, admits)

    def renew(self, claims: Sequence[Claim]) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            claiming.renew(draft, claims)

    def release(self, claims: Sequence[Claim]) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            claiming.release(draft, claims)

    def claims(self, host: str) -> tuple[Claim, ...]:
        """See the contract."""
        moment = self._engine.moment()
        moment.require(host)
        return claiming.live_claims(moment, self._watch, host)

    def drop_stale_claims(self) -> None:
        """See the contract."""
        if claiming.has_stale(self._engine.moment(), self._watch):
            with self._engine.changing() as draft:
                claiming.drop_stale(draft, self._watch)

    def set_maintenance(self, host: str, maintenance: Maintenance) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            claiming.set_maintenance(draft, host, maintenance)

    def set_pool_maintenance(self, pool: str, maintenance: Maintenance) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            claiming.set_pool_maintenance(draft, pool, maintenance)

    def delete_volume(self, volume: Volume) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            deleting.delete(draft, volume)

    def request_stop(self, host: str, by: str) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            claiming.request_stop(draft, host, by)

    def stop_requested(self, host: str) -> str | None:
        """See the contract."""
        moment = self._engine.moment()
        moment.require(host)
        return moment.state.stops.get(host)

    def clear_stop(self, host: str) -> None:
        """See the contract."""
        with self._engine.changing() as draft:
            claiming.clear_stop(draft, host)

    def _obstacles(self, moment: Moment, order: Order) -> Iterator[Reason]:
        moves.check_order(moment, order)
        yield from obstacles(moment, order)
        for fault in moment.disturbances.failing_checks(order.subject, order.target, moment.at):
            text = fault.message or f"The pre-check of {moves.name_of(moment, order)} onto {order.target} failed."
            yield hard("check_failed", text, "Choose another target.")
