# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules about volumes read no fact that they do not declare."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, VolumeFormat
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Volume
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm, VmKind
from ansible_collections.vmops.migration.plugins.module_utils.rules.rule import About, Profile, Rule
from ansible_collections.vmops.migration.plugins.module_utils.rules.rulebook import RULEBOOK
from ansible_collections.vmops.migration.plugins.module_utils.rules.volume_case import VolumeCase

from tests.unit.rules.storage_world import root, site, vm

IDENTITY = {"name", "id", "host", "device"}
DERIVED = {"is_active": "power_state", "is_system": "kind", "is_local": "scope"}
WORDS = {("volume", "kind"), ("vm", "volumes"), ("volume", "path")}
"""Read for messages alone."""
OF_VOLUMES = tuple(rule for rule in RULEBOOK if rule.about is About.VOLUME)


class Watched:
    """Stands for an object of the model and notes which of its fields are read."""

    def __init__(self, subject: object, kind: str, read: set[str]) -> None:
        self.__dict__.update(_subject=subject, _kind=kind, _read=read)

    def __getattr__(self, name: str) -> Any:
        if name not in IDENTITY and (self._kind, name) not in WORDS:
            self._read.add(f"{self._kind}.{DERIVED.get(name, name)}")
        return getattr(self._subject, name)


def _facts_read(rule: Rule, world: Site, subject: Vm, volume: Volume, intent: Intent) -> set[str]:
    read: set[str] = set()
    pools = {pool.id: Watched(pool, "pool", read) for pool in world.pools}
    seen: Any = dataclasses.replace(world)
    object.__setattr__(seen, "pools", tuple(pools.values()))
    seen.__dict__["pool_by_id"] = pools
    hosts: dict[str, Any] = {host.name: Watched(host, "host", read) for host in world.hosts}
    object.__setattr__(seen, "hosts", tuple(hosts.values()))
    seen.__dict__["host_by_name"] = hosts
    origin: Any = Watched(world.hosts[0], "source", read)
    for pool in pools.values():
        for host in hosts.values():
            wanted: Any = (Watched(subject, "vm", read), Watched(volume, "volume", read), Watched(intent, "intent", read))
            case = VolumeCase(seen, wanted[0], wanted[1], pools.get(volume.pool or ""), pool, origin, host, wanted[2])  # type: ignore[arg-type]
            for profile in Profile:
                rule.check(case, **rule.setting(profile).parameters)
    return read


@pytest.mark.parametrize("rule", OF_VOLUMES, ids=lambda rule: rule.name)
def test_no_rule_about_volumes_reads_a_fact_that_it_does_not_declare(rule: Rule) -> None:
    for kind in (MigrationType.STORAGE, MigrationType.HOST_STORAGE):
        for mode in (Mode.LIVE, Mode.OFFLINE):
            intent = Intent(type=kind, mode=mode, volume_format=VolumeFormat.RAW, root_pool="nfs-b")
            volume = root("nfs-a", tags=frozenset({"x"}), encrypted=True, backing=("/t",))
            subject = vm(volume, kind=VmKind.ROUTER, snapshots=1)
            undeclared = _facts_read(rule, site(subject), subject, volume, intent) - set(rule.facts)
            assert not undeclared, f"{rule.name} reads {undeclared}"
