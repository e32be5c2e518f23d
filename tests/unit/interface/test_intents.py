# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the options of a module ask for, as the rules judge it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.arguments import find_spec, intent_spec, migrate_spec
from ansible_collections.vmops.migration.plugins.module_utils.interface.intents import intent_of
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.intent import Intent, StorageClass, VolumeFormat
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import MigrationType, Mode

DEFAULTS = {name: form.get("default") for name, form in {**intent_spec(), **find_spec()}.items()}


def asked(**options: Any) -> Intent:
    return intent_of({**DEFAULTS, **options})


def test_without_options_a_live_move_by_host_is_meant() -> None:
    assert asked() == Intent()


def test_every_option_reaches_the_rules() -> None:
    intent = asked(
        type="host_storage",
        mode="suspended",
        target_pool="nfs-b",
        single_pool=True,
        volume_pools={"vdb": "nfs-c"},
        storage_class="shared",
        volume_format="qcow2",
        flatten=True,
        network_map={"lan": "lan2"},
        allow_downtime=True,
        speed="40",
    )
    assert (intent.type, intent.mode) == (MigrationType.HOST_STORAGE, Mode.SUSPENDED)
    assert (intent.root_pool, intent.single_pool, dict(intent.volume_pools)) == ("nfs-b", True, {"vdb": "nfs-c"})
    assert (intent.new_storage_class, intent.volume_format, intent.flatten) == (StorageClass.SHARED, VolumeFormat.QCOW2, True)
    assert (dict(intent.network_map), intent.allow_downtime, intent.speed_mib_s) == ({"lan": "lan2"}, True, 40)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"volume_pools": {"vda": ""}}, "volume_pools.vda"),
        ({"single_pool": True}, "single_pool"),
        ({"volume_pools": {"vda": 7}}, "volume_pools.vda"),
        ({"network_map": {"lan": None}}, "network_map.lan"),
        ({"speed": "0"}, "speed"),
        ({"speed": "-3"}, "speed"),
        ({"speed": "slowly"}, "speed"),
    ],
)
def test_what_is_no_pool_no_network_and_no_speed_is_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as caught:
        asked(**options)
    assert caught.value.message.startswith(f"{named}:")


@pytest.mark.rule("CSV-02", sign="+")
@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"target_host": "kvm2"}, "host"),
        ({"avoid": ["kvm2"]}, "host"),
        ({"target_pool": "nfs-a"}, "storage"),
        ({"volume_pools": {"vda": "nfs-a"}}, "storage"),
        ({"source_pool": "nfs-b"}, "storage"),
        ({"target_host": "kvm2", "storage_class": "local"}, "host_storage"),
        ({"source_host": "kvm1", "target_pool": "nfs-a", "type": "storage"}, "storage"),
        ({}, "host"),
    ],
)
def test_the_type_follows_from_what_is_given_unless_it_is_asked_for(options: dict[str, Any], kind: str) -> None:
    defaults = {name: form.get("default") for name, form in migrate_spec().items()}
    assert intent_of({**defaults, **options}).type.value == kind


def test_a_module_without_options_for_hosts_asks_about_them_all() -> None:
    assert asked(target_pool="nfs-a").type is MigrationType.HOST_STORAGE
