# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operator describes the hosts in the inventory only; the site that the modules are told follows from it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.vmops.migration.plugins.filter.site_from_inventory import FilterModule
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions

site_from_inventory = FilterModule().filters()["site_from_inventory"]
FACTS = {
    "distribution": "Debian",
    "distribution_version": "12.5",
    "interfaces": ["lo", "eth0", "bond-1.20"],
    "eth0": {"ipv4": {"address": "10.77.0.11"}, "speed": 1000},
    "bond_1_20": {"ipv4": {"address": "10.78.0.11"}, "speed": 25000},
}


def hosts_of(**variables: Any) -> dict[str, Any]:
    """The entry of one inventory host with these variables."""
    hosts: dict[str, Any] = site_from_inventory({"driver": "libvirt"}, {"kvm1": variables}, ["kvm1"])["hosts"]
    return hosts


def test_host_variables_become_the_host_s_entry_and_the_modules_accept_it() -> None:
    site = site_from_inventory(
        {"driver": "libvirt", "limits": {"migrations_per_host": 2}},
        {"kvm1": {"vmops_uri": "qemu+tls://kvm1/system", "vmops_cluster": "c1", "vmops_tags": ["ssd"], "ansible_host": "10.0.0.1"}, "kvm2": {}},
        ["kvm1", "kvm2"],
    )
    assert site["hosts"] == {"kvm1": {"uri": "qemu+tls://kvm1/system", "cluster": "c1", "tags": ["ssd"]}, "kvm2": {}}
    options = decode(SiteOptions, site, "site")
    assert options.hosts["kvm1"].uri == "qemu+tls://kvm1/system"
    assert options.limits.migrations_per_host == 2


def test_a_site_that_brings_its_own_hosts_is_taken_whole() -> None:
    site = {"driver": "libvirt", "hosts": {"other": {"uri": "qemu:///system"}}}
    assert site_from_inventory(site, {"kvm1": {"vmops_uri": "x"}}, ["kvm1"]) == site


def test_gathered_facts_fill_what_the_inventory_leaves_open() -> None:
    entry = hosts_of(vmops_migration_address="10.78.0.11", ansible_facts=FACTS)["kvm1"]
    assert entry == {"migration_address": "10.78.0.11", "os_name": "debian", "os_version": "12.5", "migration_link_mbps": 25000}


def test_the_inventory_s_own_word_counts_more_than_a_gathered_fact() -> None:
    entry = hosts_of(vmops_migration_address="10.78.0.11", vmops_migration_link_mbps=10000, vmops_os_version="12", ansible_facts=FACTS)["kvm1"]
    assert (entry["migration_link_mbps"], entry["os_version"]) == (10000, "12")


def test_a_link_speed_that_the_kernel_does_not_know_is_left_out() -> None:
    facts = {**FACTS, "bond_1_20": {"ipv4": {"address": "10.78.0.11"}, "speed": -1}}
    assert "migration_link_mbps" not in hosts_of(vmops_migration_address="10.78.0.11", ansible_facts=facts)["kvm1"]


def test_a_misspelt_variable_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        AnsibleFilterError, match=re.escape("vmops_peeruri of inventory host kvm1 is not a variable of vmops.migration. Did you mean vmops_peer_uri?")
    ):
        hosts_of(vmops_peeruri="qemu+tls://kvm1/system")


@pytest.mark.parametrize(("site", "hosts"), [("libvirt", ["kvm1"]), ({"driver": "libvirt"}, "kvm1"), ({"driver": "libvirt"}, 3)])
def test_input_of_another_form_is_refused(site: Any, hosts: Any) -> None:
    with pytest.raises(AnsibleFilterError):
        site_from_inventory(site, {"kvm1": {}}, hosts)
