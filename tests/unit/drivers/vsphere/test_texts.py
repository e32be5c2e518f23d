# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept with hosts as text, and which virtual hardware a release of ESXi runs."""

from __future__ import annotations

import json

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.host_notes import Kept, kept_text, read_kept
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.host_reader import hardware_of
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.paths import datastore_of
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.vm_notes import note_text, read_note
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, Controller, NotePhase, VmNote

CONTROLLER = Controller("awx1", "boot", "ns", 7, 1, "operator")


def test_what_is_kept_reads_as_it_was_written() -> None:
    claim = Claim(ClaimKind.MEMORY, "esx1", "vm-7", "op1", CONTROLLER, 1.0, 2.0, 64)
    kept = Kept(Maintenance(MaintenanceState.PREPARING, "me", 'why "so"'), (claim,), "a colleague")
    assert read_kept(kept_text(kept)) == kept


def test_nothing_is_kept_as_nothing() -> None:
    assert kept_text(Kept()) == ""
    assert read_kept("") == Kept()


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"claims": 3}', '{"unknown": 1}'])
def test_what_cannot_be_read_closes_a_host_and_is_no_note_of_a_vm(text: str) -> None:
    assert read_kept(text).maintenance.state is MaintenanceState.PREPARING
    assert read_note(text) is None


def test_a_note_reads_as_it_was_written() -> None:
    note = VmNote("op1", CONTROLLER, 1.0, NotePhase.MOVING, "esx1", "esx2")
    assert read_note(note_text(note)) == note
    assert json.loads(note_text(note))["target"] == "esx2"
    assert note_text(None) == ""


@pytest.mark.parametrize(
    ("version", "number"),
    [("8.0.3", 21), ("8.0.2", 21), ("8.0.1", 20), ("8.0.0", 20), ("7.0.3", 19), ("7.0.0", 17), ("6.7.0", 14), ("6.5.0", 13), ("9.0.0", None), ("", None)],
)
def test_the_newest_virtual_hardware_of_a_release(version: str, number: int | None) -> None:
    assert hardware_of(version) == number


@pytest.mark.parametrize(("path", "name"), [("[shared] web1/web1.vmdk", "shared"), ("[a b] x", "a b"), ("[] x", ""), ("x", "")])
def test_the_datastore_of_a_path(path: str, name: str) -> None:
    assert datastore_of(path) == name
