# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The note of a VM in its extraConfig: where it is, and what it says. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ...model.codec import decode, encode
from ...model.errors import InputError
from ...model.note import VmNote

KEY = "vmops.migration.note"


def text_of(extra_config: Iterable[Any] | None) -> str:
    """The note's text among the options; empty for none."""
    return next((str(one.value) for one in extra_config or () if one.key == KEY), "")


def read_note(text: str) -> VmNote | None:
    """The note of a text; None for none, and for one that this version cannot read."""
    try:
        return decode(VmNote, json.loads(text), "note") if text else None
    except (InputError, ValueError):
        return None


def note_of(extra_config: Iterable[Any] | None) -> VmNote | None:
    """The note among the options of a VM."""
    return read_note(text_of(extra_config))


def note_text(note: VmNote | None) -> str:
    """The text to keep; empty removes it, which is how the API removes an option."""
    return json.dumps(encode(note), sort_keys=True, separators=(",", ":")) if note else ""
