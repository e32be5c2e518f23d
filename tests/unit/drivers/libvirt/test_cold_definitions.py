# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions with other paths: every disk, chain, snapshot and UEFI variable that moves is at its new place, and nothing else has changed."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.cold_xml import (
    Place,
    external_memory,
    peculiarities,
    snapshot_name,
    with_new_places,
)
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domain_xml import parse, read_domain
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.note_text import note_element, read_note
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, NotePhase, VmNote

NOTE = VmNote("op-1", Controller("ctl <1>"), 1.0, NotePhase.MOVING, "kvm1", "kvm2", stage="noted")
SWITCHED = VmNote("op-1", Controller("ctl <1>"), 1.0, NotePhase.MOVING, "kvm1", "kvm2", stage="switched")
OLD, NEW = Place("/srv/a/web&1.img", "a", "web&1.img"), Place("/srv/b/web&1.img", "b", "web&1.img")
DISKS = """
<disk type='file' device='disk'><driver type='qcow2'/><source file='/srv/a/web&amp;1.img' startupPolicy='mandatory'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><source file='/srv/a/other.img'/><target dev='vdb'/></disk>
<disk type='volume' device='disk'><source pool='a' volume='web&amp;1.img'/><target dev='vdc'/></disk>
<disk type='file' device='cdrom'><target dev='sda'/></disk>
"""
DOMAIN = f"""<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>web1</name><uuid>u1</uuid>
<metadata><vmops:migration xmlns:vmops='urn:vmops:migration:1'>{note_element(NOTE)[len("<migration>") : -len("</migration>")]}</vmops:migration>
<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.0'><nova:name>a</nova:name></nova:instance></metadata>
<os><type arch='x86_64'>hvm</type><nvram template='/usr/share/vars.fd'>/srv/a/web1.fd</nvram></os>
<devices>{DISKS}<tpm model='tpm-crb'><backend type='emulator'/></tpm></devices>
<qemu:commandline><qemu:arg value='-S'/></qemu:commandline></domain>"""


def paths(xml: str) -> dict[str, str]:
    return {disk.device: disk.path for disk in read_domain(xml).disks}


def test_only_the_disk_that_moves_has_another_path() -> None:
    moved = with_new_places(DOMAIN, [(OLD, NEW)])
    assert paths(moved) == {"vda": "/srv/b/web&1.img", "vdb": "/srv/a/other.img", "vdc": "web&1.img"}
    assert {disk.device: disk.pool for disk in read_domain(moved).disks}["vdc"] == "b"
    assert paths(with_new_places(moved, [(NEW, OLD)])) == paths(DOMAIN)
    assert "startupPolicy" in moved


def test_a_disk_that_comes_to_a_device_is_one() -> None:
    moved = with_new_places(DOMAIN, [(OLD, Place("/dev/vg/web1", "vg", "web1", is_block=True))])
    disk = next(disk for disk in read_domain(moved).disks if disk.device == "vda")
    assert (disk.type, disk.path) == ("block", "/dev/vg/web1")
    assert paths(with_new_places(moved, [(Place("/dev/vg/web1"), OLD)]))["vda"] == OLD.path


def test_uefi_variables_go_with_the_disks() -> None:
    way = (Place("/srv/a/web1.fd"), Place("/srv/b/web1.fd"))
    assert peculiarities(with_new_places(DOMAIN, [way])).nvram == "/srv/b/web1.fd"
    newer = DOMAIN.replace("<nvram template='/usr/share/vars.fd'>/srv/a/web1.fd</nvram>", "<nvram type='file'><source file='/srv/a/web1.fd'/></nvram>")
    assert peculiarities(newer).nvram == "/srv/a/web1.fd"
    assert peculiarities(with_new_places(newer, [way])).nvram == "/srv/b/web1.fd"


def test_the_note_is_replaced_and_everything_of_others_stays() -> None:
    moved = with_new_places(DOMAIN, [(OLD, NEW)], SWITCHED)
    facts = read_domain(moved)
    assert read_note(facts.note_text or "") == SWITCHED
    assert facts.managed_by == "nova"
    assert "<nova:name>a</nova:name>" in moved
    assert parse(moved).find("{http://libvirt.org/schemas/domain/qemu/1.0}commandline") is not None
    assert "qemu:commandline" in moved


def test_what_is_kept_beside_the_disks_is_seen() -> None:
    assert peculiarities(DOMAIN).has_tpm
    assert not peculiarities(DOMAIN.replace("'emulator'", "'passthrough'")).has_tpm
    encrypted = DOMAIN.replace("<target dev='vdb'/>", "<target dev='vdb'/><encryption format='luks'><secret type='passphrase' uuid='s1'/></encryption>")
    assert peculiarities(encrypted).secrets == ("s1",)


def test_a_snapshot_names_the_new_paths_in_all_its_definitions() -> None:
    inactive = DOMAIN.replace("<domain ", "<inactiveDomain ").replace("</domain>", "</inactiveDomain>")
    snapshot = f"<domainsnapshot><name>clean</name><disks><disk name='vda' snapshot='internal'/></disks>{DOMAIN}{inactive}</domainsnapshot>"
    moved = with_new_places(snapshot, [(OLD, NEW)])
    assert moved.count("/srv/b/web&amp;1.img") == 2
    assert "/srv/a/web&amp;1.img" not in moved
    assert snapshot_name(moved) == "clean"
    assert external_memory(snapshot) == ""
    assert external_memory("<domainsnapshot><memory snapshot='external' file='/srv/m'/></domainsnapshot>") == "/srv/m"
