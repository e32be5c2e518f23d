# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the rulebook: all reasons that speak against a move of one VM, anywhere or to one host."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

from ..model.host import Host
from ..model.intent import Intent
from ..model.options import HostOptions, PoolOptions, VmOptions
from ..model.reason import Reason, Severity, warning
from ..model.site import Site
from ..model.vm import Vm
from .option_case import OptionCase
from .planned import PlannedSite
from .rule import LIVE_BY_HOST, About, Case, Finding, Level, Rule, Setting, VmCase
from .rulebook import RULEBOOK, profile_named
from .volume_case import VolumeCase

_OVERLAY_FIELDS = {
    "hosts": frozenset(field.name for field in dataclasses.fields(HostOptions)),
    "pools": frozenset(field.name for field in dataclasses.fields(PoolOptions)),
    "vms": frozenset(field.name for field in dataclasses.fields(VmOptions)),
}

Row = tuple[Rule, Setting]


@functools.cache
def rows(profile: str, about: About) -> tuple[Row, ...]:
    """The rules of a profile that are not off, each with its cell, in the rulebook's order. Raises InputError (``profile_unknown``)."""
    found = profile_named(profile)
    return tuple((rule, rule.setting(found)) for rule in RULEBOOK if rule.about is about and rule.setting(found).level is not Level.OFF)


@functools.cache
def host_facts(profile: str) -> frozenset[str]:
    """Names of the candidate's facts that the profile's rules about places read; hosts that agree in them get the same verdicts."""
    return frozenset(fact.removeprefix("host.") for rule, _setting in rows(profile, About.PLACE) for fact in rule.facts if fact.startswith("host."))


def evaluate_vm(site: Site, vm: Vm, profile: str, consents: frozenset[str] = frozenset()) -> tuple[Reason, ...]:
    """All reasons that hold for the VM wherever it might go. ``consents`` turn soft refusals into warnings."""
    case = VmCase(site, vm, site.host_by_name.get(vm.host))
    return _reasons(rows(profile, About.VM), case, consents)


def evaluate(
    planned: PlannedSite, vm: Vm, host: Host, profile: str, consents: frozenset[str] = frozenset(), intent: Intent | None = None
) -> tuple[Reason, ...]:
    """All reasons against the VM on that host, in the light of what is planned; those of ``evaluate_vm`` are not repeated. ``intent`` None: live by host."""
    case = Case(planned, vm, host, planned.site.host_by_name.get(vm.host), intent or LIVE_BY_HOST)
    return _reasons(rows(profile, About.PLACE), case, consents) + _reasons(rows(profile, About.PLANNED_STATE), case, consents)


def refuses(planned: PlannedSite, vm: Vm, host: Host, profile: str, consents: frozenset[str], about: About, intent: Intent | None = None) -> bool:
    """True where a rule of that kind (PLACE or PLANNED_STATE) forbids the host; quicker than ``evaluate``, and always of one mind with it."""
    case = Case(planned, vm, host, planned.site.host_by_name.get(vm.host), intent or LIVE_BY_HOST)
    for rule, setting in rows(profile, about):
        if setting.level is Level.HARD or (setting.consent and setting.consent not in consents):
            for finding in rule.check(case, **setting.parameters):
                if not finding.unknown:
                    return True
    return False


def evaluate_volume(case: VolumeCase, profile: str, consents: frozenset[str] = frozenset()) -> tuple[Reason, ...]:
    """All reasons against a volume's move to a pool, in the light of what is planned there."""
    return _reasons(rows(profile, About.VOLUME), case, consents)


def evaluate_options(case: OptionCase, profile: str, consents: frozenset[str] = frozenset()) -> tuple[Reason, ...]:
    """All reasons against, or about, what is asked for one VM."""
    return _reasons(rows(profile, About.OPTIONS), case, consents)


def _reasons(table: Iterable[Row], case: VmCase | Case | VolumeCase | OptionCase, consents: frozenset[str]) -> tuple[Reason, ...]:
    return tuple(_reason(rule, setting, finding, consents) for rule, setting in table for finding in rule.check(case, **setting.parameters))


def _reason(rule: Rule, setting: Setting, finding: Finding, consents: frozenset[str]) -> Reason:
    if finding.unknown:
        return _fact_unknown(rule, finding.unknown)
    severity = Severity.HARD if setting.level is Level.HARD else Severity.SOFT
    reason = Reason(rule.code, severity, finding.message, finding.hint, setting.consent, rule.numbers)
    return reason.consented() if setting.consent in consents else reason


def _fact_unknown(rule: Rule, fact: str) -> Reason:
    """A fact that a rule needs and does not have is told, never passed over in silence (design: facts)."""
    parts = fact.split(".")
    settable = len(parts) > 3 and parts[-1] in _OVERLAY_FIELDS.get(parts[1], ())
    hint = (
        f"Give it as {fact} in the overlay."
        if settable
        else "The hypervisor did not tell it, and the overlay has no field for it: check it by hand before the move."
    )
    return warning("fact_unknown", f"The rule {rule.name} could not judge: {fact} is not known.", hint, rule.numbers)
