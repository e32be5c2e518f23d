# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes docs/rules.md from the rulebook, the statements and the marks of the tests: ``python tools/make_rules_doc.py``. A test fails where it is stale."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / ".venv/collections"), str(ROOT / "tools")]

from ansible_collections.vmops.migration.plugins.module_utils.rules.rule import Level, Profile, Rule, Setting  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.rules.statement import Statement  # noqa: E402
from ansible_collections.vmops.migration.plugins.module_utils.rules.statements import DOCUMENTS, STATEMENTS, document  # noqa: E402
from rule_marks import MarkedTest, marked_tests, signs  # noqa: E402

PAGE = ROOT / "docs/rules.md"
BOTH = {"+", "-"}
HEAD = """<!--
Copyright: (c) 2026, vmops.migration contributors
GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
SPDX-License-Identifier: GPL-3.0-or-later
-->
<!-- Written by tools/make_rules_doc.py from the rulebook, the statements and the tests. Do not edit. -->

# The rulebook

What five documents of products state about moving virtual machines, and what this collection does about each statement. The profile of a site
(`site.profile`) says how strictly a rule is taken: **hard** forbids; *asks* refuses until the named option is given; *warns* only tells; *off* does not ask.

Fulfilled means: there are tests that show what is allowed (`+`) and tests that show what is refused (`-`). What waits says for whom.
"""


class Status(StrEnum):
    """How far a statement is: by tests of both signs, by who has still to fulfil it, or outside of code; ``missing`` is an error."""

    FULFILLED = "fulfilled"
    WAITING = "waiting"
    NOT_CODE = "not code"
    MISSING = "missing"


def status_of(statement: Statement, found: dict[str, set[str]]) -> Status:
    """The status that the tests' marks give it."""
    if statement.not_code:
        return Status.NOT_CODE
    if found.get(statement.number, set()) >= BOTH:
        return Status.FULFILLED
    return Status.WAITING if statement.waits_for else Status.MISSING


def rules_of(number: str) -> tuple[Rule, ...]:
    """The rows of the rulebook that carry a number."""
    return tuple(rule for rule in RULEBOOK if number in rule.numbers)


def page(tests: Sequence[MarkedTest]) -> str:
    """The whole page."""
    found = signs(tests)
    parts = [HEAD, _counts(found), _waiting(found)]
    for short, title in DOCUMENTS.items():
        rows = [_row(statement, tests, found) for statement in STATEMENTS if document(statement.number) == title]
        parts.append(_table(f"## {short}: {title}", ("number", "what we do", "severity by rule and profile", "facts read", "tests"), rows))
    columns = ("rule", "reason code", "judges", *Profile, "facts read", "numbers")
    parts.append(_table("## All rules", columns, [_rule_row(rule) for rule in RULEBOOK]))
    return "\n".join(parts)


def _counts(found: dict[str, set[str]]) -> str:
    states = [status_of(statement, found) for statement in STATEMENTS]
    told = ", ".join(f"{states.count(status)} {status}" for status in Status if status in states)
    return f"{len(STATEMENTS)} statements: {told}. {len(RULEBOOK)} rules.\n"


def _waiting(found: dict[str, set[str]]) -> str:
    rows = []
    for statement in STATEMENTS:
        status = status_of(statement, found)
        if status is Status.FULFILLED and statement.waits_for:
            rows.append((statement.number, "in part", statement.waits_for))
        elif status is not Status.FULFILLED:
            rows.append((statement.number, str(status), statement.not_code or statement.waits_for))
    return _table("## What waits, and what no code can do", ("number", "status", "for whom, or why"), rows)


def _row(statement: Statement, tests: Sequence[MarkedTest], found: dict[str, set[str]]) -> tuple[str, ...]:
    rules = rules_of(statement.number)
    severity = [f"`{rule.name}` {_severity(rule)}" for rule in rules] + [f"`{place}`" for place in statement.places]
    status = status_of(statement, found)
    if status is not Status.FULFILLED or statement.waits_for:
        severity.append(str(status) if status is not Status.FULFILLED else f"in part; the rest waits for {statement.waits_for}")
    facts = dict.fromkeys(fact for rule in rules for fact in rule.facts)
    return statement.number, statement.text, "; ".join(severity), ", ".join(f"`{fact}`" for fact in facts), _tests(statement.number, tests)


def _tests(number: str, tests: Sequence[MarkedTest]) -> str:
    """The tests of a number, those that show what is allowed first: file without folder and ending, and name."""
    told = [(mark.sign, f"{Path(mark.path).stem}::{mark.test}") for test in tests for mark in test.marks if mark.number == number]
    return "<br>".join(f"{sign} `{name}`" for sign, name in sorted(told))


def _severity(rule: Rule) -> str:
    special = [f"{profile} {_cell(setting)}" for profile, setting in rule.profiles.items() if setting != rule.generic]
    return ", ".join([_cell(rule.generic), *special])


def _cell(setting: Setting) -> str:
    if setting.level is Level.HARD:
        return "**hard**"
    if setting.level is Level.OFF:
        return "off"
    return f"asks `{setting.consent}`" if setting.consent else "warns"


def _rule_row(rule: Rule) -> tuple[str, ...]:
    cells = [_cell(rule.setting(profile)) for profile in Profile]
    facts = ", ".join(f"`{fact}`" for fact in rule.facts)
    return f"`{rule.name}`", f"`{rule.code}`", str(rule.about), *cells, facts, ", ".join(rule.numbers)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [title, "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(marked_tests()), encoding="utf-8")


if __name__ == "__main__":
    main()
