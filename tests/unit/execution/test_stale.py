# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that was dead is back: when its definitions may go, when it may open, and what is told loudly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Driver, Presence, Scope
from ansible_collections.vmops.migration.plugins.module_utils.execution.reopening import reopen
from ansible_collections.vmops.migration.plugins.module_utils.execution.stale import find_stale
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostState, Maintenance
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason
from ansible_collections.vmops.migration.plugins.module_utils.model.recovery import RecoveredVm, RecoveryNote
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

RUNNING, OFF = PowerState.RUNNING, PowerState.OFF
NOTE = RecoveryNote("kvm1", (RecoveredVm("1", "web1", "kvm2"),), "op@here", "power switch", since=1.0, operation_id="a")


class Hypervisors:
    """Three hosts after a recovery from kvm1, one of its VMs on them, and what was done."""

    def __init__(self, *presences: Presence, silent: str = "", note: RecoveryNote = NOTE) -> None:
        self._presences, self._silent, self._notes = presences, silent, [note]
        self.done: list[str] = []
        self.claims_dropped = False

    def recoveries(self) -> tuple[RecoveryNote, ...]:
        return tuple(self._notes)

    def snapshot(self, _scope: Scope) -> Site:
        return Site(hosts=tuple(Host(name, state=HostState.UNREACHABLE if name == self._silent else HostState.UP) for name in ("kvm1", "kvm2", "kvm3")))

    @property
    def clock(self) -> Hypervisors:
        return self

    def sleep(self, _seconds: float) -> None:
        """The start that was under way on kvm1 has failed meanwhile."""
        self._presences = tuple(is_on("kvm1", OFF) if found.host == "kvm1" else found for found in self._presences)
        self.done.append("wait")

    def presences(self, vms: Sequence[str]) -> Mapping[str, tuple[Presence, ...]]:
        return {vm: tuple(found for found in self._presences if found.host != self._silent) for vm in vms}

    def drop_definition(self, vm: str, host: str) -> Reason | None:
        self.done.append(f"undefine {vm} on {host}")
        return None

    def drop_recovery(self, host: str) -> None:
        self.done.append(f"forget the recovery of {host}")

    def set_maintenance(self, host: str, _maintenance: Maintenance) -> None:
        self.done.append(f"open {host}")

    def clear_stop(self, host: str) -> None:
        pass

    def drop_stale_claims(self) -> None:
        self.claims_dropped = True

    def open(self, host: str) -> None:
        reopen(cast(Driver, self), (host,))


def is_on(host: str, state: PowerState, *, persistent: bool = True) -> Presence:
    return Presence(host, state, persistent)


def test_a_stale_definition_is_removed_before_the_host_opens() -> None:
    world = Hypervisors(is_on("kvm1", OFF), is_on("kvm2", RUNNING))
    world.open("kvm1")
    assert world.done == ["undefine 1 on kvm1", "forget the recovery of kvm1", "open kvm1"]
    assert world.claims_dropped


def test_a_recovered_vm_that_was_shut_down_since_is_known_by_its_new_definition() -> None:
    world = Hypervisors(is_on("kvm1", OFF), is_on("kvm3", OFF))
    world.open("kvm1")
    assert "undefine 1 on kvm1" in world.done


def test_the_only_definition_of_a_vm_is_kept() -> None:
    world = Hypervisors(is_on("kvm1", OFF))
    world.open("kvm1")
    assert world.done == ["forget the recovery of kvm1", "open kvm1"]


def test_a_vm_that_only_the_returning_host_runs_is_left_alone() -> None:
    world = Hypervisors(is_on("kvm1", RUNNING))
    world.open("kvm1")
    assert world.done == ["forget the recovery of kvm1", "open kvm1"]


def test_a_start_that_fails_on_the_lock_is_waited_for() -> None:
    world = Hypervisors(is_on("kvm1", PowerState.PAUSED), is_on("kvm2", RUNNING))
    world.open("kvm1")
    assert world.done == ["wait", "undefine 1 on kvm1", "forget the recovery of kvm1", "open kvm1"]


def test_another_host_opens_without_a_question() -> None:
    world = Hypervisors(is_on("kvm1", OFF), is_on("kvm2", RUNNING))
    world.open("kvm2")
    assert world.done == ["open kvm2"]


def test_a_vm_that_runs_twice_is_told_loudly_and_nothing_is_stopped() -> None:
    world = Hypervisors(is_on("kvm1", RUNNING), is_on("kvm2", RUNNING))
    with pytest.raises(StateConflict, match="web1 RUNS TWICE, on kvm1 and on kvm2") as refused:
        world.open("kvm1")
    assert refused.value.code == "stale_definitions"
    assert "virsh suspend 1" in refused.value.hint
    assert world.done == []


@pytest.mark.parametrize(
    ("presences", "silent", "code"),
    [
        ((is_on("kvm1", OFF), is_on("kvm2", RUNNING)), "kvm2", "uniqueness_unproven"),
        ((is_on("kvm1", RUNNING), is_on("kvm2", OFF)), "", "also_defined_elsewhere"),
        ((is_on("kvm1", OFF), is_on("kvm2", RUNNING, persistent=False)), "", "not_persistent"),
    ],
    ids=["the host that may run it does not answer", "it runs where it was", "the other one is transient"],
)
def test_what_is_not_proven_keeps_the_host_closed(presences: tuple[Presence, ...], silent: str, code: str) -> None:
    world = Hypervisors(*presences, silent=silent)
    assert [reason.code for reason in find_stale(cast(Driver, world), "kvm1").reasons] == [code]
    with pytest.raises(StateConflict):
        world.open("kvm1")
    assert world.done == []


def test_a_note_that_cannot_be_read_keeps_the_host_closed() -> None:
    world = Hypervisors(note=RecoveryNote("kvm1", why="a note that this version cannot read"))
    with pytest.raises(StateConflict, match="cannot be read"):
        world.open("kvm1")


def test_a_second_recovery_adds_to_the_note_of_the_first() -> None:
    second = RecoveryNote("kvm1", (RecoveredVm("1", "web1", "kvm3"), RecoveredVm("2", "db1", "kvm3")), "op@here", "again", since=2.0, operation_id="b")
    for joined in (NOTE.joined(second), second.joined(NOTE)):
        assert {(vm.id, vm.target) for vm in joined.vms} == {("1", "kvm3"), ("2", "kvm3")}
        assert joined.fenced_by == "again"
