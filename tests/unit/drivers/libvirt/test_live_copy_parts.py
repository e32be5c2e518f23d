# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a live copy of disks is made of, without a hypervisor: definitions with other places, images' facts, figures."""

from __future__ import annotations

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.disk_definitions import NewPlace, read_disks, with_places
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.image_files import NewImage, image_xml, pool_holding, read_image
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.pools import HostPool
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.progress import to_progress
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.verify import planned_paths
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, NotedVolume, NotePhase, VmNote

DOMAIN = """<domain type='kvm' id='3'>
  <name>web1</name>
  <metadata>
    <x:instance xmlns:x="http://openstack.org/xmlns/libvirt/nova/1.1"><x:disk type='file'><target dev='vda'/></x:disk></x:instance>
  </metadata>
  <devices>
    <emulator>/usr/bin/qemu</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/srv/a/web1.qcow2' index='2'/>
      <backingStore type='file' index='3'>
        <format type='qcow2'/>
        <source file='/srv/a/template.qcow2'/>
        <backingStore/>
      </backingStore>
      <target dev='vda' bus='virtio'/>
      <serial>a&amp;b</serial>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/a/data.raw'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
  </devices>
</domain>
"""


def test_only_the_named_disks_get_another_place_and_all_else_stays_letter_by_letter() -> None:
    changed = with_places(DOMAIN, {"vda": NewPlace("/srv/b/web1 'x'.raw", "raw")})
    disks = read_disks(changed)
    assert (disks["vda"].path, disks["vda"].format, disks["vda"].chain) == ("/srv/b/web1 'x'.raw", "raw", ())
    assert disks["vdb"] == read_disks(DOMAIN)["vdb"]
    assert "<serial>a&amp;b</serial>" in changed
    head, tail = DOMAIN.partition("    <disk type='file' device='disk'>\n      <driver name='qemu' type='qcow2'")[0], DOMAIN[DOMAIN.index("type='raw'/>") :]
    assert changed.startswith(head)
    assert changed.endswith(tail)


def test_without_disks_to_place_a_definition_is_the_same() -> None:
    assert with_places(DOMAIN, {}) == DOMAIN
    assert with_places(DOMAIN, {"vdz": NewPlace("/x", "raw")}) == DOMAIN


def test_a_disk_shows_what_it_rests_on_nearest_first() -> None:
    assert read_disks(DOMAIN)["vda"].chain == (("/srv/a/template.qcow2", "qcow2"),)


def test_a_new_image_says_its_backing_format_and_takes_no_room() -> None:
    xml = image_xml(NewImage("a&b.qcow2", "qcow2", 1024, "/srv/t.qcow2", "raw", "<compat>1.1</compat>"))
    assert "<name>a&amp;b.qcow2</name>" in xml
    assert "<allocation unit='bytes'>0</allocation>" in xml
    assert "<backingStore><path>/srv/t.qcow2</path><format type='raw'/></backingStore>" in xml
    assert "compat" not in image_xml(NewImage("a", "raw", 1, layout="<compat>1.1</compat>"))
    assert "<compat>1.1</compat>" in image_xml(NewImage("a", "qcow2", 1))


def test_an_images_facts_are_read_with_its_inner_form() -> None:
    image = read_image(
        """<volume type='file'><name>a</name><capacity unit='bytes'>4096</capacity><allocation unit='bytes'>100</allocation>
        <physical unit='bytes'>200</physical>
        <target><path>/srv/a</path><format type='qcow2'/><timestamps><mtime>7.5</mtime></timestamps><compat>1.1</compat>
        <clusterSize unit='B'>131072</clusterSize><features><lazy_refcounts/></features></target>
        <backingStore><path>/srv/t</path><format type='qcow2'/></backingStore></volume>"""
    )
    assert (image.path, image.format, image.capacity_bytes, image.allocated_bytes, image.physical_bytes) == ("/srv/a", "qcow2", 4096, 100, 200)
    assert (image.modified, image.backing, image.backing_format) == ("7.5", "/srv/t", "qcow2")
    assert image.layout == "<compat>1.1</compat><clusterSize unit='B'>131072</clusterSize><features><lazy_refcounts/></features>"


def test_a_file_is_in_the_pool_of_its_own_folder_and_of_an_active_one_only() -> None:
    pools = (
        HostPool("a", "1", "dir", "/srv", active=True),
        HostPool("b", "2", "dir", "/srv/b/", active=True),
        HostPool("c", "3", "dir", "/srv/c", active=False),
    )
    assert [getattr(pool_holding(pools, path), "name", None) for path in ("/srv/x", "/srv/b/x", "/srv/c/x", "/srv/b/d/x", "x")] == ["a", "b", None, None, None]


def test_the_planned_paths_are_those_before_but_for_the_copied_disks() -> None:
    note = VmNote("o", Controller(), 0.0, NotePhase.MOVING, "kvm1", "kvm2", volumes=(NotedVolume("vda", "/a/x", "/b/x"),))
    assert planned_paths(note, ("/a/x", "/a/y")) == ("/b/x", "/a/y")
    assert planned_paths(note, None) is None


def test_while_disks_are_copied_the_memory_is_still_to_come() -> None:
    disks = to_progress("m", {"disk_total": 1 << 20, "disk_processed": 1 << 20, "disk_remaining": 0, "memory_total": 0}, 3)
    memory = to_progress("m", {"disk_total": 1 << 20, "disk_remaining": 0, "memory_total": 3 << 20, "memory_remaining": 1 << 20}, 3)
    assert (disks.percent, disks.total_bytes, disks.remaining_bytes, disks.phase.value) == (25.0, 4 << 20, 3 << 20, "copying")
    assert (memory.percent, memory.remaining_bytes) == (75.0, 1 << 20)
    assert to_progress("m", {}, 3).total_bytes == 0
