# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A claim of memory is refused where it would over-commit a host or bring together what must be apart."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import HostLoad, LoadEntry
from ansible_collections.vmops.migration.plugins.module_utils.execution.claims import memory_admission
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Claim, ClaimKind, Controller
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm

DB = Vm("u-db", "db", "kvm1", memory_mib=400)


def memory_claim(vm: str, amount_mib: int) -> Claim:
    return Claim(ClaimKind.MEMORY, "kvm2", vm, "op", Controller(), 0.0, 0.0, amount_mib)


def code(load: HostLoad, apart_from: frozenset[str] = frozenset()) -> str:
    refused = memory_admission(DB, apart_from)(load)
    return refused.code if refused else ""


def test_exactly_fitting_memory_is_granted_and_one_mebibyte_less_is_not() -> None:
    assert code(HostLoad("kvm2", 1000, 100, (LoadEntry("u-1", 500),))) == ""
    assert code(HostLoad("kvm2", 999, 100, (LoadEntry("u-1", 500),))) == "insufficient_memory"


def test_memory_that_others_claimed_counts() -> None:
    assert code(HostLoad("kvm2", 1000, 0, (LoadEntry("u-1", 500),), (memory_claim("u-2", 200),))) == "insufficient_memory"


def test_a_vm_that_has_arrived_is_not_counted_twice_with_its_claim() -> None:
    assert code(HostLoad("kvm2", 1000, 0, (LoadEntry("u-2", 500),), (memory_claim("u-2", 500),))) == ""


def test_its_own_incoming_half_is_not_counted_against_it() -> None:
    assert code(HostLoad("kvm2", 500, 0, (LoadEntry("u-db", 400),))) == ""


def test_a_closed_host_is_refused() -> None:
    assert code(HostLoad("kvm2", 9999, 0, is_open=False)) == "host_in_maintenance"


def test_a_full_count_of_vms_is_refused() -> None:
    assert code(HostLoad("kvm2", 9999, 0, (LoadEntry("u-1", 1),), (memory_claim("u-2", 1),), max_vms=2)) == "max_vms_reached"


def test_a_vm_that_must_be_apart_is_seen_even_on_its_way() -> None:
    load = HostLoad("kvm2", 9999, 0, claims=(memory_claim("u-enemy", 1),))
    assert code(load, frozenset({"u-enemy"})) == "anti_affinity"


def test_unknown_memory_is_not_refused_here_because_the_rules_have_warned() -> None:
    assert code(HostLoad("kvm2", None, 0)) == ""
