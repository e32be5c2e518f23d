# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of many objects in few round trips: the PropertyCollector, over a view of the whole inventory or over given objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .connection import Link
from .library import vim, vmodl
from .paths import plain_name

Wants = Mapping[str, Sequence[str]]
"""Paths of leaf properties by the name of the type that has them, such as ``{"HostSystem": ("name", "runtime.connectionState")}``."""


@dataclass(frozen=True)
class Entry:
    """What was read of one object. ``values`` by path; a property that is unset, or may not be read, is absent."""

    moid: str
    kind: str
    ref: Any
    values: Mapping[str, Any]

    def __getitem__(self, path: str) -> Any:
        """The value, or None."""
        return self.values.get(path)

    @property
    def name(self) -> str:
        """Its name as people write it; empty where that was not read."""
        return plain_name(str(self["name"] or ""))


def moid_of(ref: Any) -> str:
    """The id of a managed object, such as ``vm-23``."""
    return str(ref._moId)


def collect(link: Link, wants: Wants) -> dict[str, Entry]:
    """These properties of all objects of these types, by id."""
    kinds = [getattr(vim(), name) for name in wants]
    view = link.content.viewManager.CreateContainerView(link.content.rootFolder, kinds, recursive=True)
    query = vmodl().query.PropertyCollector
    try:
        step = query.TraversalSpec(type=vim().view.ContainerView, path="view", skip=False)
        found = query.ObjectSpec(obj=view, skip=True, selectSet=[step])
        return _retrieve(link, [found], wants)
    finally:
        view.DestroyView()


def read(link: Link, refs: Iterable[Any], kind: str, paths: Sequence[str]) -> dict[str, Entry]:
    """These properties of the given objects of one type, by id; an object that is gone is absent."""
    query = vmodl().query.PropertyCollector
    objects = [query.ObjectSpec(obj=ref, skip=False) for ref in refs]
    return _retrieve(link, objects, {kind: paths}) if objects else {}


def _retrieve(link: Link, objects: list[Any], wants: Wants) -> dict[str, Entry]:
    query = vmodl().query.PropertyCollector
    wanted = [query.PropertySpec(type=getattr(vim(), name), pathSet=list(paths), all=False) for name, paths in wants.items()]
    spec = query.FilterSpec(objectSet=objects, propSet=wanted, reportMissingObjectsInResults=True)
    collector = link.content.propertyCollector
    page = collector.RetrievePropertiesEx([spec], query.RetrieveOptions())
    found: dict[str, Entry] = {}
    while page is not None:
        for content in page.objects:
            values = {one.name: one.val for one in content.propSet}
            found[moid_of(content.obj)] = Entry(moid_of(content.obj), content.obj.__class__.__name__.rpartition(".")[2], content.obj, values)
        page = collector.ContinueRetrievePropertiesEx(page.token) if page.token else None
    return found
