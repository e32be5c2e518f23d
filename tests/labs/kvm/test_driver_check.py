# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libvirt driver's pre-check right before a start: what would fail is named, on both ends, and nothing is written."""

from __future__ import annotations

import dataclasses

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domain_xml import read_domain
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.migrate import Ends
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.precheck import compare_processor
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import Migration
from ansible_collections.vmops.migration.plugins.module_utils.model.reason import Reason, blocking
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions, Transport

from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, site_options, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm


def check(lab: Lab, guest: Guest, options: MoveOptions | None = None, **changes: object) -> tuple[Reason, ...]:
    """The pre-check of a move from kvm1 to kvm2."""
    with driver_of(lab, **changes) as driver:
        return driver.check(migration_of(guest, "kvm1", "kvm2"), options or MoveOptions())


def with_peer_uri(lab: Lab, uri: str) -> dict[str, object]:
    """The lab's hosts, with another way for kvm1 to reach kvm2."""
    hosts = site_options(lab).hosts
    return {"hosts": {**hosts, "kvm2": dataclasses.replace(hosts["kvm2"], peer_uri=uri)}}


def test_a_good_move_has_nothing_against_it_and_the_check_changes_nothing(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", nic="guests")
    kvm_lab.guest("off1", "kvm1", start=False)
    guest.reset_gap()
    before = kvm_lab.snapshot_state()
    assert check(kvm_lab, guest) == ()
    assert kvm_lab.snapshot_state() == before
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}


