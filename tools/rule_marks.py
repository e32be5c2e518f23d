# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the marks of the catalogue's numbers in the tests, by reading them: nothing is imported or run.

A test that proves a statement carries ``@pytest.mark.rule("CSV-10", sign="-")``: one mark per number, ``+`` where the test shows what is allowed or done,
``-`` where it shows what is refused or left undone.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tests/unit", "tests/integration", "tests/labs")


@dataclasses.dataclass(frozen=True)
class Mark:
    """One mark of one test: the catalogue's number, ``+`` or ``-`` (empty where it was forgotten), the file below the root and the test's name."""

    number: str
    sign: str
    path: str
    test: str


@dataclasses.dataclass(frozen=True)
class MarkedTest:
    """A test function with its marks; ``most_numbers`` is how many numbers its richest case carries, ``literals`` the texts that stand in it."""

    path: str
    name: str
    marks: tuple[Mark, ...]
    most_numbers: int
    literals: frozenset[str]


def marked_tests(folders: Iterable[str] = FOLDERS) -> tuple[MarkedTest, ...]:
    """All tests that carry a mark, by file and name."""
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("test_*.py"))
    return tuple(test for path in files for test in _tests_of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))


def signs(tests: Iterable[MarkedTest]) -> dict[str, set[str]]:
    """Number -> the signs that it has."""
    found: dict[str, set[str]] = {}
    for test in tests:
        for mark in test.marks:
            found.setdefault(mark.number, set()).add(mark.sign)
    return found


def _tests_of(path: str, text: str) -> Iterator[MarkedTest]:
    tree = ast.parse(text)
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            own, alternatives = _marks_of(node)
            if own or alternatives:
                every = {*own, *(pair for pairs in alternatives for pair in pairs)}
                marks = tuple(Mark(number, sign, path, node.name) for number, sign in sorted(every))
                richest = max((len({number for number, _sign in (*own, *pairs)}) for pairs in alternatives), default=len({number for number, _sign in own}))
                yield MarkedTest(path, node.name, marks, richest, _literals(node, constants))


def _marks_of(function: ast.FunctionDef) -> tuple[list[tuple[str, str]], list[list[tuple[str, str]]]]:
    """The marks of all cases of a test, and those of each ``pytest.param`` that has some of its own."""
    alternatives = [
        call for decorator in function.decorator_list for call in ast.walk(decorator) if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.param"
    ]
    inside = {id(node) for call in alternatives for node in ast.walk(call)}
    own = [pair for decorator in function.decorator_list for pair in _pairs(node for node in ast.walk(decorator) if id(node) not in inside)]
    return own, [pairs for call in alternatives if (pairs := list(_pairs(ast.walk(call))))]


def _pairs(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.rule":
            sign = next((ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg == "sign"), "")
            for argument in node.args:
                yield ast.literal_eval(argument), sign


def _constants(tree: ast.Module) -> dict[str, set[str]]:
    """The texts in what a file defines outside its tests, by name: tables of cases, and helpers that assert."""
    found: dict[str, set[str]] = {}
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("test_"):
            names = [node.name]
        for name in names:
            found[name] = _texts(node)
    return found


def _literals(function: ast.FunctionDef, constants: dict[str, set[str]]) -> frozenset[str]:
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return frozenset(_texts(function).union(*(constants[name] for name in used & set(constants))))


def _texts(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}
