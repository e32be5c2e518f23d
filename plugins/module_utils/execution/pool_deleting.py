# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes of nobody that an operator has named to be deleted: verified to be that, then deleted, those first that rest on others."""

from __future__ import annotations

from collections.abc import Sequence

from ..drivers.driver import Driver
from ..model.errors import MigrationError, StateConflict
from ..model.note import ClaimKind
from ..model.pool_content import PoolContent
from ..model.reason import Reason, hard
from ..model.site import Site
from .claims import ClaimKeeper
from .pool_holding import hosts_of


def to_delete(contents: Sequence[PoolContent], named: frozenset[str]) -> tuple[PoolContent, ...]:
    """Those of the named volumes (ids) that are there, in the order in which they can be deleted; one that is gone already is well. A VM's disk, whose id may
    be the VM's name for it, is found by its file's name as well.

    Raises StateConflict (``volume_in_use``) for one that a VM needs, or on which a volume rests that is not named.
    """
    found = [content for content in contents if named & {content.volume, *(f"{content.pool}/{name}" for name in _file_names(content.path))}]
    for content in found:
        resting = [volume for volume in content.volumes if volume not in named]
        if content.is_needed or resting:
            users = ", ".join((*(f"VM {name}" for name in content.vms), *resting))
            text = f"delete_orphans: {content.volume} is no orphan: {users} needs it."
            raise StateConflict(text, code="volume_in_use", hint="Take it off the list. Nothing was changed.")
    return tuple(sorted(found, key=lambda content: (len(content.volumes), content.volume)))


def _file_names(path: str) -> tuple[str, str]:
    """The file's name alone, and with its folders in a path such as ``[store] folder/name``."""
    return path.rpartition("/")[2], path.rpartition("] ")[2]


def delete(driver: Driver, keeper: ClaimKeeper, site: Site, contents: Sequence[PoolContent]) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
    """Delete them one by one; the driver asks every host of the pool right before. Gives the ids of what is gone, and why others are not."""
    by_id = {volume.id: volume for volume in site.volumes}
    gone: list[str] = []
    reasons: list[Reason] = []
    for content in contents:
        host = hosts_of(site, content.pool)[0]
        refused = keeper.take(ClaimKind.VOLUME, host, content.volume)
        try:
            if refused is None:
                driver.delete_volume(by_id[content.volume])
                gone.append(content.volume)
        except MigrationError as error:
            refused = hard(error.code, error.message, error.hint)
        finally:
            keeper.give_back(content.volume, ClaimKind.VOLUME)
        if refused is not None:
            reasons.append(refused)
    return tuple(gone), tuple(reasons)
