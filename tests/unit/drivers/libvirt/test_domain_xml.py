# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions of domains, written for these tests in libvirt's format, told as facts."""

from __future__ import annotations

import defusedxml
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domain_xml import MANAGERS, read_domain
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import Nic
from ansible_collections.vmops.migration.plugins.module_utils.rules.managers import MANAGERS as NAMED_MANAGERS


def domain(devices: str = "", rest: str = "") -> str:
    return f"""<domain type='kvm' id='3'><name>a &lt;b&gt; &amp; 'c'</name><uuid>u-1</uuid>
      <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>{rest}
      <devices><emulator>/usr/bin/qemu</emulator>{devices}</devices></domain>"""


def test_names_and_machine_are_told() -> None:
    facts = read_domain(domain())
    assert (facts.name, facts.uuid, facts.virt_type, facts.architecture, facts.machine) == ("a <b> & 'c'", "u-1", "kvm", "x86_64", "pc-q35-7.2")
    assert (facts.disks, facts.nics, facts.host_devices, facts.note_text, facts.cpu_xml, facts.managed_by) == ((), (), (), None, "", "")


def test_a_live_disk_shows_its_chain_of_images() -> None:
    disk = """<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='/srv/a.qcow2' index='1'/>
      <backingStore type='file' index='2'><format type='qcow2'/><source file='/srv/mid.qcow2'/>
        <backingStore type='file' index='3'><format type='raw'/><source file='/srv/base.raw'/><backingStore/></backingStore></backingStore>
      <target dev='vda' bus='virtio'/></disk>"""
    (found,) = read_domain(domain(disk)).disks
    assert (found.path, found.backing, found.format, found.cache_mode) == ("/srv/a.qcow2", ("/srv/mid.qcow2", "/srv/base.raw"), "qcow2", "none")
    assert (found.kind, found.device, found.bus, found.is_on_host, found.has_block_job) == (VolumeKind.ROOT, "vda", "virtio", True, False)


def test_the_disk_that_boots_is_the_root_by_its_order_else_the_first() -> None:
    first = "<disk type='block' device='disk'><source dev='/dev/vg/a'/><target dev='vda'/>{}</disk>"
    second = "<disk type='block' device='disk'><source dev='/dev/vg/b'/><target dev='vdb'/>{}</disk>"
    kinds = {disk.device: disk.kind for disk in read_domain(domain(first.format("") + second.format(""))).disks}
    assert kinds == {"vda": VolumeKind.ROOT, "vdb": VolumeKind.DATA}
    ordered = first.format("<boot order='2'/>") + second.format("<boot order='1'/>")
    assert {disk.device: disk.kind for disk in read_domain(domain(ordered)).disks} == {"vda": VolumeKind.DATA, "vdb": VolumeKind.ROOT}


def test_drives_without_a_medium_are_left_out_and_isos_are_isos() -> None:
    empty = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"
    iso = "<disk type='file' device='cdrom'><source file='/iso/x.iso' startupPolicy='optional'/><target dev='sdb' bus='sata'/><readonly/></disk>"
    (found,) = read_domain(domain(empty + iso)).disks
    assert (found.device, found.kind, found.read_only, found.startup_optional) == ("sdb", VolumeKind.ISO, True, True)


def test_network_disks_volumes_encryption_and_block_jobs_are_told() -> None:
    rbd = "<disk type='network' device='disk'><source protocol='rbd' name='vms/web'><host name='mon'/></source><target dev='vda'/></disk>"
    volume = "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vdb'/><shareable/></disk>"
    luks = "<disk type='file' device='disk'><source file='/x'><encryption format='luks'/></source><target dev='vdc'/><mirror type='file' job='copy'/></disk>"
    network, named, encrypted = read_domain(domain(rbd + volume + luks)).disks
    assert (network.protocol, network.path, network.is_on_host) == ("rbd", "vms/web", False)
    assert (named.pool, named.path, named.shareable, named.is_on_host) == ("p", "v", True, False)
    assert (encrypted.encrypted, encrypted.has_block_job) == (True, True)


