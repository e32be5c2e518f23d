# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept with hosts and datastores in a custom attribute, changed by one controller at a time.

vCenter has no compare-and-set for attributes, but it has names that are given once: whoever makes the attribute definition ``vmops.migration.lock.<moid>`` has
the lock of that object until it removes it. Each definition has a key of its own, so that a lock that was broken is never taken for a newer one.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ...model.errors import OperationInProgress, StateConflict
from .connection import Link, VCenter
from .errors import failures, of_call
from .host_notes import ATTRIBUTE, CLOSED, Kept, kept_of, kept_text
from .library import vim
from .properties import moid_of, read

Result = TypeVar("Result")

LOCK = f"{ATTRIBUTE}.lock."
ABANDONED_SECONDS = 10.0
"""A lock that somebody holds for as long was left by a process that died: its holder needs it for some calls only."""
WAIT_SECONDS = 60.0


class KeptBook:
    """Reads and changes what is kept with an object."""

    def __init__(self, center: VCenter) -> None:
        self._center = center
        self._key: int | None = None
        self._own: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def read(self, ref: Any) -> Kept:
        """What is kept with the object now."""
        return self._center.run("reading what is kept with it", lambda link: _read(link, ref, self._known_key(link)))

    def read_all(self, refs: Sequence[Any], kind: str) -> dict[str, Kept]:
        """What is kept with each of these objects of one type, by id, in two calls."""

        def ask(link: Link) -> dict[str, Kept]:
            key = self._known_key(link)
            return {moid: kept_of(entry["customValue"], key) for moid, entry in read(link, refs, kind, ["customValue"]).items()}

        return self._center.run("reading what is kept with hosts", ask)

    def change(self, ref: Any, doing: str, change: Callable[[Kept], tuple[Kept, Result]]) -> Result:
        """Read, change and write under the object's lock; gives what the change gives. Raises OperationInProgress where the lock is not to be had."""

        def once(link: Link) -> Result:
            known = self._known_key(link)
            key = _make_attribute(link) if known is None else known
            with _lock(link, moid_of(ref)) as lock:
                before = _read(link, ref, key)
                if before is CLOSED:
                    hint = f"See its custom attribute {ATTRIBUTE} in vCenter; a newer version of this collection may have written it."
                    raise StateConflict("What is kept with a host or datastore cannot be read; it is left as it is.", code="note_unreadable", hint=hint)
                after, result = change(before)
                if after == before:
                    return result
                if not {lock, key} <= {field.key for field in _fields(link)}:
                    self._key = None
                    raise OperationInProgress("the lock was taken away while it was held", hint="Run the task again.")
                _manager(link).SetField(ref, key, kept_text(after))
                return result

        with self._own_lock(moid_of(ref)):  # threads of one process wait for each other here, and not at the server
            return self._center.run(doing, once)

    def _own_lock(self, moid: str) -> threading.Lock:
        with self._guard:
            return self._own.setdefault(moid, threading.Lock())

    def _known_key(self, link: Link) -> int | None:
        """The attribute's key: asked for until there is one, and then believed until a change finds it gone."""
        if self._key is None:
            self._key = _key(link)
        return self._key


def _manager(link: Link) -> Any:
    manager = link.content.customFieldsManager
    if manager is None:
        hint = "Name the vCenter server that manages the host in site.vsphere.hostname."
        raise StateConflict("A single ESXi host keeps no custom attributes, which claims and notes are kept in.", code="capability_missing", hint=hint)
    return manager


def _fields(link: Link) -> list[Any]:
    return list(next(iter(read(link, [_manager(link)], "CustomFieldsManager", ["field"]).values()))["field"] or ())


def _key(link: Link) -> int | None:
    return next((int(field.key) for field in _fields(link) if field.name == ATTRIBUTE), None)


def _make_attribute(link: Link) -> int:
    try:
        return int(_manager(link).AddCustomFieldDef(ATTRIBUTE, vim().ManagedEntity).key)
    except vim().fault.DuplicateName:  # somebody else was first
        found = _key(link)
        if found is None:
            raise
        return found


def _read(link: Link, ref: Any, key: int | None) -> Kept:
    found = read(link, [ref], ref.__class__.__name__.rpartition(".")[2], ["customValue"])
    return kept_of(next(iter(found.values()))["customValue"], key) if found else Kept()


@contextmanager
def _lock(link: Link, moid: str) -> Iterator[int]:
    """Hold the object's lock; gives the key of its definition."""
    key = _acquire(link, moid)
    try:
        yield key
    finally:
        try:
            _manager(link).RemoveCustomFieldDef(key)
        except vim().fault.NotFound:
            pass  # broken by somebody who took us for dead; what we wrote was checked before


def _acquire(link: Link, moid: str) -> int:
    name, until = f"{LOCK}{moid}", time.monotonic() + WAIT_SECONDS
    held: tuple[int, float] | None = None
    while time.monotonic() < until:
        try:
            return int(_manager(link).AddCustomFieldDef(name, vim().ManagedEntity).key)
        except vim().fault.DuplicateName:
            pass
        holder = next((int(field.key) for field in _fields(link) if field.name == name), None)
        now = time.monotonic()
        if holder is None or held is None or held[0] != holder:
            held = (holder, now) if holder is not None else None
        elif now - held[1] > ABANDONED_SECONDS:
            _break(link, holder)
        time.sleep(random.uniform(0.01, 0.1))  # noqa: S311 (no secret: two who wait shall not wake together)
    raise OperationInProgress(f"The lock of {moid} was not to be had for {WAIT_SECONDS:.0f} s.", hint="Run the task again later.")


def _break(link: Link, key: int) -> None:
    try:
        _manager(link).RemoveCustomFieldDef(key)
    except vim().fault.NotFound:
        pass  # given back in this moment
    except failures() as error:
        raise of_call(error, "breaking an abandoned lock", "vCenter") from None
