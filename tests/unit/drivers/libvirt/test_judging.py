# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict after a move, for every pair of answers that two hosts can give."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domains import DomainState
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.move_parameters import migration_uri
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.settle import note_before, settled_note
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.verify import judge
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, Home, NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import OperationKind, PowerState

MOVE = Migration("m", "vm", "web1", "kvm1", "kvm2")
RUNNING = DomainState(PowerState.RUNNING, is_active=True, is_persistent=True)
SENDING = DomainState(PowerState.RUNNING, is_active=True, is_persistent=True, job=OperationKind.MIGRATION_OUT)
SWITCHED = DomainState(PowerState.PAUSED, is_active=True, is_persistent=True, is_postcopy=True)
RECEIVING = DomainState(PowerState.PAUSED, is_active=True, is_persistent=False, is_incoming=True, job=OperationKind.MIGRATION_IN)
OFF = DomainState(PowerState.OFF, is_active=False, is_persistent=True)


@pytest.mark.parametrize(
    ("source", "target", "verdict", "final"),
    [
        (RUNNING, None, Verdict.AT_SOURCE, True),
        (RUNNING, OFF, Verdict.AT_SOURCE, True),
        (None, RUNNING, Verdict.ARRIVED, True),
        (OFF, RUNNING, Verdict.ARRIVED, False),
        (SENDING, None, Verdict.IN_FLIGHT, True),
        (SENDING, RECEIVING, Verdict.IN_FLIGHT, True),
        (SWITCHED, RUNNING, Verdict.IN_FLIGHT, True),
        (RUNNING, RECEIVING, Verdict.IN_FLIGHT, False),
        (None, RECEIVING, Verdict.IN_FLIGHT, False),
        (RUNNING, RUNNING, Verdict.ON_BOTH, False),
        (OFF, OFF, Verdict.ON_BOTH, False),
        (None, OFF, Verdict.ARRIVED, False),
        (OFF, None, Verdict.AT_SOURCE, False),
        (None, None, Verdict.NOWHERE, False),
    ],
)
def test_two_answers_make_one_verdict(source: DomainState | None, target: DomainState | None, verdict: Verdict, final: bool) -> None:
    assert judge(MOVE, {"kvm1": source, "kvm2": target}, frozenset()) == (verdict, final)


@pytest.mark.parametrize(
    ("states", "silent", "verdict"),
    [
        ({"kvm1": RUNNING}, {"kvm2"}, Verdict.AT_SOURCE),
        ({"kvm1": SENDING}, {"kvm2"}, Verdict.IN_FLIGHT),
        ({"kvm1": None}, {"kvm2"}, Verdict.UNREACHABLE),
        ({"kvm1": OFF}, {"kvm2"}, Verdict.UNREACHABLE),
        ({"kvm2": RUNNING}, {"kvm1"}, Verdict.UNREACHABLE),
        ({"kvm2": None}, {"kvm1"}, Verdict.UNREACHABLE),
        ({}, {"kvm1", "kvm2"}, Verdict.UNREACHABLE),
    ],
)
def test_a_silent_host_is_never_taken_for_an_empty_one(states: dict[str, DomainState | None], silent: set[str], verdict: Verdict) -> None:
    assert judge(MOVE, states, frozenset(silent))[0] is verdict


def note(home: Home | None) -> VmNote:
    return VmNote("o", Controller(), 1.0, NotePhase.MOVING, "kvm1", "kvm2", home=home)


def test_after_a_move_only_a_home_elsewhere_is_kept() -> None:
    assert settled_note(note(None), "kvm2") is None
    assert settled_note(note(Home("kvm2")), "kvm2") is None
    kept = settled_note(note(Home("kvm1")), "kvm2")
    assert kept
    assert (kept.phase, kept.home) == (NotePhase.SETTLED, Home("kvm1", away_on="kvm2"))


def test_after_a_move_that_did_not_happen_the_note_is_as_it_was() -> None:
    assert note_before(note(None), "kvm1") is None
    assert note_before(note(Home("kvm1")), "kvm1") is None
    kept = note_before(note(Home("kvm9", away_on="kvm1")), "kvm1")
    assert kept
    assert (kept.phase, kept.home) == (NotePhase.SETTLED, Home("kvm9", away_on="kvm1"))


def test_memory_goes_over_the_migration_network_only_if_both_ends_have_one() -> None:
    assert migration_uri("10.0.0.1", "10.0.0.2", "kvm2") == "tcp://10.0.0.2"
    assert migration_uri("fd00::1", "fd00::2", "kvm2") == "tcp://[fd00::2]"
    assert migration_uri("10.0.0.1", "kvm2-migration", "kvm2") == "tcp://kvm2-migration"
    assert migration_uri(None, "10.0.0.2", "kvm2") == "tcp://kvm2"
    assert migration_uri("10.0.0.1", None, "fe80::2") == "tcp://[fe80::2]"
