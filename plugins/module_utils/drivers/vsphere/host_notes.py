# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept with a host or a datastore in a custom attribute: the maintenance note, claims and a stop request, as one text. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...model.codec import decode, encode
from ...model.errors import InputError
from ...model.host import Maintenance, MaintenanceState
from ...model.note import Claim, VmNote

ATTRIBUTE = "vmops.migration"
"""The custom attribute's name, for hosts and for datastores alike."""


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept with one host or datastore. ``stop_by``: who asked to stop its drain. ``volumes``: notes of disks of no VM that are on their way into
    this datastore, by the id that each has where it comes from.
    """

    maintenance: Maintenance = field(default_factory=Maintenance)
    claims: tuple[Claim, ...] = ()
    stop_by: str = ""
    volumes: Mapping[str, VmNote] = field(default_factory=dict)

    def with_volume(self, volume: str, note: VmNote | None) -> Kept:
        """The same with this note of a volume, or without one."""
        others = {name: kept for name, kept in self.volumes.items() if name != volume}
        return dataclasses.replace(self, volumes=others if note is None else {**others, volume: note})


CLOSED = Kept(Maintenance(MaintenanceState.PREPARING, why="what is kept with it cannot be read by this version"))
"""What is taken of a text that cannot be read: whoever wrote it may have closed the host."""


def read_kept(text: str) -> Kept:
    """What a text says; ``CLOSED`` where this version cannot read it."""
    try:
        return decode(Kept, json.loads(text), "kept") if text else Kept()
    except (InputError, ValueError):
        return CLOSED


def kept_text(kept: Kept) -> str:
    """The text to keep; empty where there is nothing."""
    return "" if kept == Kept() else json.dumps(encode(kept), sort_keys=True, separators=(",", ":"))


def kept_of(values: Iterable[Any] | None, key: int | None) -> Kept:
    """What an object's custom values hold under the attribute's key (None: there is no such attribute yet)."""
    return read_kept(next((str(one.value) for one in values or () if one.key == key), ""))


def with_claim(kept: Kept, claim: Claim) -> Kept:
    """The same with a claim added."""
    return dataclasses.replace(kept, claims=(*kept.claims, claim))
