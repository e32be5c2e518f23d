# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation and argument specs say the same, and the same as the model."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vmops.migration.plugins.module_utils.interface import arguments
from ansible_collections.vmops.migration.plugins.module_utils.model.options import (
    HostOptions,
    LinkOptions,
    PoolOptions,
    SimulatorOptions,
    SiteOptions,
    VmOptions,
)
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Limits

PLUGINS = "ansible_collections.vmops.migration.plugins"
SPECS = {
    "find_migration_targets": arguments.find_spec(),
    "host_evacuate": arguments.evacuate_spec(),
    "pool_evacuate": arguments.pool_spec(),
    "site_info": arguments.info_spec(),
    "systemvm_migrate": arguments.system_vm_spec(),
    "vm_migrate": arguments.migrate_spec(),
    "volume_migrate": arguments.volume_spec(),
}
FOLDER = Path(__file__).parents[3] / "plugins"


def documented(module: str) -> dict[str, Any]:
    """The module's options with those of its fragments."""
    page = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION)
    options = dict(page["options"])
    for name in page["extends_documentation_fragment"]:
        _namespace, _collection, fragment, *variant = name.split(".")
        texts = importlib.import_module(f"{PLUGINS}.doc_fragments.{fragment}").ModuleDocFragment
        options.update(yaml.safe_load(getattr(texts, variant[0].upper() if variant else "DOCUMENTATION"))["options"])
    return options


def check_alike(spec: Mapping[str, Any], options: Mapping[str, Any], path: str = "") -> None:
    assert set(spec) == set(options), path
    for name, form in spec.items():
        option = options[name]
        for part, otherwise in (("type", "str"), ("required", False), ("default", None), ("choices", None), ("elements", None)):
            assert form.get(part, otherwise) == option.get(part, otherwise), f"{path}{name}: {part}"
        check_alike(form.get("options", {}), option.get("suboptions", {}), f"{path}{name}.")


def test_every_module_has_a_spec_and_an_action_of_its_name() -> None:
    modules = {path.stem for path in (FOLDER / "modules").glob("*.py")}
    assert modules == set(SPECS)
    assert modules == {path.stem for path in (FOLDER / "action").glob("*.py")}


@pytest.mark.parametrize("module", SPECS)
def test_documented_options_are_those_of_the_spec(module: str) -> None:
    check_alike(SPECS[module], documented(module))


def test_the_site_option_is_the_models() -> None:
    options = documented("site_info")["site"]["suboptions"]
    assert set(options) == set(SiteOptions.__dataclass_fields__)
    assert set(options["simulator"]["suboptions"]) == set(SimulatorOptions.__dataclass_fields__)
    default = SiteOptions("x")
    for name in ("profile", "connect_timeout_seconds"):
        assert options[name]["default"] == getattr(default, name)
    assert options["simulator"]["suboptions"]["speed"]["default"] == default.simulator.speed


@pytest.mark.parametrize(("option", "kind"), [("hosts", HostOptions), ("pools", PoolOptions), ("vms", VmOptions), ("links", LinkOptions), ("limits", Limits)])
def test_every_field_of_a_free_mapping_is_named_in_its_description(option: str, kind: Any) -> None:
    text = " ".join(documented("site_info")["site"]["suboptions"][option]["description"])
    missing = [name for name in kind.__dataclass_fields__ if f"C({name})" not in text]
    assert missing == []


@pytest.mark.parametrize("module", SPECS)
def test_return_values_are_documented_with_type_and_when(module: str) -> None:
    returned = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{module}").RETURN)
    for name, value in returned.items():
        assert {"description", "returned", "type"} <= set(value), name
