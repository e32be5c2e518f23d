# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no module calls fulfils nothing: a function of ``rules/`` is asked by the rulebook or used on the floors above, or its statements say who will."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK
from ansible_collections.vmops.migration.plugins.module_utils.rules.statements import STATEMENTS

SOURCE = Path(__file__).parents[3] / "plugins/module_utils"
NUMBER = re.compile(r"(?:CSV|CSK|PCD|CSH|CAS)-\d\d")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _names(node: ast.AST) -> set[str]:
    """Every name that is used there, with a module before it or without."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


def _imported(path: Path) -> Iterator[Path]:
    """Files of ``module_utils`` that a file imports, as relative imports have it."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split(".")) if node.module else path.parents[node.level - 1]
            yield from (found for found in (folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)) if found.is_file())


def _above() -> set[Path]:
    """The files of interface and execution, and those of planning that they come to."""
    reached = {path for floor in ("interface", "execution") for path in (SOURCE / floor).rglob("*.py")}
    ahead = list(reached)
    while ahead:
        for found in _imported(ahead.pop()):
            if found.parent.name == "planning" and found not in reached:
                reached.add(found)
                ahead.append(found)
    return reached


def unreached(functions: dict[str, ast.FunctionDef], roots: Iterable[str]) -> set[str]:
    """The functions that neither a root nor a reached function names."""
    ahead, left = list(roots), dict(functions)
    while ahead:
        function = left.pop(ahead.pop(), None)
        if function is not None:
            ahead += _names(function)
    return set(left)


def test_what_is_said_to_be_fulfilled_is_called_by_somebody() -> None:
    nodes = (node for path in sorted((SOURCE / "rules").glob("*.py")) for node in _tree(path).body)
    functions = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    roots = {rule.check.__name__ for rule in RULEBOOK}.union(*(_names(_tree(path)) for path in _above()))
    waiting = {statement.number for statement in STATEMENTS if statement.waits_for}
    wrong = {name: sorted(numbers) for name in unreached(functions, roots) if (numbers := set(NUMBER.findall(ast.unparse(functions[name]))) - waiting)}
    assert not wrong, "nobody calls these, and the statements that they name do not say for whom they wait (waits_for)"


def test_a_function_that_nobody_calls_is_noticed() -> None:
    texts = ("def asked(): helped()", "def helped(): pass", "def alone(): pass")
    functions = {node.name: node for text in texts if isinstance(node := ast.parse(text).body[0], ast.FunctionDef)}
    assert unreached(functions, ["asked"]) == {"alone"}
    assert unreached(functions, []) == set(functions)
