# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/schema/*.schema.json from the dataclasses of the model: ``python tools/make_schemas.py``. A test fails where they are not up to date.

The schemas describe what ``model/codec.py`` writes and reads: fields that hold their default may be left out, unknown ones are refused.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".venv/collections"))

from ansible_collections.vmops.migration.plugins.module_utils.interface.result_form import PoolRunResult, RunResult  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.event import Event  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.outcome import Outcome  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Progress  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.model.target import Target  # noqa: E402

FOLDER = ROOT / "docs/schema"
FORMS: Mapping[str, type] = {
    "event": Event,
    "migration": Migration,
    "outcome": Outcome,
    "pool_result": PoolRunResult,
    "plan": Plan,
    "progress": Progress,
    "reason": Reason,
    "result": RunResult,
    "site": Site,
    "site_options": SiteOptions,
    "target": Target,
}
SCALARS: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON schema of a dataclass, with every dataclass that it holds among its definitions."""
    definitions: dict[str, Any] = {}
    form = _dataclass(kind, definitions)
    definitions.pop(kind.__name__)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind.__name__}
    return {**head, **form, **({"$defs": dict(sorted(definitions.items()))} if definitions else {})}


def _form(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, members = typing.get_origin(kind), typing.get_args(kind)
    if kind in SCALARS:
        return {"type": SCALARS[kind]}
    if origin in (typing.Union, types.UnionType):
        inner = next(member for member in members if member is not types.NoneType)
        return {"anyOf": [_form(inner, definitions), {"type": "null"}]}
    if origin in (tuple, frozenset):
        return {"type": "array", "items": _form(members[0], definitions), **({"uniqueItems": True} if origin is frozenset else {})}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _form(members[1], definitions)}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in definitions:
            _dataclass(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    raise TypeError(f"no schema for {kind!r}")


def _dataclass(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    definitions[kind.__name__] = {}  # its place is taken before its fields are asked, so that a form may hold itself
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    needed = [field.name for field in fields if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING]
    form: dict[str, Any] = {"type": "object"}
    if kind.__doc__:
        form["description"] = " ".join(inspect.cleandoc(kind.__doc__).replace("``", "").split())
    form["properties"] = {field.name: _form(hints[field.name], definitions) for field in fields}
    if needed:
        form["required"] = needed
    form["additionalProperties"] = False
    definitions[kind.__name__] = form
    return form


def texts() -> dict[Path, str]:
    """Every file with the text that it should have."""
    return {FOLDER / f"{name}.schema.json": json.dumps(schema_of(kind), indent=2) + "\n" for name, kind in FORMS.items()}


def main() -> None:
    """Write them all, and remove what is none of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = texts()
    for path in set(FOLDER.glob("*.schema.json")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
