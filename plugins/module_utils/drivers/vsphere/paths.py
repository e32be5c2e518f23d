# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths as the vSphere API writes them, such as ``[store] folder/file.vmdk``. Pure."""

from __future__ import annotations

import re

_ON_DATASTORE = re.compile(r"\[(?P<datastore>[^\]]*)\] ?(?P<path>.*)")


def split_path(path: str) -> tuple[str, str]:
    """The datastore's name, and the path there; empty where it is none."""
    found = _ON_DATASTORE.match(path)
    return (found["datastore"], found["path"].lstrip("/ ")) if found else ("", "")


def datastore_of(path: str) -> str:
    """The datastore's name alone."""
    return split_path(path)[0]
