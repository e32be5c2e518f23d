# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of stages: a failure is never lost, later stages still run, and a skip is a failure in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[2] / "ci" / "run_stages.py"

STAGES = """
[first]
says = "one"
command = "true"
[second]
says = "two"
command = "{second}"
[third]
says = "three"
command = "touch third-ran"
"""


def run(folder: Path, second: str, *chosen: str, ci: str = "") -> subprocess.CompletedProcess[str]:
    """Run a list whose second stage is given, in a folder of its own."""
    (folder / "list.toml").write_text(STAGES.format(second=second), encoding="utf-8")
    command = [sys.executable, str(RUNNER), "list.toml", *chosen]
    return subprocess.run(command, cwd=folder, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)


def test_all_passed(tmp_path: Path) -> None:
    """Every stage is named with its result, and the end is success."""
    done = run(tmp_path, "true")
    assert done.returncode == 0
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith(("first", "second", "third"))] == ["passed"] * 3


def test_a_failure_fails_the_end_and_the_rest_still_runs(tmp_path: Path) -> None:
    """The stage after the failed one left its mark."""
    done = run(tmp_path, "exit 3")
    assert done.returncode == 1
    assert "FAILED (3)" in done.stdout
    assert (tmp_path / "third-ran").exists()


@pytest.mark.parametrize(("ci", "status", "word"), [("", 0, "skipped"), ("true", 1, "FAILED (77)")])
def test_a_skip_is_a_failure_in_ci(tmp_path: Path, ci: str, status: int, word: str) -> None:
    """A laptop may lack the lab; the project's own checks may not."""
    done = run(tmp_path, "exit 77", ci=ci)
    assert (done.returncode, word in done.stdout) == (status, True)


def test_single_stages_can_be_chosen(tmp_path: Path) -> None:
    """Only the chosen one runs, and a name that is not there is an error that names the choices."""
    assert run(tmp_path, "exit 3", "first").returncode == 0
    assert not (tmp_path / "third-ran").exists()
    wrong = run(tmp_path, "true", "nosuch")
    assert wrong.returncode == 2
    assert "first, second, third" in wrong.stderr
