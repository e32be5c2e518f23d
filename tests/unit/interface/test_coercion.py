# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What templates and YAML do to numbers and texts is undone, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.interface.coercion import prepared
from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions


def site(**parts: Any) -> SiteOptions:
    return decode(SiteOptions, prepared(SiteOptions, {"driver": "libvirt", **parts}), "site")


def test_texts_of_old_templates_become_numbers_and_truth_values() -> None:
    options = site(
        hosts={"kvm1": {"memory_mib": "4096", "migration_link_mbps": " 10000 "}},
        vms={"web": {"dirty_rate_mib_s": "2.5", "policy": {"pinned": "yes", "priority": "3"}, "affinity": [{"group": "a", "required": "False"}]}},
        links={"rack": {"hosts": ["kvm1"], "bandwidth_mbps": "40000"}},
        limits={"hosts": {"kvm1": "2"}},
    )
    assert options.hosts["kvm1"].memory_mib == 4096
    assert options.hosts["kvm1"].migration_link_mbps == 10000
    assert options.vms["web"].dirty_rate_mib_s == 2.5
    assert options.vms["web"].policy is not None
    assert options.vms["web"].policy.pinned is True
    assert options.vms["web"].policy.priority == 3
    assert options.vms["web"].affinity[0].required is False
    assert options.limits.hosts == {"kvm1": 2}


def test_whole_numbers_become_texts_where_a_text_is_wanted() -> None:
    assert site(hosts={"kvm1": {"os_version": 12}}).hosts["kvm1"].os_version == "12"


def test_a_fraction_never_becomes_a_text_for_it_may_have_lost_a_zero() -> None:
    with pytest.raises(InputError, match=r"site\.hosts\.kvm1\.os_version: expected a text, got 22\.1"):
        site(hosts={"kvm1": {"os_version": 22.10}})


def test_nothing_below_a_name_means_nothing_special_about_it() -> None:
    assert site(hosts={"kvm1": None}).hosts["kvm1"].uri == ""


def test_an_option_that_is_none_is_as_if_it_were_not_given() -> None:
    assert site(hosts={"kvm1": {"uri": None, "memory_mib": None}}).hosts["kvm1"].uri == ""


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"hosts": {"kvm1": {"memory_mib": "many"}}}, "site.hosts.kvm1.memory_mib"),
        ({"hosts": {"kvm1": {"memory": 5}}}, "site.hosts.kvm1.memory"),
        ({"hosts": ["kvm1"]}, "site.hosts"),
        ({"hosts": {"kvm1": "qemu:///system"}}, "site.hosts.kvm1"),
        ({"vms": {"web": {"affinity": [{"kind": "affinity"}]}}}, "site.vms.web.affinity[0].group"),
        ({"vms": {"web": {"affinity": [{"group": "a", "kind": "near"}]}}}, "site.vms.web.affinity[0].kind"),
        ({"pools": {"nfs": {"scope": "planet"}}}, "site.pools.nfs.scope"),
        ({"links": {"rack": {"hosts": ["kvm1"]}}}, "site.links.rack.bandwidth_mbps"),
        ({"limits": {"per_host": 1}}, "site.limits.per_host"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(parts: dict[str, Any], path: str) -> None:
    with pytest.raises(InputError) as caught:
        site(**parts)
    assert caught.value.option == path