def test_a_nic_of_a_virtual_network_is_told_by_that_also_while_it_runs() -> None:
    nics = """<interface type='bridge'><mac address='m1'/><source network='blue' portid='p' bridge='br-blue'/><model type='virtio'/></interface>
      <interface type='bridge'><mac address='m2'/><source bridge='br0'/></interface>
      <interface type='bridge'><mac address='m3'/><source bridge='ovs0'/><virtualport type='openvswitch'/></interface>
      <interface type='direct'><mac address='m4'/><source dev='eth1' mode='bridge'/></interface>
      <interface type='user'><mac address='m5'/></interface>"""
    assert read_domain(domain(nics)).nics == (
        Nic("m1", "blue", "network", "virtio"),
        Nic("m2", "br0", "bridge"),
        Nic("m3", "ovs0", "ovs"),
        Nic("m4", "eth1", "direct"),
        Nic("m5", "", "user"),
    )


def test_everything_that_ties_a_vm_to_its_host_is_named() -> None:
    devices = """<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x3b' slot='0x00' function='0x1'/></source></hostdev>
      <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>
      <hostdev mode='subsystem' type='usb'><source><address bus='1' device='4'/></source></hostdev>
      <hostdev mode='subsystem' type='mdev'><source><address uuid='some-gpu'/></source></hostdev>
      <interface type='hostdev'><mac address='m'/><source><address type='pci' domain='0' bus='1' slot='2' function='3'/></source></interface>
      <interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>
      <shmem name='other'/><shmem name='mine' role='master'/>
      <filesystem type='mount'><driver type='virtiofs'/><target dir='share'/></filesystem>
      <filesystem type='mount'><target dir='old'/></filesystem>
      <tpm><backend type='passthrough'/></tpm><tpm><backend type='emulator'/></tpm>
      <input type='evdev'><source dev='/dev/input/event1'/></input><input type='mouse'/>
      <memory model='nvdimm'><source><path>/pmem</path></source></memory>
      <disk type='nvme' device='disk'><source><address/></source><target dev='vdx'/></disk>
      <serial type='dev'><source path='/dev/ttyS0'/></serial><serial type='pty'/>"""
    assert read_domain(domain(devices)).host_devices == (
        "pci 0000:3b:00.1",
        "usb 1234:beef",
        "usb bus 1 device 4",
        "mdev some-gpu",
        "NIC 0000:01:02.3",
        "vdpa /dev/vhost-vdpa-0",
        "shmem other",
        "filesystem virtiofs share",
        "filesystem 9p old",
        "tpm passthrough",
        "input /dev/input/event1",
        "memory nvdimm /pmem",
        "disk nvme vdx",
        "serial /dev/ttyS0",
    )


def test_the_cpu_is_told_whole() -> None:
    cpu = "<cpu mode='custom' match='exact' check='none'><model>Haswell</model><feature policy='disable' name='hle'/></cpu>"
    facts = read_domain(domain(rest=cpu))
    assert (facts.cpu_mode, facts.cpu_model, facts.cpu_unchecked) == ("custom", "Haswell", True)
    assert "hle" in facts.cpu_xml
    assert read_domain(domain(rest="<cpu mode='host-passthrough' check='none'/>")).cpu_mode == "host-passthrough"
    assert read_domain(domain(rest="<cpu><model>x</model></cpu>")).cpu_mode == "custom"


def test_our_note_and_other_managers_are_found_in_the_metadata() -> None:
    ours = "<metadata><v:migration xmlns:v='urn:vmops:migration:1'>{&quot;a&quot;:1}</v:migration></metadata>"
    assert read_domain(domain(rest=ours)).note_text == '{"a":1}'
    nova = "<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>"
    assert read_domain(domain(rest=nova)).managed_by == "nova"
    cloudstack = "<sysinfo type='smbios'><system><entry name='product'>CloudStack KVM Hypervisor</entry></system></sysinfo>"
    assert read_domain(domain(rest=cloudstack)).managed_by == "cloudstack"


@pytest.mark.parametrize(("namespace", "manager"), sorted(MANAGERS.items()))
def test_every_manager_that_leaves_its_mark_is_known_to_the_rule_about_managers(namespace: str, manager: str) -> None:
    facts = read_domain(domain(rest=f"<metadata><x:y xmlns:x='urn:other'/><m:vm xmlns:m='{namespace}'/></metadata>"))
    assert facts.managed_by == manager
    assert manager in NAMED_MANAGERS


def test_a_tool_that_only_describes_a_vm_is_no_manager() -> None:
    described = "<metadata><l:libosinfo xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'/></metadata>"
    assert read_domain(domain(rest=described)).managed_by == ""


def test_entities_of_a_document_are_never_expanded() -> None:
    with pytest.raises(defusedxml.EntitiesForbidden):
        read_domain("<!DOCTYPE d [<!ENTITY x 'y'>]><domain><name>&x;</name></domain>")
