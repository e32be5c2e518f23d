# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of live moves, each shown by what QEMU does during the move, and by where the guest is afterwards."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.request import MoveOptions

from tests.labs.kvm.certificates import CertificateAuthority
from tests.labs.kvm.driver_world import driver_of, migration_of, note_of, read_vm, wait_for_copying, wait_for_end
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

SLOW_MIB_S = 8
ENCRYPTED = MoveOptions(encrypt=True, bandwidth_mib_s=SLOW_MIB_S)


def ask_qemu(lab: Lab, guest: Guest, host: str, command: str) -> Any:
    """QEMU's own word, past libvirt."""
    said = lab.hosts[host].run(["virsh", "qemu-monitor-command", guest.uuid, json.dumps({"execute": command})])
    return json.loads(said)["return"]


def abilities(lab: Lab, guest: Guest, host: str) -> set[str]:
    """What is switched on for the migration that is under way."""
    return {entry["capability"] for entry in ask_qemu(lab, guest, host, "query-migrate-capabilities") if entry["state"]}


def start(driver: LibvirtDriver, guest: Guest, options: MoveOptions) -> Job:
    migration = migration_of(guest, "kvm1", "kvm2")
    assert [reason for reason in driver.check(migration, options) if reason.blocks] == []
    note = driver.write_note(migration, note_of(migration, read_vm(driver, guest)), options)
    return driver.start(migration, note, options)


def arrives(driver: LibvirtDriver, job: Job, lab: Lab, guest: Guest) -> None:
    wait_for_end(driver, job)
    verification = driver.verify(job.migration, job.note)
    assert (verification.verdict, verification.reasons) == (Verdict.ARRIVED, ())
    assert driver.finish(job.migration, job.note) == ()
    assert lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.is_beating()
    assert (guest.restarts(), guest.faults()) == (0, [])


@pytest.mark.parametrize(
    ("options", "able", "parameters"),
    [
        (MoveOptions(auto_converge=True), {"auto-converge"}, {}),
        (MoveOptions(compression="xbzrle"), {"xbzrle"}, {}),
        (MoveOptions(compression="mt"), {"compress"}, {}),
        (MoveOptions(connections=3), {"multifd"}, {"multifd-channels": 3}),
        (MoveOptions(post_copy=True), {"postcopy-ram"}, {"max-postcopy-bandwidth": SLOW_MIB_S * 2**20}),
        (MoveOptions(max_downtime_ms=700), set(), {"downtime-limit": 700}),
        (MoveOptions(), set(), {"max-bandwidth": SLOW_MIB_S * 2**20, "tls-creds": ""}),
    ],
    ids=["auto_converge", "xbzrle", "mt", "connections", "post_copy", "max_downtime", "bandwidth"],
)
@pytest.mark.matrix
def test_an_option_reaches_qemu_and_the_guest_its_destination(kvm_lab: Lab, options: MoveOptions, able: set[str], parameters: dict[str, object]) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=2)
    # What is compressed well would be there before it could be looked at.
    bounded = dataclasses.replace(options, bandwidth_mib_s=1 if options.compression == "mt" else SLOW_MIB_S)
    with driver_of(kvm_lab) as driver:
        job = start(driver, guest, bounded)
        wait_for_copying(driver, job)
        switched_on = abilities(kvm_lab, guest, "kvm1")
        set_to = ask_qemu(kvm_lab, guest, "kvm1", "query-migrate-parameters")
        arrives(driver, job, kvm_lab, guest)
    optional = {"auto-converge", "xbzrle", "compress", "multifd", "postcopy-ram"}
    assert switched_on & optional == able
    assert {name: set_to.get(name) for name in parameters} == parameters


def test_what_is_encrypted_is_encrypted_under_the_name_that_the_certificate_has(authenticated_kvm_lab: Lab) -> None:
    """The destination's certificate knows its management address alone, and memory goes to its migration address."""
    lab = authenticated_kvm_lab
    guest = lab.guest("web1", "kvm1", dirty_mib_s=2)
    use_certificate(lab, "kvm2", [f"IP:{lab.hosts['kvm2'].management_address}"])
    with driver_of(lab) as driver:
        job = start(driver, guest, ENCRYPTED)
        wait_for_copying(driver, job)
        assert ask_qemu(lab, guest, "kvm1", "query-migrate-parameters")["tls-creds"]
        arrives(driver, job, lab, guest)


@pytest.mark.parametrize("trouble", ["another name", "no certificate"])
def test_a_move_that_cannot_be_encrypted_does_not_go_in_the_clear(authenticated_kvm_lab: Lab, trouble: str) -> None:
    lab = authenticated_kvm_lab
    guest = lab.guest("web1", "kvm1", dirty_mib_s=2)
    if trouble == "another name":
        use_certificate(lab, "kvm2", ["DNS:somebody.else"])
    else:
        shutil.rmtree(lab.config.host_folder("kvm2") / "pki/qemu")
    with driver_of(lab) as driver:
        job = start(driver, guest, ENCRYPTED)
        last = wait_for_end(driver, job)[-1]
        assert driver.verify(job.migration, job.note).verdict is Verdict.AT_SOURCE
        assert driver.rollback(job.migration, job.note) == ()
    assert last.message
    assert last.processed_bytes == 0
    assert lab.where(guest) == {"kvm1": ("running", True)}
    assert guest.is_beating()


def use_certificate(lab: Lab, host: str, names: list[str]) -> None:
    """Give the host's QEMUs a certificate of the lab's own authority that has these names only."""
    authority = CertificateAuthority(lab.config.folder / "ca")
    unique = f"{host}-qemu-{abs(hash(tuple(names)))}"
    certificate, key = authority.issue(unique, names)
    for role in ("server", "client"):
        shutil.copyfile(certificate, lab.config.host_folder(host) / f"pki/qemu/{role}-cert.pem")
        shutil.copyfile(key, lab.config.host_folder(host) / f"pki/qemu/{role}-key.pem")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (MoveOptions(compression="zstd", connections=2), "capability_missing", "does not compress memory with zstd"),
        (MoveOptions(compression="zstd"), "option_conflict", "over several connections"),
        (MoveOptions(compression="mt", connections=2), "option_conflict", "exclude each other"),
        (MoveOptions(post_copy=True, connections=2), "option_conflict", "exclude each other"),
        (MoveOptions(post_copy=True, compression="mt"), "option_conflict", "exclude each other"),
    ],
)
def test_options_that_cannot_be_had_are_refused_before_anything_is_touched(kvm_lab: Lab, options: MoveOptions, code: str, said: str) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with driver_of(kvm_lab) as driver:
        found = {reason.code: reason for reason in driver.check(migration_of(guest, "kvm1", "kvm2"), options) if reason.blocks}
    assert said in found[code].message
    assert found[code].hint
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
