# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about disks and networks."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostNetwork
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Nic

from tests.unit.rules.world import WEB, host, reasons, site, web


@pytest.mark.rule("CAS-06", sign="+")
@pytest.mark.rule("CAS-06", sign="-")
def test_every_shared_pool_must_be_mounted_on_the_destination() -> None:
    two = web(volumes=(*WEB.volumes, Volume("web-data", device="vdb", pool="nfs-b")))
    pools = (*site().pools, Pool("nfs-b", "nfs-b", scope=PoolScope.CLUSTER, identity="filer:/b"))
    reason = reasons(site(vm=two, pools=pools))["pool_not_on_host"]
    assert "Pool nfs-b with disk vdb of VM web" in reason.message
    assert "kvm2" in reason.message
    assert "pool_not_on_host" not in reasons(site(host("kvm2", pools=frozenset({"nfs-a", "nfs-b"})), vm=two, pools=pools))


@pytest.mark.rule("CAS-06", sign="-")
def test_a_local_disk_needs_storage_motion() -> None:
    local = web(volumes=(Volume("web-root", VolumeKind.ROOT, device="vda", pool="kvm1/local"),))
    found = reasons(site(vm=local))
    assert "only host kvm1 reaches" in found["local_storage"].message
    assert "pool_not_on_host" not in found
    assert "local_storage" not in reasons(site())


def test_an_iso_image_is_to_be_ejected() -> None:
    cdrom = web(volumes=(*WEB.volumes, Volume("iso", VolumeKind.ISO, name="debian.iso", path="/srv/debian.iso", pool="kvm1/local")))
    reason = reasons(site(vm=cdrom))["local_storage"]
    assert "ISO image debian.iso" in reason.message
    assert reason.hint == "Eject the image."


def test_an_empty_drive_is_no_obstacle() -> None:
    assert reasons(site(vm=web(volumes=(*WEB.volumes, Volume("drive", VolumeKind.ISO))))) == {}


def test_a_disk_outside_any_pool_needs_a_consent() -> None:
    loose = web(volumes=(Volume("web-root", VolumeKind.ROOT, device="vda", path="/var/tmp/web.qcow2"),))
    assert reasons(site(vm=loose))["volume_not_in_pool"].overridable == "allow_unproven_sharing"
    assert not reasons(site(vm=loose), consents=frozenset({"allow_unproven_sharing"}))["volume_not_in_pool"].blocks


def test_a_path_below_a_proven_shared_pool_is_as_good_as_in_it() -> None:
    loose = web(volumes=(Volume("web-root", VolumeKind.ROOT, device="vda", path="/pools/nfs-a/other/web.qcow2"),))
    assert "volume_not_in_pool" not in reasons(site(vm=loose))
    unproven = (Pool("nfs-a", "nfs-a", scope=PoolScope.CLUSTER, path="/pools/nfs-a"),)
    assert "volume_not_in_pool" in reasons(site(vm=loose, pools=unproven))


@pytest.mark.rule("PCD-14", sign="+")
@pytest.mark.rule("PCD-14", sign="-")
def test_sharing_without_an_identity_is_a_warning_in_generic_and_needs_a_consent_in_pcd() -> None:
    unproven = (Pool("nfs-a", "nfs-a", scope=PoolScope.CLUSTER),)
    reason = reasons(site(pools=unproven))["sharing_unproven"]
    assert not reason.blocks
    assert "site.pools.nfs-a.identity" in reason.hint
    assert reasons(site(pools=unproven, profile="pcd"))["sharing_unproven"].overridable == "allow_unproven_sharing"
    assert "sharing_unproven" not in reasons(site(profile="pcd"))


def test_a_pool_that_the_site_does_not_describe_is_told() -> None:
    assert "site.pools.nfs-a.scope" in reasons(site(pools=()))["fact_unknown"].message


@pytest.mark.rule("CAS-32", sign="+")
@pytest.mark.rule("CAS-32", sign="-")
def test_every_nic_must_find_its_network() -> None:
    two = web(nics=(*WEB.nics, Nic("52:54:00:00:00:02", "dmz")))
    reason = reasons(site(vm=two))["network_missing"]
    assert "no network dmz, which NIC 52:54:00:00:00:02 of VM web" in reason.message
    assert "network_missing" not in reasons(site(host("kvm2", networks=(HostNetwork("lan"), HostNetwork("dmz"))), vm=two))


@pytest.mark.rule("CAS-32", sign="-")
def test_a_network_of_another_type_does_not_serve() -> None:
    reason = reasons(site(host("kvm2", networks=(HostNetwork("lan", "ovs"),))))["network_type_mismatch"]
    assert "needs bridge" in reason.message
    assert reason.blocks
    assert "network_type_mismatch" not in reasons(site(host("kvm2", networks=(HostNetwork("lan", "ovs"), HostNetwork("lan", "bridge")))))


def test_a_user_mode_nic_needs_no_network() -> None:
    assert reasons(site(host("kvm2", networks=()), vm=web(nics=(Nic("52:54:00:00:00:01", "", "user"),)))) == {}


def test_networks_that_are_not_known_are_told() -> None:
    assert "site.hosts.kvm2.networks" in reasons(site(host("kvm2", networks=None)))["fact_unknown"].message
    assert "fact_unknown" in reasons(site(vm=web(nics=(Nic("52:54:00:00:00:01", "/run/vhu0", "vhostuser"),))))
