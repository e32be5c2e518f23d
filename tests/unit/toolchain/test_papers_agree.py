# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that say the same thing twice say it alike: requirements, the action group, what stays out of git and of the archive."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def entries(name: str) -> set[str]:
    """The lines of a file that are neither empty nor comments."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_the_execution_environment_gets_what_a_controller_gets() -> None:
    """Everything but ansible-core itself, which every execution environment has."""
    on_a_controller = entries("requirements/run.txt") | entries("requirements/libvirt.txt") | entries("requirements/vsphere.txt")
    assert entries("meta/ee-requirements.txt") == {line for line in on_a_controller if not line.startswith("ansible-core")}


def test_every_module_is_in_the_action_group() -> None:
    """So that one module_defaults entry tells all of them which site they look after."""
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    assert {path.stem for path in (ROOT / "plugins/modules").glob("*.py")} == set(runtime["action_groups"]["all"])


def test_what_git_ignores_stays_out_of_the_archive() -> None:
    """Whatever the commands make is in neither."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    ignored = {line.strip("/") for line in entries(".gitignore")} - {"__pycache__", "*.pyc"}  # these two the packer leaves out by itself
    assert ignored <= set(galaxy["build_ignore"])
