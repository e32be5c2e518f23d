# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the disks of one migration are copied: a pure choice from what the volumes are and what is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from ..model.migration import DiskCopy
from ..model.pool import Volume


class Backing(StrEnum):
    """What a volume rests on: nothing, one base image (a linked clone), or a chain of several (CSK-09)."""

    NONE = "none"
    LINKED = "linked"
    MULTI_LEVEL = "multi_level"


def backing_of(volume: Volume) -> Backing:
    """What the volume rests on."""
    if not volume.backing:
        return Backing.NONE
    return Backing.LINKED if len(volume.backing) == 1 else Backing.MULTI_LEVEL


def disk_copy(moved: Iterable[Volume], *, flatten: bool) -> DiskCopy:
    """How the moved volumes are copied: one linked clone that stays one makes the whole migration incremental (CSK-16)."""
    volumes = tuple(moved)
    if not volumes:
        return DiskCopy.NONE
    if flatten or all(backing_of(volume) is Backing.NONE for volume in volumes):
        return DiskCopy.FULL
    return DiskCopy.INCREMENTAL
