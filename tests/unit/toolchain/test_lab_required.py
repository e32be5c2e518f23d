# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab test that would be skipped fails where the lab is required, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]

SKIPPING = """
import pytest

@pytest.fixture
def lab():
    pytest.skip("no root here")

@pytest.mark.kvm
def test_in_the_lab(lab):
    pass

@pytest.mark.skip(reason="something else")
def test_elsewhere():
    pass
"""


@pytest.mark.parametrize(("required", "status", "counts"), [("0", 0, "2 skipped"), ("1", 1, "1 skipped, 1 error")])
def test_required_lab(tmp_path: Path, required: str, status: int, counts: str) -> None:
    """The same file: skipped on a laptop, an error with the reason in CI."""
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "test_skipping.py").write_text(SKIPPING, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  kvm: lab\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "."]
    environment = {**os.environ, "VMOPS_LAB_REQUIRED": required, "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout
    assert counts in done.stdout
    assert ("no root here" in done.stdout) == (required == "1")
