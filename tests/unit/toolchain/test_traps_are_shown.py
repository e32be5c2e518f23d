# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of libvirt's traps and of the kinds of moves name tests of the KVM lab that exist, and every kind of move is in them."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAPER = ROOT / "tests/labs/kvm/README.md"
TRAPS, KINDS = "Traps of libvirt, and the tests that show what we do", "Kinds of moves, and the tests that show them"
COPIES = ("full", "linked", "flatten", "format")


def rows(section: str) -> list[list[str]]:
    """The cells of each row of a section's table, its head left out."""
    text = PAPER.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return found[2:]


def lab_tests() -> set[str]:
    """The tests that run on the lab: all of its own, and those among the integration's that are not of the simulator alone."""
    found = set()
    for folder in ("tests/labs/kvm", "tests/integration"):
        for path in (ROOT / folder).glob("test_*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not any("simulator" in ast.unparse(mark) for mark in node.decorator_list):
                    found.add(node.name)
    return {name for name in found if name.startswith("test_")}


@pytest.mark.parametrize(("section", "count"), [(TRAPS, 32), (KINDS, 8)])
def test_every_row_names_tests_that_exist(section: str, count: int) -> None:
    known, table = lab_tests(), rows(section)
    assert len(table) == count
    for row in table:
        named = re.findall(r"`(test_\w+)`", row[-1])
        assert named, row[0]
        assert not set(named) - known, row[0]


def test_every_kind_of_move_is_shown_or_refused() -> None:
    shown = set()
    for kind, modes, copies, *_rest in rows(KINDS):
        shown |= set(itertools.product([kind], modes.split(", "), copies.split(", ")))
    modes = ("live", "cold", "suspended", "offline")
    wanted = set(itertools.product(["storage", "host_storage"], modes, COPIES)) | {("host", mode, "none") for mode in modes}
    assert wanted <= shown


def test_codes_of_refusals_are_codes_that_we_give() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins/module_utils").rglob("*.py"))
    told = {code for row in rows(TRAPS) + rows(KINDS) for cell in row[:-1] for code in re.findall(r"`([a-z_]+)`", cell)}
    assert len(told) > 5
    assert not {code for code in told if f'"{code}"' not in source}
