# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mutants of the rulebook: a row that is off, and a cell that is taken more or less strictly than it should be."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.vmops.migration.plugins.module_utils.rules.rule import Level, Profile, Rule, Setting
from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK

PACKAGE = "ansible_collections.vmops.migration."


@dataclass(frozen=True)
class Mutant:
    """A row with other cells; ``says`` is what was done to it."""

    rule: Rule
    says: str
    generic: Setting
    profiles: Mapping[Profile, Setting]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The rulebook with this row instead of its own, whoever holds it: the row itself is changed, and put right afterwards."""
        good = self.rule.generic, self.rule.profiles
        try:
            _set(self.rule, self.generic, self.profiles)
            yield
        finally:
            _set(self.rule, *good)


def mutants() -> tuple[Mutant, ...]:
    """Every mutant of every row, in the rulebook's order."""
    return tuple(mutant for rule in RULEBOOK for mutant in _of(rule))


def _of(rule: Rule) -> Iterator[Mutant]:
    off = Setting(Level.OFF, parameters=rule.generic.parameters)
    yield Mutant(rule, "off in every profile", off, {})
    for flipped in _flips(rule.generic):
        rest = {profile: rule.setting(profile) for profile in rule.profiles}
        yield Mutant(rule, f"generic is {_told(flipped)} instead of {_told(rule.generic)}", flipped, rest)
    for profile, setting in rule.profiles.items():
        for flipped in _flips(setting):
            yield Mutant(rule, f"{profile} is {_told(flipped)} instead of {_told(setting)}", rule.generic, {**rule.profiles, profile: flipped})


def _flips(setting: Setting) -> Iterator[Setting]:
    """Hard becomes a warning; what warns, asks or is off becomes hard; what asks no longer waits for its consent."""
    if setting.level is not Level.HARD:
        yield Setting(Level.HARD, parameters=setting.parameters)
    if setting.level is Level.HARD or setting.consent:
        yield Setting(Level.SOFT, parameters=setting.parameters)


def _told(setting: Setting) -> str:
    return f"asking {setting.consent}" if setting.consent else "a warning" if setting.level is Level.SOFT else str(setting.level)


def _set(rule: Rule, generic: Setting, profiles: Mapping[Profile, Setting]) -> None:
    object.__setattr__(rule, "generic", generic)
    object.__setattr__(rule, "profiles", profiles)
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()
