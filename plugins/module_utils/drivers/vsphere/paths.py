# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths as the vSphere API writes them, such as ``[store] folder/file.vmdk``. Pure."""

from __future__ import annotations

import re

_ON_DATASTORE = re.compile(r"\[(?P<datastore>[^\]]*)\] ?(?P<path>.*)")


_ESCAPES = {"%25": "%", "%2f": "/", "%5c": "\\"}
_ESCAPE = re.compile("|".join(_ESCAPES), re.IGNORECASE)


def plain_name(name: str) -> str:
    """A name as people write it: the API escapes percent signs and slashes of both kinds in it (vSphere Web Services API reference, ManagedEntity.name)."""
    return _ESCAPE.sub(lambda found: _ESCAPES[found[0].lower()], name)


def split_path(path: str) -> tuple[str, str]:
    """The datastore's name, and the path there; empty where it is none."""
    found = _ON_DATASTORE.match(path)
    return (found["datastore"], found["path"].lstrip("/ ")) if found else ("", "")


def datastore_of(path: str) -> str:
    """The datastore's name alone."""
    return split_path(path)[0]
