# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note in a domain's metadata: every name and every field comes back as it went in."""

from __future__ import annotations

from xml.etree import ElementTree

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.note_text import note_element, read_note
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, Home, NotePhase, VmNote
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(max_size=30)
NOTES = st.builds(
    VmNote,
    operation_id=TEXT,
    controller=st.builds(Controller, host=TEXT, boot_id=TEXT, pid=st.integers(0, 2**22), user=TEXT),
    started_at=st.floats(0, 4e9),
    phase=st.sampled_from(NotePhase),
    source=TEXT,
    target=TEXT,
    autostart=st.booleans(),
    persistent=st.booleans(),
    home=st.none() | st.builds(Home, host=TEXT, pools=st.lists(TEXT, max_size=3).map(tuple), since=st.floats(0, 4e9), away_on=TEXT),
)


@given(NOTES)
def test_a_note_survives_xml_whatever_its_names_are(note: VmNote) -> None:
    element = note_element(note)
    assert element.isascii()
    assert read_note(ElementTree.fromstring(element).text or "") == note


def test_texts_that_are_no_notes_are_none() -> None:
    for text in ("", "{", "[]", "null", "{}", '{"operation_id": 1}', '{"operation_id": "o", "unknown": 1}', "<x/>"):
        assert read_note(text) is None
