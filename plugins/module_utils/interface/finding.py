# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``find_migration_targets`` does: every candidate host of one VM, or every candidate pool of one volume, with reasons and rank. Writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..drivers.driver import LIGHT, Driver, Scope
from ..model.errors import InputError
from ..model.intent import Intent
from ..model.pool import Volume
from ..model.pool_target import PoolTarget
from ..model.request import PlanRequest
from ..model.site import Site
from ..model.target import Target
from ..model.vm import Vm
from ..planning.given_pools import find_volume
from ..planning.pool_targets import find_pool_targets
from ..planning.targets import find_targets
from .earlier import measured_moves
from .intents import check_intent
from .opening import open_site, unique
from .requests import consents_of
from .results import full, identity, site_warnings, warning_texts


def find_migration_targets(module: AnsibleModule) -> dict[str, Any]:
    """The module's result. Raises InputError for an unknown VM, volume, pool or host, and the driver's errors."""
    params = module.params
    intent = check_intent(params)
    targets = unique(params["target_hosts"], "target_hosts")
    request = PlanRequest(
        vms=(),
        target_hosts=frozenset(targets),
        scope=params["scope"],
        consents=consents_of(params),
        intent=None if intent == Intent() else intent,
        measured=measured_moves(params["earlier_results"]),
    )
    with open_site(params) as driver:
        request = dataclasses.replace(request, capabilities=driver.capabilities)
        if params["vm"]:
            site = driver.snapshot(Scope(vms=frozenset({params["vm"]}), hosts=frozenset()))
            vm = site.find_vm(params["vm"], "vm")
            volume = find_volume(vm, params["volume"]) if params["volume"] else None
        else:
            site, volume = find_loose_volume(driver, params["volume"] or "", "volume")
            vm = None
    for name in targets:
        site.find_host(name, "target_hosts")
    if volume is not None:
        return _pools(site, vm, volume, request, params)
    if vm is None:
        raise InputError("vm", "neither a VM nor a volume is named.", hint="Give vm, volume, or both.")
    return _hosts(site, vm, request, params)


def find_loose_volume(driver: Driver, named: str, option: str) -> tuple[Site, Volume]:
    """A volume that is no VM's disk, by its id (``pool/volume``), and the site that it is in. Raises InputError (``pool_unknown``, ``volume_unknown``)."""
    pool = pool_in_name(driver.snapshot(LIGHT), named, option)
    site = driver.snapshot(Scope(vms=frozenset(), hosts=frozenset(), volumes_of=frozenset({pool})))
    found = next((volume for volume in site.volumes if volume.id == named), None)
    if found is None:
        known = ", ".join(sorted(volume.id for volume in site.volumes if volume.pool == pool)[:20]) or "none"
        hint = f"Volumes there that are no VM's disk: {known}. For the disk of a VM, give vm as well."
        raise InputError(option, f"pool {pool} has no volume {named!r} that is no VM's disk.", code="volume_unknown", hint=hint)
    return site, found


def pool_in_name(site: Site, named: str, option: str) -> str:
    """The id of the pool that a volume's id begins with. Raises InputError (``pool_unknown``)."""
    pools = [pool.id for pool in site.pools if named.startswith(f"{pool.id}/")]
    if not pools:
        known = ", ".join(sorted(site.pool_by_id)[:20]) or "none"
        hint = f"A volume that is no VM's disk is named pool/volume. Known pools: {known}."
        raise InputError(option, f"{named!r} does not begin with the id of a pool of the site.", code="pool_unknown", hint=hint)
    return max(pools, key=len)


def _hosts(site: Site, vm: Vm, request: PlanRequest, params: Mapping[str, Any]) -> dict[str, Any]:
    found = find_targets(site, vm, _for(request, vm))
    suitable = [target.host for target in found if target.suitable_for_migration]
    return {**_answer(site, found, params), "vm": identity(vm), "suitable_hosts": suitable}


def _pools(site: Site, vm: Vm | None, volume: Volume, request: PlanRequest, params: Mapping[str, Any]) -> dict[str, Any]:
    found = find_pool_targets(site, vm, volume, request if vm is None else _for(request, vm), include_excluded=params["include_excluded"])
    answer = _answer(site, found, params)
    return {
        **{name: value for name, value in answer.items() if name != "targets"},
        "vm": None if vm is None else identity(vm),
        "volume": full(volume),
        "pools": answer["targets"],
        "suitable_pools": [target.pool for target in found if target.suitable_for_migration],
    }


def _for(request: PlanRequest, vm: Vm) -> PlanRequest:
    return dataclasses.replace(request, vms=(vm.id,))


def _answer(site: Site, found: Sequence[Target] | Sequence[PoolTarget], params: Mapping[str, Any]) -> dict[str, Any]:
    suitable = [target for target in found if target.suitable_for_migration]
    shown = [target for target in found if target.suitable_for_migration or not params["only_suitable"]]
    return {
        "changed": False,
        "targets": full(shown if params["limit"] is None else shown[: params["limit"]]),
        "suitable_count": len(suitable),
        "candidate_count": len(found),
        "reason_counts": _counts(found),
        "warnings": warning_texts((*site_warnings(site), *(reason for target in suitable for reason in target.reasons))),
    }


def _counts(found: Sequence[Target] | Sequence[PoolTarget]) -> dict[str, int]:
    """How many candidates each code of a forbidding reason rules out."""
    counts: dict[str, int] = {}
    for target in found:
        for code in {reason.code for reason in target.reasons if reason.blocks}:
            counts[code] = counts.get(code, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
