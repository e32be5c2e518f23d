# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One session of pytest that collects the rules' tests once and asks, mutant after mutant, whether one of the row's own tests notices."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant

FOLDERS = ("tests/unit/rules", "tests/unit/planning")


@dataclass
class Verdict:
    """What became of all mutants: ``survivors`` with the number of own tests that did not notice, and tests that fail without any mutant."""

    tried: int = 0
    survivors: list[tuple[Mutant, int]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class MutationSession:
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self, mutants: tuple[Mutant, ...]) -> None:
        self.mutants = mutants
        self.verdict = Verdict()
        self._passes: dict[str, bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try every mutant; the tests' own outcomes are not reported."""
        if session.testsfailed:
            self.verdict.broken.append("the tests cannot be collected")
            return True
        items = [item for item in session.items if isinstance(item, pytest.Function) and not getattr(item.obj, "is_hypothesis_test", False)]
        sources = {item.nodeid: inspect.getsource(item.function) for item in items}  # once: the files may be edited meanwhile
        for mutant in self.mutants:
            own = [item for item in _own(mutant, items, sources) if self._passes_without(item)]
            self.verdict.tried += 1
            with mutant.applied():
                noticed = any(not _passes(item) for item in own)
            if not noticed:
                self.verdict.survivors.append((mutant, len(own)))
        return True

    def _passes_without(self, item: pytest.Function) -> bool:
        """A test that fails anyway notices nothing."""
        if item.nodeid not in self._passes:
            self._passes[item.nodeid] = _passes(item)
            if not self._passes[item.nodeid]:
                self.verdict.broken.append(item.nodeid)
        return self._passes[item.nodeid]


def _own(mutant: Mutant, items: list[pytest.Function], sources: dict[str, str]) -> list[pytest.Function]:
    """A row's own tests: those that name it or its reason code first, then those that carry one of its numbers."""
    names = {f'"{mutant.rule.name}"', f'"{mutant.rule.code}"'}
    named, marked = [], []
    for item in items:
        if any(name in sources[item.nodeid] for name in names):
            named.append(item)
        elif any(number in mutant.rule.numbers for mark in item.iter_markers("rule") for number in mark.args):
            marked.append(item)
    return named + marked


def _passes(item: pytest.Function) -> bool:
    return all(report.outcome == "passed" for report in runtestprotocol(item, log=False, nextitem=None))
