# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding hosts and VMs, and keeping a site fresh with partial snapshots."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Vm

SITE = Site(
    hosts=(Host("kvm1"), Host("kvm2"), Host("kvm3", state=HostState.UNREACHABLE)),
    vms=(Vm("u-1", "web", "kvm1"), Vm("u-2", "web", "kvm2"), Vm("u-3", "db", "kvm1")),
)


def test_a_vm_is_found_by_name_or_id() -> None:
    assert SITE.find_vm("db", "vm").id == "u-3"
    assert SITE.find_vm("u-2", "vm").host == "kvm2"


def test_a_name_that_two_vms_have_lists_both_ids() -> None:
    with pytest.raises(InputError, match="u-1 on kvm1, u-2 on kvm2") as caught:
        SITE.find_vm("web", "vm")
    assert caught.value.code == "vm_ambiguous"


def test_an_unknown_vm_names_the_hosts_that_did_not_answer() -> None:
    with pytest.raises(InputError, match="did not answer: kvm3") as caught:
        SITE.find_vm("mail", "vm")
    assert caught.value.code == "vm_unknown"


def test_an_unknown_host_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="Known hosts: kvm1, kvm2, kvm3") as caught:
        SITE.find_host("kvm9", "hosts")
    assert caught.value.code == "host_unknown"


def test_a_partial_snapshot_replaces_its_hosts_and_their_vms_only() -> None:
    part = Site(taken_at=9.0, hosts=(Host("kvm1", memory_mib=5),), vms=(Vm("u-2", "web", "kvm1"),))
    fresh = SITE.refreshed(part)
    assert {vm.id: vm.host for vm in fresh.vms} == {"u-2": "kvm1"}
    assert fresh.host_by_name["kvm1"].memory_mib == 5
    assert fresh.host_by_name["kvm3"].state is HostState.UNREACHABLE
