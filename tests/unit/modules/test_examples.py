# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of every module's documentation run as they stand, on the example site, and its action shows nothing that it should not."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.unit.modules.playbooks import ROOT, run_playbook

MODULES = ("find_migration_targets", "host_evacuate", "pool_evacuate", "site_info", "vm_migrate")


@pytest.mark.simulator
@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run(module: str, tmp_path: Path) -> None:
    text = importlib.import_module(f"ansible_collections.vmops.migration.plugins.modules.{module}").EXAMPLES
    (tmp_path / "examples").mkdir()
    shutil.copy(ROOT / "examples/site.yml", tmp_path / "examples/site.yml")
    tasks = yaml.safe_load(text.replace("/tmp/", f"{tmp_path}/"))
    assert any(f"vmops.migration.{module}" in task for task in tasks)
    ran = run_playbook(tmp_path, tasks)
    assert ran.status == 0, ran
    assert ran.left_over == []
    if module == "site_info":
        assert json.loads((tmp_path / "site-today.json").read_text())["hosts"]
