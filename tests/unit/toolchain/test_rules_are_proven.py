# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every statement of the catalogue is proven by tests of both signs, or says for whom it waits; docs/rules.md tells the same; mutants are noticed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import ansible_collections.vmops.migration.plugins.module_utils.rules as rules_package
from ansible_collections.vmops.migration.plugins.module_utils.model import errors
from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK
from ansible_collections.vmops.migration.plugins.module_utils.rules.statement import Statement
from ansible_collections.vmops.migration.plugins.module_utils.rules.statements import DOCUMENTS, STATEMENTS

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import make_rules_doc as tool  # noqa: E402
import rule_marks  # noqa: E402

NUMBERS = {"CSV": 24, "CSK": 18, "PCD": 36, "CSH": 39, "CAS": 52}
WAITING_PLACES = ("module:", "role:", "driver:", "planning:", "rules:")
GIVE_CODES = ("hard", "warning", "Reason")
SOURCES = ("rules", "planning", "execution", "interface", "drivers", "model")
TESTS = rule_marks.marked_tests()
# Statements whose opposite is not a refusal but another result, which has no reason code.
NOTHING_TO_REFUSE = {
    "CAS-12": "a link that is not crossed does not count",
    "CAS-43": "the advice is not given",
    "CSK-13": "the domain is not persistent, and stays so",
    "CSH-31": "the move fails, and nothing of it is left",
    "PCD-05": "a move is of another type",
    "PCD-12": "the downtime is longer",
    "PCD-15": "nothing is copied",
    "PCD-17": "the migration network is taken",
}


def reason_codes() -> set[str]:
    """The codes of the rulebook, those of the errors' types, and those that the collection gives by ``hard``, ``warning``, ``Reason`` and ``code=``."""
    found = {rule.code for rule in RULEBOOK} | {kind.default_code for kind in vars(errors).values() if hasattr(kind, "default_code")}
    for folder in SOURCES:
        for path in (ROOT / "plugins/module_utils" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    found |= {text.value for text in _codes_in(node) if isinstance(text, ast.Constant) and isinstance(text.value, str)}
    return found


def _codes_in(call: ast.Call) -> list[ast.expr]:
    given = [keyword.value for keyword in call.keywords if keyword.arg in ("code", "reason_code")]
    return given + (call.args[:1] if ast.unparse(call.func) in GIVE_CODES else [])


def test_every_number_of_the_catalogue_has_its_statement_in_order() -> None:
    wanted = [f"{document}-{number:02}" for document, count in NUMBERS.items() for number in range(1, count + 1)]
    assert [statement.number for statement in STATEMENTS] == wanted
    assert set(DOCUMENTS) == set(NUMBERS)
    assert {number for rule in RULEBOOK for number in rule.numbers} <= set(wanted)


def test_every_statement_has_tests_of_both_signs_or_says_for_whom_it_waits() -> None:
    found = rule_marks.signs(TESTS)
    missing = [statement.number for statement in STATEMENTS if tool.status_of(statement, found) is tool.Status.MISSING]
    assert not missing, "these have no test that shows what is allowed, or none that shows what is refused"


def test_a_statement_without_tests_is_noticed() -> None:
    statement = Statement("CSV-01", "Something is done.")
    assert tool.status_of(statement, {}) is tool.Status.MISSING
    assert tool.status_of(statement, {"CSV-01": {"-"}, "CSV-02": {"+"}}) is tool.Status.MISSING
    assert tool.status_of(statement, {"CSV-01": {"+", "-"}}) is tool.Status.FULFILLED


def test_every_mark_has_a_number_of_the_catalogue_and_a_sign() -> None:
    known = {statement.number for statement in STATEMENTS if not statement.not_code}
    wrong = [mark for test in TESTS for mark in test.marks if mark.number not in known or mark.sign not in ("+", "-")]
    assert not wrong


def test_no_case_proves_more_than_three_numbers() -> None:
    assert not [f"{test.path}::{test.name}" for test in TESTS if test.most_numbers > 3]


def test_refusals_are_told_by_their_reason_code() -> None:
    codes = reason_codes()
    told = {mark.number for test in TESTS if test.literals & codes for mark in test.marks if mark.sign == "-"}
    refused = {number for number, found in rule_marks.signs(TESTS).items() if "-" in found}
    assert refused - told == set(NOTHING_TO_REFUSE)


def test_places_exist_and_waiting_statements_name_theirs() -> None:
    source = ROOT / "plugins/module_utils"
    folders = {"module": "plugins/modules/{}.py", "role": "roles/{}", "driver": "plugins/module_utils/drivers/{}"}
    for statement in STATEMENTS:
        for place in statement.places:
            kind, colon, name = place.partition(":")
            path = ROOT / folders[kind].format(name.replace("kvm", "libvirt")) if colon else source / place
            assert path.exists(), f"{statement.number}: {place}"
        assert all(part.startswith(WAITING_PLACES) for part in statement.waits_for.split(", ") if part), statement.number
        assert statement.text.endswith(".")


def test_the_page_is_up_to_date() -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(TESTS), "run: python tools/make_rules_doc.py"


def test_a_fixed_part_of_the_rulebooks_mutants_is_noticed() -> None:
    """Each seventh; ``make mutate-rules`` tries them all."""
    collections = Path(rules_package.__path__[0]).parents[5]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {"PYTHONPATH": str(collections)}
    run = subprocess.run([sys.executable, "-m", "tests.mutation", "--every", "7"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " mutants, 0 survivors" in run.stdout
