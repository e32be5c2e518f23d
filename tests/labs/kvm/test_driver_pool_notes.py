# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A storage pool that is closed, is closed on all of its hosts, for everybody and until it is opened again."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import LIGHT, Scope
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable, InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Maintenance, MaintenanceState

from tests.labs.kvm.config import LOCAL_POOL, SHARED_POOL
from tests.labs.kvm.driver_world import NASTY_NAME, driver_of
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

CLOSED = Maintenance(MaintenanceState.MAINTENANCE, by=NASTY_NAME, why="</description>]]>\n\u2603", since=17.5, operation_id="o", plan_id="p")


def secrets_of(lab: Lab) -> dict[str, list[str]]:
    found = {}
    for name, host in lab.hosts.items():
        with host.connection() as connection:
            found[name] = [secret.usageID() for secret in connection.listAllSecrets()]
    return found


def test_a_shared_pool_is_closed_on_every_host_and_its_note_outlives_the_daemons(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver:
        driver.set_pool_maintenance(SHARED_POOL, dataclasses.replace(CLOSED, state=MaintenanceState.PREPARING))
        driver.set_pool_maintenance(SHARED_POOL, CLOSED)
    for host in kvm_lab.hosts.values():
        host.restart_daemon()
    with driver_of(kvm_lab) as driver:
        pools = driver.snapshot(LIGHT).pool_by_id
        assert pools[SHARED_POOL].maintenance == CLOSED
        assert all(pool.maintenance == Maintenance() for pool in pools.values() if pool.id != SHARED_POOL)
        for name in kvm_lab.hosts:
            assert driver.snapshot(Scope(only_hosts=frozenset({name}))).pool_by_id[SHARED_POOL].maintenance == CLOSED
        assert all(host.is_open for host in driver.snapshot(LIGHT).hosts)
        driver.set_pool_maintenance(SHARED_POOL, Maintenance())
        driver.set_pool_maintenance(SHARED_POOL, Maintenance())
        assert driver.snapshot(LIGHT).pool_by_id[SHARED_POOL].maintenance == Maintenance()
    assert secrets_of(kvm_lab) == {name: [] for name in kvm_lab.hosts}


def test_a_host_s_own_pool_is_closed_on_that_host_alone(kvm_lab: Lab) -> None:
    own = f"kvm1/{LOCAL_POOL}"
    with driver_of(kvm_lab) as driver:
        driver.set_pool_maintenance(own, CLOSED)
        closed = {pool.id for pool in driver.snapshot(LIGHT).pools if pool.maintenance.state is not MaintenanceState.AVAILABLE}
        assert closed == {own}
    assert [name for name, kept in secrets_of(kvm_lab).items() if kept] == ["kvm1"]


def test_a_pool_that_is_nowhere_is_named_and_nothing_is_written(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver, pytest.raises(InputError) as caught:
        driver.set_pool_maintenance("nowhere", CLOSED)
    assert (caught.value.code, "nowhere" in caught.value.message) == ("pool_unknown", True)
    assert secrets_of(kvm_lab) == {name: [] for name in kvm_lab.hosts}


def test_a_host_that_does_not_answer_stops_neither_the_closing_nor_the_reading(kvm_lab: Lab) -> None:
    kvm_lab.hosts["kvm3"].kill_daemon()
    with driver_of(kvm_lab) as driver:
        driver.set_pool_maintenance(SHARED_POOL, CLOSED)
        with pytest.raises(HostUnreachable):
            driver.set_pool_maintenance(f"kvm3/{LOCAL_POOL}", CLOSED)
        kvm_lab.hosts["kvm3"].start_daemon()
    with driver_of(kvm_lab) as driver:
        assert driver.snapshot(LIGHT).pool_by_id[SHARED_POOL].maintenance == CLOSED
    assert {name: len(kept) for name, kept in secrets_of(kvm_lab).items()} == {"kvm1": 1, "kvm2": 1, "kvm3": 0}
