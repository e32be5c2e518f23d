# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose the volumes of a pool are."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.execution.pool_reasons import with_reasons
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import Pool, PoolScope, Volume, VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.pool_content import Owner, PoolContent
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import hard
from ansible_collections.vmops.migration.plugins.module_utils.model.site import Site
from ansible_collections.vmops.migration.plugins.module_utils.planning.pool_contents import contents_of

from tests.unit.planning.world import host, site, vm

OLD = Pool("old", "old", "netfs", PoolScope.ZONE, path="/srv/old")
NEW = Pool("new", "new", "netfs", PoolScope.ZONE, path="/srv/new")
LOCALS = tuple(Pool(f"{name}/local", "local", "dir", path="/srv/local") for name in ("kvm1", "kvm2"))


def volume(name: str, pool: str = "old", **facts: object) -> Volume:
    folder = "local" if pool.endswith("/local") else pool
    return Volume(f"{pool}/{name}", name=name, path=f"/srv/{folder}/{name}", pool=pool, **facts)  # type: ignore[arg-type]


def world(*disks: tuple[str, Volume], loose: tuple[Volume, ...] = ()) -> Site:
    """A VM for each of the disks, by name, on kvm1."""
    hosts = [host(name, pools=frozenset({"old", "new", f"{name}/local"})) for name in ("kvm1", "kvm2")]
    names = dict.fromkeys(name for name, _disk in disks)
    vms = [vm(name, "kvm1", volumes=tuple(disk for owner, disk in disks if owner == name)) for name in names]
    return site(hosts, vms, pools=(OLD, NEW, *LOCALS), volumes=loose)


def of(found: Site, pool: str = "old") -> dict[str, PoolContent]:
    return {content.name: content for content in contents_of(found, frozenset({pool}))}


def test_a_disk_belongs_to_its_vm_and_a_shared_one_to_all_of_them() -> None:
    found = of(world(("web", volume("root", capacity_bytes=10, allocated_bytes=4)), ("a", volume("quorum")), ("b", volume("quorum"))))
    assert (found["root"].owner, found["root"].vms, found["root"].size_bytes) == (Owner.VM, ("web",), 4)
    assert found["quorum"].vms == ("a", "b")
    assert all(content.is_needed for content in found.values())


def test_what_a_disk_elsewhere_rests_on_is_needed_whether_it_is_listed_or_not() -> None:
    clone = volume("clone", "new", backing=("/srv/old/debian.qcow2", "/srv/old/base.qcow2"))
    for loose in ((), (volume("debian.qcow2", capacity_bytes=7), volume("base.qcow2"))):
        found = of(world(("web", clone), loose=loose))
        assert set(found) == {"debian.qcow2", "base.qcow2"}
        assert {content.owner for content in found.values()} == {Owner.TEMPLATE}
        assert all(content.vms == ("web",) for content in found.values())
    assert found["debian.qcow2"].size_bytes == 7
    assert of(world(("web", clone)), "new")["clone"].owner is Owner.VM


def test_local_pools_of_two_hosts_have_the_same_path_and_are_not_mistaken_for_each_other() -> None:
    found = world(("web", volume("clone", "new", backing=("/srv/local/base.qcow2",))))
    assert set(of(found, "kvm1/local")) == {"base.qcow2"}
    assert of(found, "kvm2/local") == {}


def test_media_are_told_from_orphans_and_a_medium_in_a_drive_is_needed() -> None:
    drive = volume("setup.iso", kind=VolumeKind.ISO)
    found = of(world(("web", drive), loose=(volume("rescue.ISO"), volume("export.raw"))))
    assert {name: (content.owner, content.is_needed) for name, content in found.items()} == {
        "setup.iso": (Owner.ISO, True),
        "rescue.ISO": (Owner.ISO, False),
        "export.raw": (Owner.ORPHAN, False),
    }


def test_a_volume_of_nobody_on_which_another_one_rests_says_so() -> None:
    found = of(world(loose=(volume("base"), volume("top", backing=("/srv/old/base",)))))
    assert (found["base"].owner, found["base"].volumes) == (Owner.TEMPLATE, ("old/top",))
    assert found["top"].owner is Owner.ORPHAN


def test_everything_that_is_left_says_why() -> None:
    found = world(
        ("web", volume("root")),
        ("db", volume("db-root")),
        ("other", volume("other-root")),
        ("late", volume("late-root")),
        ("web", volume("setup.iso", kind=VolumeKind.ISO)),
        ("web", volume("clone", "new", backing=("/srv/old/base",))),
        loose=(volume("export"),),
    )
    wanted = frozenset({"web", "db", "late"})
    told = with_reasons(found, contents_of(found, frozenset({"old"})), wanted, {"web": (hard("pinned", "Pinned."),)}, allow_partial=False)
    assert {content.name: [reason.code for reason in content.reasons] for content in told} == {
        "root": ["pinned"],
        "db-root": ["plan_incomplete"],
        "late-root": ["plan_incomplete"],
        "other-root": ["not_selected"],
        "setup.iso": ["iso_in_use"],
        "base": ["template_in_use"],
        "export": ["unused"],
    }
    alone = with_reasons(found, contents_of(found, frozenset({"old"})), wanted, {}, allow_partial=False)
    assert [reason.code for content in alone if content.name == "late-root" for reason in content.reasons] == ["arrived_meanwhile"]
