# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Data files of the operator: JSON or YAML by their ending, read with the place of every fault, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from ..model.errors import DriverMissing, InputError

YAML_SUFFIXES = (".yml", ".yaml")


def read_data(path: Path, option: str) -> Any:
    """The data of a file; JSON where its name ends in .json, else YAML. Raises InputError that names the option, the file and the line.

    A key that is there twice is refused: of two entries for one host, one would be lost unseen.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        hint = "Relative paths count from where the module runs; prefer an absolute one."
        raise InputError(option, f"{str(path)!r} cannot be read: {why}.", hint=hint) from None
    return _json(text, path, option) if path.suffix == ".json" else _yaml(text, path, option)


def write_text(path: Path, text: str, option: str, mode: int | None = None) -> None:
    """Write a file in one step, so that nobody ever reads half of it. ``mode``: its permissions; None: as the umask says.

    Raises InputError that names the option.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o666 & ~_umask() if mode is None else mode)
        Path(name).replace(path)
    except OSError as error:
        raise InputError(option, f"{str(path)!r} cannot be written: {error.strerror}.", hint="Name a file in a folder that exists.") from None


def as_text(data: Mapping[str, Any], path: Path) -> str:
    """The data as YAML where the file's name ends so, else as JSON. Raises DriverMissing where YAML is wanted and PyYAML is not installed."""
    if path.suffix not in YAML_SUFFIXES:
        return json.dumps(data, indent=1) + "\n"
    try:
        import yaml
    except ImportError as error:
        raise DriverMissing("PyYAML", str(error), hint=f"It is needed to write {path}; a name that ends in .json needs no library.") from None
    text: str = yaml.dump(dict(data), Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, allow_unicode=True, width=160, explicit_end=True)
    # The mark of the end tells a whole file from one that was cut off between two lines.
    return f"---\n{text}...\n"


def _json(text: str, path: Path, option: str) -> Any:
    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(name for index, (name, _value) in enumerate(pairs) if name in dict(pairs[:index]))
            raise InputError(option, f"{str(path)!r} has the key {twice!r} twice.", code="duplicate_key")
        return found

    try:
        return json.loads(text, object_pairs_hook=checked)
    except json.JSONDecodeError as error:
        raise InputError(option, f"{str(path)!r} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None


def _yaml(text: str, path: Path, option: str) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise DriverMissing("PyYAML", str(error), hint=f"It is needed to read {path}; a JSON file needs no library.") from None
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """A safe loader, the compiled one where there is one, that refuses a key given twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[Hashable] = set()
            for key_node, _value in node.value:
                key = key_node.value if isinstance(key_node.value, str) else None
                if key is not None and key != "<<" and key in seen:
                    where = f"line {key_node.start_mark.line + 1}"
                    raise InputError(option, f"{str(path)!r} has the key {key!r} twice ({where}).", code="duplicate_key")
                seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(option, f"{str(path)!r} is no YAML: {getattr(error, 'problem', None) or 'it does not parse'}{where}.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
