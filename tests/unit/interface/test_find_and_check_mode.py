# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is found suitable is what check mode and the checker accept, and nothing else is: over random worlds of the simulator, read from their files.

VMOPS_EXAMPLES sets how many worlds (the fixed few of a test run by default).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Driver, Scope
from ansible_collections.vmops.migration.plugins.module_utils.interface.arguments import migrate_spec
from ansible_collections.vmops.migration.plugins.module_utils.interface.opening import open_site
from ansible_collections.vmops.migration.plugins.module_utils.interface.prediction import Prediction, predict_relocation
from ansible_collections.vmops.migration.plugins.module_utils.interface.relocating import relocation_request
from ansible_collections.vmops.migration.plugins.module_utils.interface.requests import move_options
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import encode
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.plan import Plan
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import PlanRequest
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.target import Target
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm
from ansible_collections.vmops.migration.plugins.module_utils.planning.checker import check_plan
from ansible_collections.vmops.migration.plugins.module_utils.planning.targets import find_targets
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.unit.strategies import examples, sites_with_requests

Question = tuple[Site, Vm, str, list[str]]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A world, one of its VMs, and the scope and consents that are given both to finding and to moving."""
    site, request = draw(sites_with_requests())
    return site, draw(st.sampled_from(site.vms)), request.scope, sorted(request.consents)


def params_of(folder: str, question: Question, target: str) -> dict[str, Any]:
    """The options of vm_migrate as Ansible fills them in."""
    site, vm, scope, consents = question
    world = Path(folder) / "world.json"
    if not world.exists():
        world.write_text(json.dumps(encode(site)))
    options = {name: spec.get("default") for name, spec in migrate_spec().items()}
    where = {"driver": "simulator", "profile": site.profile, "limits": encode(site.limits), "simulator": {"world": str(world)}}
    return {**options, "site": where, "vm": vm.id, "target_host": target, "allow_system_vm": True, "scope": scope, "consents": consents}


def codes(reasons: tuple[Reason, ...]) -> set[str]:
    return {reason.code for reason in blocking(reasons)}


def predicted(driver: Driver, params: dict[str, Any]) -> Prediction:
    return predict_relocation(driver, params["vm"], relocation_request(params), move_options(params, driver.clock.now()))[1]


def refused_for(driver: Driver, params: dict[str, Any]) -> set[str]:
    """The codes for which check mode refuses the move; empty where it would be made."""
    try:
        found = predicted(driver, params)
    except MigrationError as error:
        return {error.code}
    if found.ok:
        return set()
    told = {code for entry in found.unplaced for code in codes(entry.reasons) | codes(entry.candidates.get(params["target_host"], ()))}
    told |= {code for check in found.checks if check.refused for code in codes(check.reasons)}
    assert told, "refused without a reason"
    return told


def checkers_faults(site: Site, vm: Vm, host: str, request: PlanRequest) -> tuple[str, ...]:
    """What the checker says of a plan that makes this one move, whoever may have made it."""
    return check_plan(site, Plan("", migrations=(Migration("m001", vm.id, vm.name, vm.host, host, memory_mib=vm.memory_mib),)), request, orders=2)


def agrees(driver: Driver, params: dict[str, Any], target: Target) -> None:
    """Check mode says of this target what was found of it."""
    if target.host == driver.snapshot(Scope()).find_vm(params["vm"], "vm").host:
        assert "same_host" in codes(target.reasons)
        assert predicted(driver, params).plan.migrations == ()
        return
    refused = refused_for(driver, params)
    assert bool(refused) is not target.suitable_for_migration, (target, refused)
    # A closed or silent host is refused by name before anything is planned.
    assert refused <= codes(target.reasons) | {"target_closed", "host_unreachable"}, (target, refused)
    if target.suitable_for_migration:
        (move,) = predicted(driver, params).plan.migrations
        assert (move.vm, move.target_host) == (params["vm"], target.host)


@pytest.mark.rule("CSH-39", sign="+")
@pytest.mark.rule("CSH-39", sign="-")
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(questions())
def test_check_mode_and_checker_accept_what_is_found_suitable_and_refuse_the_rest_with_a_code(question: Question) -> None:
    _site, vm, scope, consents = question
    with tempfile.TemporaryDirectory() as folder, open_site(params_of(folder, question, "")) as driver:
        seen = driver.snapshot(Scope(vms=frozenset({vm.id}), hosts=frozenset()))
        if vm.id not in seen.vm_by_id:
            event("its host does not answer")
            assert {refused_for(driver, params_of(folder, question, host.name)).pop() for host in seen.hosts} == {"vm_unknown"}
            return
        now = seen.vm_by_id[vm.id]
        request = PlanRequest((vm.id,), scope=scope, consents=frozenset(consents))
        for target in find_targets(seen, now, request):
            event("suitable" if target.suitable_for_migration else "not suitable")
            agrees(driver, params_of(folder, question, target.host), target)
            assert bool(checkers_faults(seen, now, target.host, request)) is not target.suitable_for_migration, target
