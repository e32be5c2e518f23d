# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form of a VM's note: the model's JSON as the text of one element in the domain's metadata. Pure."""

from __future__ import annotations

import json

from ...model.codec import decode, encode
from ...model.errors import InputError
from ...model.note import VmNote

NAMESPACE = "urn:vmops:migration:1"
"""Says the form of the text, too: another form would get another number."""

PREFIX = "vmops"


def note_element(note: VmNote) -> str:
    """The XML element of a note. JSON in plain ASCII, so that no character of a name can trouble XML."""
    text = json.dumps(encode(note), ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return f"<migration>{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</migration>"


def read_note(text: str) -> VmNote | None:
    """The note of an element's text; None for a text that is no note of ours (another version's, or damaged)."""
    try:
        return decode(VmNote, json.loads(text), "note")
    except (ValueError, InputError):
        return None
