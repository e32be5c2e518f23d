# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source's file goes only when nobody needs it, on any host that sees it: mounted elsewhere, under another pool's name, or on a host that is silent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Verdict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Mode
from ansible_collections.vmops.migration.plugins.module_utils.model.options import PoolOptions
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import PoolScope
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason

from tests.labs.kvm.cold_world import begin, cold_migration, local_to_local
from tests.labs.kvm.driver_world import driver_of, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.storage_world import extra_pool

pytestmark = pytest.mark.kvm

ELSEWHERE = "/mnt/mounted-elsewhere"


@pytest.fixture
def common_folder(kvm_lab: Lab) -> Iterator[str]:
    """One folder that kvm1 and kvm3 have as a pool, each under a path and a name of its own."""
    identity = str(uuid.uuid4())
    extra_pool(kvm_lab.hosts["kvm1"], "export", within="shared", uuid=identity)
    there = kvm_lab.hosts["kvm3"]
    there.run(["mkdir", "-p", ELSEWHERE])
    there.run(["mount", "--bind", "/srv/shared/export", ELSEWHERE])
    with there.connection() as connection:
        xml = f"<pool type='dir'><name>from-nas</name><uuid>{identity}</uuid><target><path>{ELSEWHERE}</path></target></pool>"
        connection.storagePoolDefineXML(xml).create()
    yield "/srv/shared/export"
    if there.is_powered():
        there.run(["umount", "--lazy", ELSEWHERE])


def on_common_folder(lab: Lab, folder: str) -> Guest:
    """A guest of kvm1 that is off, with its disk in that folder."""
    guest = lab.guest("web1", "kvm1", pool="local", start=False)
    host = lab.hosts["kvm1"]
    host.run(["mv", f"/srv/local/{guest.image.name}", f"{folder}/{guest.image.name}"])
    with host.connection() as connection:
        connection.defineXML(connection.lookupByUUIDString(guest.uuid).XMLDesc(0).replace("/srv/local/", f"{folder}/"))
    return guest


def moved_away(lab: Lab, guest: Guest, after_the_move: object = None) -> tuple[Reason, ...]:
    """What is told when its disk was copied to the local pool and the file it came from is to go."""
    with driver_of(lab) as driver:
        migration = cold_migration(guest, "kvm1", "kvm1", {"hda": ("export", "kvm1/local")}, Mode.OFFLINE)
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        assert driver.verify(migration, job.note).verdict is Verdict.ARRIVED
        if callable(after_the_move):
            after_the_move()
        return driver.finish(migration, job.note)


def test_a_user_that_sees_the_file_under_another_path_keeps_it(kvm_lab: Lab, common_folder: str) -> None:
    guest = on_common_folder(kvm_lab, common_folder)
    other = kvm_lab.guest("web2", "kvm3", pool="local", start=False)
    with kvm_lab.hosts["kvm3"].connection() as connection:
        xml = connection.lookupByUUIDString(other.uuid).XMLDesc(0)
        connection.defineXML(xml.replace(f"/srv/local/{other.image.name}", f"{ELSEWHERE}/{guest.image.name}"))
    (reason,) = moved_away(kvm_lab, guest)
    assert (reason.code, "VM web2 on kvm3" in reason.message) == ("source_in_use", True)
    assert kvm_lab.hosts["kvm1"].run(["ls", common_folder]).split() == [guest.image.name]


def test_a_volume_that_rests_on_it_there_keeps_it(kvm_lab: Lab, common_folder: str) -> None:
    guest = on_common_folder(kvm_lab, common_folder)
    kvm_lab.hosts["kvm3"].run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f"{ELSEWHERE}/{guest.image.name}", "/srv/local/clone.qcow2"])
    with kvm_lab.hosts["kvm3"].connection() as connection:
        connection.storagePoolLookupByName("local").refresh()
    (reason,) = moved_away(kvm_lab, guest)
    assert (reason.code, "volume clone.qcow2 on kvm3" in reason.message) == ("source_in_use", True)


def test_a_host_that_falls_silent_on_the_way_and_may_use_the_file_keeps_it(kvm_lab: Lab, common_folder: str) -> None:
    guest = on_common_folder(kvm_lab, common_folder)
    (reason,) = moved_away(kvm_lab, guest, kvm_lab.hosts["kvm3"].power_off)
    assert (reason.code, "may be used on kvm3" in reason.message) == ("source_in_use", True)
    assert kvm_lab.hosts["kvm1"].run(["ls", common_folder]).split() == [guest.image.name]


@pytest.mark.parametrize("said", [True, False], ids=["said to be of its host alone", "not said"])
def test_a_host_that_was_silent_from_the_start_may_have_the_pool_unless_the_operator_knows_better(kvm_lab: Lab, said: bool) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local", start=False)
    kvm_lab.hosts["kvm3"].power_off()
    pools = {"local": PoolOptions(scope=PoolScope.HOST)} if said else {}
    with driver_of(kvm_lab, pools=pools) as driver:
        migration = local_to_local(guest, Mode.OFFLINE)
        job = begin(driver, guest, migration)
        wait_for_end(driver, job)
        found = driver.finish(migration, job.note)
    assert [(reason.code, "may be used on kvm3" in reason.message) for reason in found] == ([] if said else [("source_in_use", True)])
    assert kvm_lab.hosts["kvm1"].run(["ls", "/srv/local"]).split() == ([] if said else [guest.image.name])


def test_nobody_else_and_the_file_goes(kvm_lab: Lab, common_folder: str) -> None:
    guest = on_common_folder(kvm_lab, common_folder)
    assert moved_away(kvm_lab, guest) == ()
    assert kvm_lab.hosts["kvm1"].run(["ls", common_folder]).split() == []
