# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator knows is laid over what the hypervisor said."""

from __future__ import annotations

import dataclasses

from ansible_collections.vmops.migration.plugins.module_utils.model.codec import decode
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host, HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.options import SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.overlay import apply_overlay
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import AffinityKind, Vm, VmKind

SITE = Site(
    hosts=(Host("kvm1", memory_mib=65536, tags=frozenset({"gpu"})), Host("kvm2")),
    pools=(Pool("kvm1/local", "local"), Pool("nfs-a", "nfs-a")),
    vms=(Vm("u-1", "web1", "kvm1"), Vm("u-2", "web2", "kvm2")),
)


def laid_over(**options: object) -> Site:
    return apply_overlay(SITE, decode(SiteOptions, {"driver": "libvirt", **options}, "site"))


def test_a_given_fact_wins_and_tags_are_united() -> None:
    host = laid_over(hosts={"kvm1": {"memory_mib": 1024, "tags": ["ssd"], "os_name": "debian"}}).host_by_name["kvm1"]
    assert (host.memory_mib, host.tags, host.os_name) == (1024, {"gpu", "ssd"}, "debian")


def test_a_fact_that_is_not_given_stays() -> None:
    assert laid_over(hosts={"kvm1": {"pod": "p1"}}).host_by_name["kvm1"].memory_mib == 65536


def test_a_pool_is_named_by_its_id_or_its_name() -> None:
    pools = laid_over(pools={"kvm1/local": {"tags": ["slow"]}, "nfs-a": {"scope": "cluster", "cluster": "c1"}}).pool_by_id
    assert pools["kvm1/local"].tags == {"slow"}
    assert (pools["nfs-a"].scope, pools["nfs-a"].cluster) == (PoolScope.CLUSTER, "c1")


def test_vms_that_name_the_same_group_are_in_it() -> None:
    rule = {"affinity": [{"group": "web", "kind": "anti_affinity"}]}
    site = laid_over(vms={"web1": rule, "u-2": rule})
    (group,) = site.affinity_groups
    assert (group.kind, group.vms, group.required) == (AffinityKind.ANTI_AFFINITY, {"u-1", "u-2"}, True)


def test_a_vm_can_be_declared_a_system_vm() -> None:
    assert laid_over(vms={"web1": {"kind": "router"}}).vm_by_id["u-1"].kind is VmKind.ROUTER


def test_an_overlay_for_nothing_is_told() -> None:
    site = laid_over(vms={"wbe1": {}}, pools={"nfs-b": {}})
    assert [reason.code for reason in site.warnings] == ["overlay_unused", "overlay_unused"]
    assert "site.vms.wbe1" in site.warnings[1].message


def test_a_mistyped_host_link_or_limit_is_told_too() -> None:
    limits = {"hosts": {"kvm11": 1}, "links": {"rak1": 1}}
    site = laid_over(hosts={"kvm3": {}}, links={"rack1": {"hosts": ["kvm1", "kvm9"], "bandwidth_mbps": 1}}, limits=limits)
    told = " ".join(reason.message for reason in site.warnings)
    assert all(name in told for name in ("site.hosts.kvm3", "site.limits.hosts.kvm11", "site.limits.links.rak1", "site.links.rack1.hosts.kvm9"))


def test_what_a_part_of_the_site_lacks_is_not_told() -> None:
    options = decode(SiteOptions, {"driver": "libvirt", "vms": {"elsewhere": {}}}, "site")
    assert apply_overlay(SITE, options, is_whole=False).warnings == ()


def test_what_a_silent_host_may_have_is_not_told() -> None:
    silent = dataclasses.replace(SITE, hosts=(*SITE.hosts, Host("kvm3", state=HostState.UNREACHABLE)))
    assert apply_overlay(silent, decode(SiteOptions, {"driver": "libvirt", "vms": {"elsewhere": {}}}, "site")).warnings == ()
