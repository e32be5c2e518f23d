# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook as a whole: its form, the facts that its rules read, and that quick and full answers are of one mind."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Severity, blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm
from ansible_collections.vmops.migration.plugins.module_utils.rules.evaluate import evaluate, evaluate_vm, refuses
from ansible_collections.vmops.migration.plugins.module_utils.rules.planned import PlannedSite
from ansible_collections.vmops.migration.plugins.module_utils.rules.rule import About, Case, Level, Profile, Rule, VmCase
from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK, consents
from hypothesis import given, settings

from tests.unit.rules.world import site
from tests.unit.strategies import CONSENTS, examples, sites

IDENTITY = {"name", "id", "host"}
DERIVED = {"is_active": "power_state", "is_system": "kind", "is_local": "scope"}


class Watched:
    """Stands for an object of the model and notes which of its fields are read."""

    def __init__(self, subject: object, kind: str, read: set[str]) -> None:
        self.__dict__.update(_subject=subject, _kind=kind, _read=read)

    def __getattr__(self, name: str) -> Any:
        if name not in IDENTITY:
            self._read.add(f"{self._kind}.{DERIVED.get(name, name)}")
        return getattr(self._subject, name)


def _facts_read(rule: Rule, world: Site, vm: Vm, host: Host) -> set[str]:
    read: set[str] = set()
    pools = tuple(Watched(pool, "pool", read) for pool in world.pools)
    seen = Site(profile=world.profile, hosts=world.hosts, vms=world.vms, affinity_groups=world.affinity_groups)
    object.__setattr__(seen, "pools", pools)
    seen.__dict__["pool_by_id"] = {pool.id: pool for pool in pools}
    subject: Any = Watched(vm, "vm", read)
    candidate: Any = Watched(host, "host", read)
    origin = world.host_by_name.get(vm.host)
    source: Any = None if origin is None else Watched(origin, "source", read)
    case = VmCase(seen, subject, source) if rule.about is About.VM else Case(PlannedSite(seen), subject, candidate, source)
    for profile in Profile:
        rule.check(case, **rule.setting(profile).parameters)
    return read


@settings(max_examples=examples(150))
@given(sites())
def test_no_rule_reads_a_fact_that_it_does_not_declare(world: Site) -> None:
    for rule in (rule for rule in RULEBOOK if rule.about not in (About.VOLUME, About.OPTIONS)):
        for vm in world.vms:
            for host in world.hosts:
                undeclared = _facts_read(rule, world, vm, host) - set(rule.facts)
                assert not undeclared, f"{rule.name} reads {undeclared}"


def test_declared_facts_are_fields_of_the_model() -> None:
    fields: dict[str, set[str]] = {
        "vm": set(Vm.__dataclass_fields__),
        "host": set(Host.__dataclass_fields__),
        "source": set(Host.__dataclass_fields__),
        "pool": set(Pool.__dataclass_fields__),
        "volume": set(Volume.__dataclass_fields__),
        "intent": set(Intent.__dataclass_fields__),
        "site": set(Site.__dataclass_fields__),
    }
    for rule in RULEBOOK:
        assert rule.facts
        for fact in rule.facts:
            kind, _dot, name = fact.partition(".")
            assert name in fields[kind], f"{rule.name}: {fact}"


def test_rows_have_names_of_their_own_and_numbers_of_the_catalogue() -> None:
    assert len({rule.name for rule in RULEBOOK}) == len(RULEBOOK)
    for rule in RULEBOOK:
        assert re.fullmatch(r"[a-z0-9_]+", rule.code)
        assert all(re.fullmatch(r"(CSV|CSK|PCD|CSH|CAS)-\d\d", number) for number in rule.numbers), rule.name
        assert (rule.check.__doc__ or "").strip(), f"{rule.name} does not say what it asks"


def test_only_soft_cells_wait_for_a_consent_and_every_cell_can_be_asked() -> None:
    for rule in RULEBOOK:
        for profile in Profile:
            setting = rule.setting(profile)
            assert setting.level is Level.SOFT or not setting.consent
    assert consents() == set(CONSENTS)


def test_physical_limits_are_hard_in_every_profile() -> None:
    physical = {
        "arch_mismatch",
        "cpu_incompatible",
        "insufficient_memory",
        "pool_not_on_host",
        "local_storage",
        "network_missing",
        "host_device",
        "host_unreachable",
    }
    for rule in RULEBOOK:
        if rule.name in physical:
            assert all(rule.setting(profile).level is Level.HARD for profile in Profile), rule.name


def test_an_unknown_profile_names_the_known_ones() -> None:
    world = site(profile="openstack")
    with pytest.raises(InputError, match=r"site\.profile.*'openstack'.*generic") as caught:
        evaluate_vm(world, world.vms[0], world.profile)
    assert caught.value.code == "profile_unknown"


@settings(max_examples=examples(150))
@given(sites())
def test_the_quick_answer_and_the_full_one_are_of_one_mind(world: Site) -> None:
    planned = PlannedSite(world)
    for allowed in (frozenset[str](), frozenset(CONSENTS)):
        for vm in world.vms:
            for host in world.hosts:
                quick = any(refuses(planned, vm, host, world.profile, allowed, about) for about in (About.PLACE, About.PLANNED_STATE))
                assert quick is bool(blocking(evaluate(planned, vm, host, world.profile, allowed)))


@settings(max_examples=examples(100))
@given(sites())
def test_every_reason_says_what_and_every_refusal_what_to_do(world: Site) -> None:
    planned = PlannedSite(world)
    for vm in world.vms:
        found = [reason for host in world.hosts for reason in evaluate(planned, vm, host, world.profile)]
        for reason in (*evaluate_vm(world, vm, world.profile), *found):
            assert reason.message.endswith(".")
            assert reason.hint.endswith(".")
            assert "None" not in reason.message
            assert reason.code != "fact_unknown" or (reason.severity is Severity.SOFT and not reason.blocks)
