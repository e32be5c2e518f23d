# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pool of which host is which pool of the site."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domain_xml import DiskFacts
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.pools import HostPool, PoolMap, read_pool
from ansible_collections.vmops.migration.plugins.module_utils.model.options import HostOptions, PoolOptions, SiteOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import PoolScope, VolumeKind

NFS = """<pool type='netfs'><name>{name}</name><uuid>{uuid}</uuid><capacity>100</capacity><available>40</available>
  <source><host name='filer'/><dir path='/export/vms'/><format type='nfs'/></source><target><path>{path}</path></target></pool>"""


def nfs(uuid: str, name: str = "vms", path: str = "/mnt/vms") -> HostPool:
    return read_pool(NFS.format(uuid=uuid, name=name, path=path), active=True)


def folder(name: str, uuid: str, path: str = "/srv", active: bool = True) -> HostPool:
    return HostPool(name, uuid, "dir", path, active)


def pool_map(seen: dict[str, tuple[HostPool, ...]], **options: object) -> PoolMap:
    return PoolMap(seen, SiteOptions("libvirt", **options))  # type: ignore[arg-type]


def test_an_export_is_one_pool_whatever_its_uuids_are() -> None:
    seen = {"kvm1": (nfs("1"),), "kvm2": (nfs("2"),)}
    (pool,) = pool_map(seen).pools(frozenset(seen))
    assert (pool.id, pool.scope, pool.identity, pool.capacity_bytes, pool.free_bytes) == (
        "vms",
        PoolScope.CLUSTER,
        "netfs://filer/export/vms /mnt/vms",
        100,
        40,
    )


def test_an_export_under_another_path_is_another_pool() -> None:
    """A disk has one path on both hosts, so the same export elsewhere does not help it."""
    seen = {"kvm1": (nfs("1"),), "kvm2": (nfs("2", path="/other"),)}
    assert len(pool_map(seen).pools(frozenset(seen))) == 2


def test_a_file_of_an_export_may_have_users_wherever_it_is_mounted() -> None:
    own, elsewhere, other = nfs("1"), nfs("2", path="/other"), folder("vms", "4", path="/mnt/vms")
    known = pool_map({"kvm1": (own,), "kvm2": (elsewhere,), "kvm3": (other,)})
    assert known.same_storage("kvm1", own, "kvm2") == (elsewhere,)
    assert known.same_storage("kvm1", own, "kvm3") == ()


def test_folders_of_one_uuid_are_one_storage_unless_the_operator_says_that_they_are_not() -> None:
    here, there = folder("a", "1"), folder("b", "1", path="/elsewhere")
    seen = {"kvm1": (here,), "kvm2": (there,)}
    assert pool_map(seen).same_storage("kvm1", here, "kvm2") == (there,)
    alone = pool_map(seen, pools={"kvm1/a": PoolOptions(scope=PoolScope.HOST)})
    assert alone.same_storage("kvm1", here, "kvm2") == ()
    assert (alone.is_declared_local("kvm1", here), alone.is_declared_local("kvm2", there)) == (True, False)


def test_what_the_operator_calls_one_pool_is_one_storage() -> None:
    here, there = folder("a", "1"), folder("b", "2")
    known = pool_map({"kvm1": (here,), "kvm2": (there,)}, pools={"a": PoolOptions(identity="lun-7"), "b": PoolOptions(identity="lun-7")})
    assert known.same_storage("kvm1", here, "kvm2") == (there,)


def test_two_exports_of_one_name_are_told_apart() -> None:
    other = read_pool(NFS.format(uuid="3", name="vms", path="/mnt/vms").replace("filer", "filer2"), active=True)
    seen = {"kvm1": (nfs("1"),), "kvm2": (other,)}
    pools = pool_map(seen).pools(frozenset(seen))
    assert [pool.name for pool in pools] == ["vms", "vms"]
    assert len({pool.id for pool in pools}) == 2


def test_folders_are_local_unless_they_have_one_uuid() -> None:
    seen = {"kvm1": (folder("a", "1"), folder("b", "9")), "kvm2": (folder("a", "2"), folder("b", "9"))}
    pools = {pool.id: pool.scope for pool in pool_map(seen).pools(frozenset(seen))}
    assert pools == {"kvm1/a": PoolScope.HOST, "kvm2/a": PoolScope.HOST, "b": PoolScope.CLUSTER}


def test_the_operator_s_word_makes_folders_shared_and_leaves_that_unproven() -> None:
    seen = {"kvm1": (folder("a", "1"),), "kvm2": (folder("a", "2"),)}
    (declared,) = pool_map(seen, pools={"a": PoolOptions(scope=PoolScope.CLUSTER)}).pools(frozenset(seen))
    assert (declared.id, declared.identity) == ("a", None)
    (identified,) = pool_map(seen, pools={"a": PoolOptions(identity="lun-7")}).pools(frozenset(seen))
    assert (identified.id, identified.identity, identified.is_local) == ("a", "lun-7", False)


def test_the_operator_s_word_makes_a_pool_of_one_uuid_local() -> None:
    """Hosts made from one image have pools of one UUID that are not shared."""
    seen = {"kvm1": (folder("a", "1"),), "kvm2": (folder("a", "1"),)}
    pools = pool_map(seen, pools={"a": PoolOptions(scope=PoolScope.HOST)}).pools(frozenset(seen))
    assert [pool.id for pool in pools] == ["kvm1/a", "kvm2/a"]


def test_a_pool_of_hosts_in_two_clusters_is_the_zone_s() -> None:
    seen = {"kvm1": (nfs("1"),), "kvm2": (nfs("2"),)}
    hosts = {"kvm1": HostOptions(cluster="c1", zone="z"), "kvm2": HostOptions(cluster="c2", zone="z")}
    (pool,) = pool_map(seen, hosts=hosts).pools(frozenset(seen))
    assert (pool.scope, pool.cluster, pool.zone) == (PoolScope.ZONE, "", "z")


def disk(path: str = "", **facts: str) -> DiskFacts:
    return DiskFacts("vda", VolumeKind.ROOT, facts.pop("type", "file"), path, **facts)


def test_a_disk_is_in_the_innermost_active_pool_above_it() -> None:
    pools = (folder("outer", "1", "/srv"), folder("inner", "2", "/srv/inner/"), folder("off", "3", "/srv/inner/deep", active=False))
    found = pool_map({"kvm1": pools})
    assert found.pool_of(pools, disk("/srv/x")) == pools[0]
    assert found.pool_of(pools, disk("/srv/inner/deep/x")) == pools[1]
    assert found.pool_of(pools, disk("/srvx/y")) is None


def test_a_disk_on_the_network_is_in_the_pool_of_its_source() -> None:
    rbd = read_pool(
        "<pool type='rbd'><name>ceph</name><uuid>1</uuid><source><host name='b'/><host name='a' port='6789'/><name>vms</name></source></pool>", active=True
    )
    assert rbd.source == "rbd://a:6789,b/vms"
    found = pool_map({"kvm1": (rbd,)})
    assert found.pool_of((rbd,), disk("vms/web", type="network", protocol="rbd")) == rbd
    assert found.pool_of((rbd,), disk("other/web", type="network", protocol="rbd")) is None
    assert found.pool_of((rbd,), disk("web", type="volume", pool="ceph")) == rbd
