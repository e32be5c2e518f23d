# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dataclasses to and from JSON data: without loss, and with the path of the field in every error.

A dataclass of ``model`` is its own schema: field names, types and defaults. Supported types: ``str``, ``int``, ``float``, ``bool``, ``X | None``,
``StrEnum``, ``tuple[X, ...]``, ``frozenset[str]``, ``Mapping[str, X]``, dataclasses, and ``Any`` for opaque data.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .errors import InputError

T = TypeVar("T")
Decoder = Callable[[Any, str], Any]


def encode(value: Any) -> Any:
    """JSON data (dict, list, str, int, float, bool, None) of a model value; sets are sorted, fields that hold their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: encode(item) for name, item, default in _fields_of(value) if item != default}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], data: Any, path: str = "") -> T:
    """Build a ``kind`` from JSON data. Raises InputError that names the path of the first unknown, missing or wrong field."""
    form: Any = kind
    result: T = _decoder(form)(data, path)
    return result


def _fields_of(value: Any) -> list[tuple[str, Any, Any]]:
    kind: Any = type(value)
    return [(name, getattr(value, name), default) for name, default in _defaults(kind)]


@functools.cache
def _defaults(kind: type) -> tuple[tuple[str, Any], ...]:
    pairs = []
    for field in dataclasses.fields(kind):
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        pairs.append((field.name, default))
    return tuple(pairs)


@functools.cache
def _decoder(kind: Any) -> Decoder:
    origin = typing.get_origin(kind)
    if kind is Any:
        return lambda data, _path: data
    if origin in (typing.Union, types.UnionType):
        return _optional(kind)
    if origin is tuple:
        return _sequence(typing.get_args(kind)[0], tuple)
    if origin is frozenset:
        return _sequence(typing.get_args(kind)[0], frozenset)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(typing.get_args(kind)[1])
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)  # type: ignore[arg-type]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enumeration(kind)
    if kind in (str, int, float, bool):
        return functools.partial(_scalar, kind)
    raise TypeError(f"no JSON form for {kind!r}")


def _optional(kind: Any) -> Decoder:
    members = [member for member in typing.get_args(kind) if member is not types.NoneType]
    if len(members) != 1:
        raise TypeError(f"no JSON form for {kind!r}")
    inner = _decoder(members[0])
    return lambda data, path: None if data is None else inner(data, path)


def _sequence(item: Any, build: Callable[[Any], Any]) -> Decoder:
    inner = _decoder(item)

    def decode_sequence(data: Any, path: str) -> Any:
        if not isinstance(data, list | tuple):
            raise InputError(path or "file", f"expected a list, got {_shown(data)}.")
        return build(inner(entry, f"{path}[{index}]") for index, entry in enumerate(data))

    return decode_sequence


def _mapping(item: Any) -> Decoder:
    inner = _decoder(item)

    def decode_mapping(data: Any, path: str) -> Any:
        if not isinstance(data, Mapping):
            raise InputError(path or "file", f"expected a mapping, got {_shown(data)}.")
        return {str(key): inner(entry, _join(path, str(key))) for key, entry in data.items()}

    return decode_mapping


def _enumeration(kind: type[enum.Enum]) -> Decoder:
    members = {member.value: member for member in kind}

    def decode_enumeration(data: Any, path: str) -> Any:
        try:
            return members[data]
        except (KeyError, TypeError):
            raise InputError(path, f"{_shown(data)} is not one of {', '.join(map(str, members))}.") from None

    return decode_enumeration


def _scalar(kind: type, data: Any, path: str) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if isinstance(data, kind) and (kind is bool or not isinstance(data, bool)):
        return data
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    raise InputError(path or "file", f"expected {names[kind]}, got {_shown(data)}.")


def _dataclass(kind: type) -> Decoder:
    # The hints are resolved at first use, so that a dataclass may refer to itself.
    @functools.cache
    def members() -> dict[str, Decoder]:
        hints = typing.get_type_hints(kind)
        return {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind)}

    needed = tuple(field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)

    def decode_dataclass(data: Any, path: str) -> Any:
        if not isinstance(data, Mapping):
            raise InputError(path or "file", f"expected a mapping, got {_shown(data)}.")
        known = members()
        for key in data:
            if key not in known:
                raise InputError(_join(path, str(key)), "unknown field.", hint=f"Known fields: {', '.join(known)}.")
        for name in needed:
            if name not in data:
                raise InputError(_join(path, name), "required field is missing.")
        return kind(**{key: known[key](entry, _join(path, key)) for key, entry in data.items()})

    return decode_dataclass


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else f"{text[:57]}..."
