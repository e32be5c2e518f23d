# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data from a playbook, made ready for ``codec.decode``: what templates and YAML do to numbers is undone where the field says what it is.

Before ansible-core 2.19 every template gives text, so ``memory_mib: "{{ ... }}"`` arrives as ``"4096"``. YAML in turn reads ``os_version: 12`` as a
number. A fraction is never turned into text: ``22.10`` has lost its zero by then.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import BOOLEANS_FALSE, BOOLEANS_TRUE


def prepared(kind: Any, data: Any) -> Any:
    """The data with None left out of mappings, and with texts and numbers turned into each other where ``kind`` wants that; else unchanged."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        members = [member for member in typing.get_args(kind) if member is not types.NoneType]
        return None if data is None else prepared(members[0], data)
    if isinstance(data, Mapping):
        return _mapping(kind, origin, data)
    if isinstance(data, list | tuple) and origin in (tuple, frozenset):
        return [prepared(typing.get_args(kind)[0], entry) for entry in data]
    return _scalar(kind, data)


def _mapping(kind: Any, origin: Any, data: Mapping[Any, Any]) -> dict[str, Any]:
    given = {str(key): value for key, value in data.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return {key: prepared(hints.get(key, Any), value) for key, value in given.items() if value is not None}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        item = typing.get_args(kind)[1]
        # `kvm1:` with nothing below it is None in YAML, and means: nothing special about it
        return {key: prepared(item, {} if value is None and dataclasses.is_dataclass(item) else value) for key, value in given.items()}
    return given


def _scalar(kind: Any, data: Any) -> Any:
    if kind is str and isinstance(data, int) and not isinstance(data, bool):
        return str(data)
    if kind is bool and isinstance(data, str):
        lowered = data.strip().lower()
        return True if lowered in BOOLEANS_TRUE else False if lowered in BOOLEANS_FALSE else data
    if kind in (int, float) and isinstance(data, str):
        return _number(kind, data)
    return data


def _number(kind: Callable[[str], Any], text: str) -> Any:
    try:
        return kind(text.strip())
    except ValueError:
        return text