@pytest.mark.rule("CAS-18", sign="-")
def test_a_vm_of_the_same_id_on_the_destination_is_found(kvm_lab: Lab) -> None:
    """libvirt would take over a shut-off definition of the same name and UUID without a word."""
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm1"].connection() as source, kvm_lab.hosts["kvm2"].connection() as target:
        target.defineXML(source.lookupByUUIDString(guest.uuid).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    assert [reason.code for reason in blocking(check(kvm_lab, guest))] == ["uuid_on_target"]


def test_another_vm_of_the_same_name_on_the_destination_is_found(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    other = kvm_lab.guest("web1", "kvm2", start=False)
    (reason,) = blocking(check(kvm_lab, guest))
    assert reason.code == "name_on_target"
    assert other.uuid in reason.message


@pytest.mark.rule("PCD-14", sign="-")
def test_a_disk_that_the_destination_does_not_see_is_found(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", pool="local")
    (reason,) = blocking(check(kvm_lab, guest))
    assert reason.code == "volume_not_on_host"
    assert "/srv/local/" in reason.message
    assert "kvm2" in reason.message


def test_a_disk_in_no_pool_of_the_destination_is_a_warning(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm2"].connection() as connection:
        connection.storagePoolLookupByName("shared").destroy()
    reasons = check(kvm_lab, guest)
    assert blocking(reasons) == ()
    assert [reason.code for reason in reasons] == ["sharing_unproven"]


def test_a_new_disk_is_found_although_the_destination_has_not_looked_since(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm2"].connection() as connection, pytest.raises(libvirt.libvirtError):
        connection.storageVolLookupByPath(f"/srv/shared/{guest.spec.image_name}")
    assert check(kvm_lab, guest) == ()


def test_a_guest_that_is_off_by_now_is_found(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", start=False)
    assert [reason.code for reason in check(kvm_lab, guest)] == ["power_state_changed"]


def test_a_guest_that_is_being_migrated_is_found(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=4)
    with driver_of(kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm3")
        note = note_of(migration)
        driver.write_note(migration, note)
        job = driver.start(migration, note, MoveOptions(bandwidth_mib_s=8))
        while not driver.in_flight():
            pass
        assert [reason.code for reason in check(kvm_lab, guest)] == ["operation_in_progress"]
        driver.cancel(job)
        wait_for_end(driver, job)


def test_a_destination_that_does_not_answer_is_named(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    kvm_lab.hosts["kvm2"].kill_daemon()
    (reason,) = check(kvm_lab, guest)
    assert reason.code == "host_unreachable"
    assert "kvm2" in reason.message


@pytest.mark.parametrize("trouble", ["no client certificate", "client of another authority", "server of another authority"])
def test_peers_that_do_not_trust_each_other_are_both_named_with_what_is_missing(authenticated_kvm_lab: Lab, trouble: str) -> None:
    guest = authenticated_kvm_lab.guest("web1", "kvm1")
    certificates = authenticated_kvm_lab.certificates
    if trouble == "no client certificate":
        certificates.remove_client_certificate("kvm1")
    elif trouble == "client of another authority":
        certificates.make_client_a_stranger("kvm1")
    else:
        certificates.make_server_a_stranger("kvm2")
        authenticated_kvm_lab.hosts["kvm2"].restart_daemon()
    with driver_of(authenticated_kvm_lab, "unix") as driver:
        (reason,) = driver.check(migration_of(guest, "kvm1", "kvm2"), MoveOptions())
    assert reason.code == "peer_unreachable"
    assert reason.blocks
    assert "kvm1 cannot open kvm2" in reason.message
    assert "certificate" in reason.message
    assert "/etc/pki" in reason.hint
    assert authenticated_kvm_lab.where(guest) == {"kvm1": ("running", True)}


def test_a_closed_port_between_the_peers_is_named(authenticated_kvm_lab: Lab) -> None:
    guest = authenticated_kvm_lab.guest("web1", "kvm1")
    closed = authenticated_kvm_lab.hosts["kvm2"].peer_uri("tcp")
    (reason,) = check(authenticated_kvm_lab, guest, **with_peer_uri(authenticated_kvm_lab, closed))
    assert reason.code == "peer_unreachable"
    assert "kvm2 refuses the connection" in reason.message


def test_a_name_that_the_source_cannot_resolve_is_named(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    (reason,) = check(kvm_lab, guest, **with_peer_uri(kvm_lab, "qemu+tls://no-such-host.invalid/system"))
    assert reason.code == "peer_unreachable"
    assert "kvm1 cannot resolve it" in reason.message


def test_a_failed_start_says_the_same_as_the_check(authenticated_kvm_lab: Lab) -> None:
    guest = authenticated_kvm_lab.guest("web1", "kvm1")
    authenticated_kvm_lab.certificates.remove_client_certificate("kvm1")
    with driver_of(authenticated_kvm_lab, "unix") as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        note = note_of(migration)
        driver.write_note(migration, note)
        last = wait_for_end(driver, driver.start(migration, note, MoveOptions()))[-1]
        driver.rollback(migration, note)
    assert "kvm1 cannot open kvm2" in last.message
    assert "a client certificate of kvm1" in last.message


def test_managed_transport_needs_no_trust_between_the_hosts_and_warns(authenticated_kvm_lab: Lab) -> None:
    guest = authenticated_kvm_lab.guest("web1", "kvm1")
    authenticated_kvm_lab.certificates.remove_client_certificate("kvm1")
    options = MoveOptions(transport=Transport.MANAGED)
    with driver_of(authenticated_kvm_lab) as driver:
        migration = migration_of(guest, "kvm1", "kvm2")
        reasons = driver.check(migration, options)
        assert [reason.code for reason in reasons] == ["managed_transport"]
        assert blocking(reasons) == ()
        note = note_of(migration)
        driver.write_note(migration, note)
        wait_for_end(driver, driver.start(migration, note, options))
        driver.finish(migration, note)
    assert authenticated_kvm_lab.where(guest) == {"kvm2": ("running", True)}


@pytest.mark.rule("PCD-09", sign="-")
def test_a_processor_that_lacks_features_is_named_with_them(kvm_lab: Lab) -> None:
    """The lab's hosts are all alike, so the guest's definition is given a CPU that none of them has."""
    guest = kvm_lab.guest("web1", "kvm1")
    driver = LibvirtDriver(site_options(kvm_lab))
    ends = Ends(driver._hosts.get("kvm1"), driver._hosts.get("kvm2"))
    migration: Migration = migration_of(guest, "kvm1", "kvm2")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        facts = read_domain(connection.lookupByUUIDString(guest.uuid).XMLDesc())
    haswell = dataclasses.replace(facts, cpu_xml="<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>Haswell</model></cpu>")
    (reason,) = ends.target.run("comparing", lambda connection: compare_processor(connection, ends, migration, haswell))
    driver.close()
    assert reason.code == "cpu_incompatible"
    assert reason.blocks
    assert "kvm2" in reason.message
    assert {"hle", "rtm", "pcid"} <= {word.strip(",. ") for word in reason.message.split()}
