# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schemas under docs/schema are those of the dataclasses, and hold what the codec writes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ansible_collections.vmops.migration.plugins.module_utils.interface.result_form import PoolResult, PoolRunResult, RunResult
from ansible_collections.vmops.migration.plugins.module_utils.interface.results import as_result, full
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode, encode
from ansible_collections.vmops.migration.plugins.module_utils.model.event import Event, EventKind
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Binding, OrderConstraint, Plan, Unplaced
from ansible_collections.vmops.migration.plugins.module_utils.model.pool_content import Owner, PoolContent
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import hard
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site

ROOT = Path(__file__).parents[3]
PLAN = Plan(
    "p1",
    (Migration("m1", "1", "web", "kvm1", "kvm2"),),
    (OrderConstraint("m1", "m2"),),
    (Unplaced("2", "db", "kvm1", (hard("pinned", "Pinned."),), {"kvm2": (hard("x", "X."),)}),),
    binding=Binding("link", "rack1", 3.0),
)


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("make_schemas", ROOT / "tools/make_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(name: str, data: Any) -> None:
    schema = json.loads((ROOT / f"docs/schema/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema, cls=jsonschema.Draft202012Validator)


def test_they_are_up_to_date() -> None:
    wanted = tool().texts()
    assert {path: path.read_text() for path in (ROOT / "docs/schema").glob("*.json")} == wanted, "run: python tools/make_schemas.py"


def test_the_example_site_holds() -> None:
    data = yaml.safe_load((ROOT / "examples/site.yml").read_text())
    data.pop("simulation", None)
    check("site", data)
    check("site", encode(decode(Site, data)))
    check("site", full(decode(Site, data)))


def test_plans_results_and_events_hold_in_both_forms() -> None:
    check("plan", encode(PLAN))
    check("plan", full(PLAN))
    result = as_result(RunResult(changed=True, plan=PLAN))
    result.pop("warnings")
    check("result", result)
    emptied = as_result(
        PoolRunResult(changed=True, plan=PLAN, remaining=(PoolContent("p", "p/v", "v", Owner.ORPHAN),), pools=(PoolResult("p", "maintenance"),))
    )
    emptied.pop("warnings")
    check("pool_result", emptied)
    check("event", encode(Event(EventKind.PLAN, 1.0, lines=("a", "b"))))


@pytest.mark.parametrize("data", [{}, {"plan_id": 5}, {"plan_id": "p", "moves": []}, {"plan_id": "p", "migrations": [{"id": "m1"}]}])
def test_what_the_codec_refuses_the_schema_refuses_too(data: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check("plan", data)
