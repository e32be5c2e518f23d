# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What linked clones rest on, compared on both hosts by content: over another template of the same name their data would be garbage (CSK-15)."""

from __future__ import annotations

from ...model.errors import StateConflict
from ...model.progress import Phase
from .cold_move import ColdJob, ColdMove
from .connection import Connection, HostSession
from .stream_copy import VolumeEnd, read_volume
from .volumes import describe, find_volume, pool_above


def compare_backing(move: ColdMove, job: ColdJob) -> None:
    """Read every image below the copied ones on both hosts, unless its pool is the same on both. Raises StateConflict where two differ or one is missing."""
    paths = tuple(dict.fromkeys(path for volume in move.note.volumes for path in images_below(move.source, volume.source_path)))
    apart = tuple(path for path in paths if move.changes_host and _pool_uuid(move.source, path) != _pool_uuid(move.target, path))
    job.compared_bytes = 2 * sum(_length(move.source, path) for path in apart)
    job.phase = Phase.CHECKING
    for path in apart:
        here, there = (read_volume(VolumeEnd(session, path), job.control) for session in (move.source, move.target))
        if (here.length_bytes, here.checksum) != (there.length_bytes, there.checksum):
            text = f"{path}, which a disk of {move.migration.vm_name} rests on, is not the same on {move.source.name} and {move.target.name}."
            raise StateConflict(text, code="backing_differs", hint="Make the two files equal.")


def images_below(session: HostSession, path: str) -> tuple[str, ...]:
    """The chain of images below a volume, nearest first."""

    def follow(connection: Connection) -> tuple[str, ...]:
        found: list[str] = []
        volume = find_volume(connection, path)
        while volume is not None and (lower := describe(volume).backing) and lower not in found:
            found.append(lower)
            volume = find_volume(connection, lower)
        return tuple(found)

    return session.run(f"following the images below {path}", follow)


def _pool_uuid(session: HostSession, path: str) -> str:
    pool = session.run("looking for the pool", lambda connection: pool_above(connection, path))
    return pool.uuid if pool is not None else ""


def _length(session: HostSession, path: str) -> int:
    def look(connection: Connection) -> int:
        volume = find_volume(connection, path)
        return describe(volume).length_bytes if volume is not None else 0

    return session.run("looking at the template", look)
