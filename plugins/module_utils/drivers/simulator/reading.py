# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a world file as data: JSON or YAML by its name, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...model.errors import DriverMissing, InputError

try:
    import yaml
except ImportError as error:
    YAML_MISSING = str(error)
else:
    YAML_MISSING = ""

OPTION = "site.simulator.world"
YAML_SUFFIXES = (".yml", ".yaml")
YAML_END = "..."
CUT_OFF = "The file may have been cut off; write it anew."


def read_mapping(path: Path) -> Mapping[str, Any]:
    """The data of a world file. Raises InputError that names the file and the line; DriverMissing without PyYAML for a YAML file."""
    text = _text(path)
    data = _from_yaml(path, text) if path.suffix.lower() in YAML_SUFFIXES else _from_json(path, text)
    if not isinstance(data, Mapping):
        raise wrong(path, "the file holds no mapping", "A world is what site_info writes; see docs/simulator.md.")
    return data


def wrong(path: Path, problem: str, hint: str) -> InputError:
    """The error for a file that is there and is no world."""
    return InputError(OPTION, f"{path}: {problem}.", code="world_invalid", hint=hint)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(OPTION, f"{path} does not exist.", code="world_missing", hint="Give the path of a world file, such as site_info writes.") from None
    except OSError as error:
        raise InputError(OPTION, f"{path} cannot be read: {error.strerror}.", code="world_missing") from None
    except UnicodeDecodeError as error:
        raise wrong(path, f"byte {error.start} is no UTF-8 text", "A world is a text file in JSON or YAML.") from None


def _from_json(path: Path, text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise wrong(path, f"the key {key!r} is there twice in one mapping", "One of the two would be lost.")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        raise wrong(path, f"is no JSON: {error}", CUT_OFF) from None


def _from_yaml(path: Path, text: str) -> Any:
    if YAML_MISSING:
        raise DriverMissing("PyYAML", YAML_MISSING, hint="Install it, or write the world as JSON.")
    # The compiled loader, where there is one, is ten times as fast.
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """A safe loader that refuses a key given twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _value in node.value:
                if isinstance(key.value, str) and key.value in seen:
                    raise wrong(path, f"line {key.start_mark.line + 1}: the key {key.value!r} is there twice in one mapping", "One of the two would be lost.")
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    try:
        data = yaml.load(text, Loader=Loader)  # noqa: S506 (it is a safe loader)
    except yaml.YAMLError as error:
        raise wrong(path, f"is no YAML: {' '.join(str(error).split())}", CUT_OFF) from None
    # YAML that is cut off between two lines is still YAML, only less: the mark of a document's end tells that nothing is missing.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or lines[-1].rstrip() != YAML_END:
        raise wrong(path, f"does not end with the line {YAML_END!r}", f"{CUT_OFF} Where it is whole, add that line, YAML's mark of a document's end.")
    return data
