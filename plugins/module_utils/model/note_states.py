# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a VM's note says after a move, and after one that did not happen. Pure; the same for all drivers."""

from __future__ import annotations

import dataclasses

from .note import Home, NotePhase, VmNote


def settled_note(note: VmNote, host: str) -> VmNote | None:
    """The note after a move to that host: what matters then is the home alone; without one, or back at it, no note."""
    if note.home is None or note.home.host == host:
        return None
    return _settled(note, dataclasses.replace(note.home, away_on=host))


def note_before(note: VmNote, source: str) -> VmNote | None:
    """The note as it was before a move that did not happen: a home that is elsewhere is an earlier drain's and stays."""
    home: Home | None = note.home
    if home is None or home.host == source:
        return None
    return _settled(note, dataclasses.replace(home, away_on=source))


def _settled(note: VmNote, home: Home) -> VmNote:
    """Without what was of use to the move alone."""
    return dataclasses.replace(note, phase=NotePhase.SETTLED, home=home, stage="", volumes=(), created=(), snapshots=(), current_snapshot="", ejected=())
