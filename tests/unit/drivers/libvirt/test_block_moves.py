# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Storage moves on one host, as far as they are texts and data: file names, definitions, what a note says, and the verdict over several disks."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import InFlight, Job, Verdict
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.block_copy import BlockJob, abort_block_move, sample_of
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.block_definition import moved_disk
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.block_disks import CopyWay, MoveView, is_block_move, is_of_block_move, view_disks
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.block_files import file_name, volume_xml
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.block_mirror import copy_xml
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.block_verify import judge_disks, partly_moved
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.domain_xml import DiskFacts, parse, read_domain
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.in_flight import adopted_migration
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable, StateConflict
from ansible_collections.vmops.migration.plugins.module_utils.model.migration import DiskCopy, Migration, MigrationType, Mode, VolumeMove
from ansible_collections.vmops.migration.plugins.module_utils.model.note import Controller, NotedVolume, NotePhase, VmNote
from ansible_collections.vmops.migration.plugins.module_utils.model.pool import VolumeKind
from ansible_collections.vmops.migration.plugins.module_utils.model.progress import Phase, Progress
from ansible_collections.vmops.migration.plugins.module_utils.model.vm import PowerState

A = NotedVolume("vda", "/old/a.raw", "/new/a.qcow2", "shared", "kvm1/local", "qcow2")
B = NotedVolume("vdb", "/old/b.raw", "/new/b.raw", "shared", "kvm1/local", "raw")
NOTE = VmNote("op-1", Controller(), 1.0, NotePhase.MOVING, "kvm1", "kvm1", migration_type="storage", volumes=(A, B), stage="incremental@16")
MOVE = Migration("m", "vm", "web1", "kvm1", "kvm1", type=MigrationType.STORAGE)


def disk(path: str, device: str = "vda", disk_format: str = "raw", mirror: str = "", *, ready: bool = False) -> DiskFacts:
    return DiskFacts(
        device, VolumeKind.DATA, "file", path, format=disk_format, has_block_job=bool(mirror), mirror_path=mirror, mirror_ready=ready, backing_format=""
    )


def seen(*disks: DiskFacts) -> MoveView:
    return MoveView(PowerState.RUNNING, is_active=True, is_persistent=True, note=NOTE, disks=view_disks(NOTE.volumes, disks, disks))


@pytest.mark.parametrize(
    ("path", "new_format", "taken", "name"),
    [
        ("/a/web.raw", "raw", (), "web.raw"),
        ("/a/web.raw", "qcow2", (), "web.qcow2"),
        ("/a/web.img", "qcow2", (), "web.img"),
        ("/a/web", "qcow2", (), "web"),
        ("/a/web.1.raw", "raw", ("web.1.raw",), "web.1-vda.raw"),
        ("/a/web", "raw", ("web",), "web-vda"),
    ],
)
def test_a_copy_keeps_its_file_name_as_far_as_that_is_true(path: str, new_format: str, taken: tuple[str, ...], name: str) -> None:
    assert file_name(disk(path), new_format, frozenset(taken)) == name


def test_volumes_are_sparse_and_can_tell_zeroes_from_data_whatever_their_name() -> None:
    raw = parse(volume_xml("a <b> & c", 4096, "raw", None))
    assert (raw.findtext("name"), raw.findtext("capacity"), raw.findtext("allocation"), raw.find("backingStore")) == ("a <b> & c", "4096", "0", None)
    clone = parse(volume_xml("c", 4096, "qcow2", ("/t/<base>", "raw")))
    assert (clone.findtext("target/compat"), clone.findtext("backingStore/path")) == ("1.1", "/t/<base>")
    assert clone.find("backingStore/format").get("type") == "raw"


def test_the_disk_to_copy_to_is_named_whatever_its_path() -> None:
    xml = parse(copy_xml(dataclasses.replace(A, target_path='/new/it\'s "<a>" & b')))
    assert xml.find("source").get("file") == '/new/it\'s "<a>" & b'
    assert xml.find("driver").get("type") == "qcow2"


def test_the_definition_of_a_moved_disk_names_the_new_file_and_keeps_the_rest() -> None:
    xml = """<domain><name>w</name><devices>
      <disk type='block' device='disk'><driver name='qemu' type='raw' cache='none'/><source dev='/old/a.raw'/><backingStore/><target dev='vda'/></disk>
      <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/old/b.raw'/><target dev='vdb'/></disk></devices></domain>"""
    changed = moved_disk(xml, A)
    assert changed is not None
    (found,) = read_domain(f"<domain><devices>{changed}</devices></domain>").disks
    assert (found.device, found.type, found.path, found.format, found.cache_mode) == ("vda", "file", "/new/a.qcow2", "qcow2", "none")
    assert moved_disk(xml, dataclasses.replace(A, device="vdz")) is None


def test_a_mirror_is_told_with_where_it_goes_and_whether_it_is_ready() -> None:
    xml = """<domain><devices><disk type='file' device='disk'><source file='/old/a.raw'/><target dev='vda'/>
      <backingStore type='file'><format type='raw'/><source file='/t'/></backingStore>
      <mirror type='file' file='/new/a' format='qcow2' job='copy' {}><format type='qcow2'/><source file='/new/a'/></mirror></disk></devices></domain>"""
    (copying,), (ready,) = (read_domain(xml.format(state)).disks for state in ("", "ready='yes'"))
    assert (copying.path, copying.mirror_path, copying.mirror_ready, copying.backing_format) == ("/old/a.raw", "/new/a", False, "raw")
    assert ready.mirror_ready


@pytest.mark.parametrize(
    ("disks", "verdict"),
    [
        ((disk(A.source_path), disk(B.source_path, "vdb")), Verdict.AT_SOURCE),
        ((disk(A.source_path, mirror=A.target_path), disk(B.source_path, "vdb")), Verdict.IN_FLIGHT),
        ((disk(A.source_path, mirror=A.target_path, ready=True), disk(B.target_path, "vdb")), Verdict.IN_FLIGHT),
        ((disk(A.source_path, mirror="/somebody/else"), disk(B.source_path, "vdb")), Verdict.AT_SOURCE),
        ((disk(A.target_path), disk(B.source_path, "vdb")), Verdict.AT_SOURCE),
        ((disk(A.target_path), disk(B.target_path, "vdb")), Verdict.ARRIVED),
        ((disk(A.target_path),), Verdict.AT_SOURCE),
        ((), Verdict.AT_SOURCE),
    ],
)
def test_the_verdict_over_several_disks(disks: tuple[DiskFacts, ...], verdict: Verdict) -> None:
    assert judge_disks(seen(*disks)) is verdict


@pytest.mark.rule("CSH-35", sign="-")
def test_a_mixture_is_told_by_its_disks() -> None:
    (reason,) = partly_moved(MOVE, seen(disk(A.target_path), disk(B.source_path, "vdb")))
    assert reason.code == "partly_moved"
    assert A.target_path in reason.message
    assert B.source_path in reason.message
    assert partly_moved(MOVE, seen(disk(A.source_path), disk(B.source_path, "vdb"))) == ()


@pytest.mark.parametrize("way", [CopyWay(DiskCopy.FULL, 0), CopyWay(DiskCopy.INCREMENTAL, 64)])
def test_how_disks_are_copied_is_in_the_note(way: CopyWay) -> None:
    assert CopyWay.of(dataclasses.replace(NOTE, stage=way.stage)) == way


@pytest.mark.parametrize("stage", ["", "copied", "full@many"])
def test_a_note_without_a_way_means_whole_copies(stage: str) -> None:
    assert CopyWay.of(dataclasses.replace(NOTE, stage=stage)) == CopyWay()


def test_an_adopted_move_is_what_its_note_says() -> None:
    found = adopted_migration(InFlight("vm", "web1", "kvm1", "kvm1", 64, NOTE))
    assert (found.type, found.mode, found.disk_copy) == (MigrationType.STORAGE, Mode.LIVE, DiskCopy.INCREMENTAL)
    assert found.volumes[0] == VolumeMove("vm/vda", "shared", "kvm1/local", device="vda", format="qcow2")
    assert adopted_migration(InFlight("vm", "web1", "kvm1", "kvm2", 64, dataclasses.replace(NOTE, migration_type="host"))).type is MigrationType.HOST


def test_only_moves_of_storage_of_a_vm_in_memory_go_this_way() -> None:
    assert [is_block_move(dataclasses.replace(MOVE, mode=mode)) for mode in (Mode.LIVE, Mode.SUSPENDED, Mode.COLD, Mode.OFFLINE)] == [True, True, False, False]
    assert not is_block_move(dataclasses.replace(MOVE, type=MigrationType.HOST_STORAGE))
    assert not is_of_block_move(dataclasses.replace(NOTE, mode="cold"))


def test_a_switch_cannot_be_aborted_any_more() -> None:
    job = BlockJob(is_switching=True)
    with pytest.raises(StateConflict, match="switching"):
        abort_block_move(MOVE, job)
    job.over.set()
    abort_block_move(MOVE, job)  # of a move that is over: well


def test_samples_show_silence_and_the_end() -> None:
    handle = BlockJob(last=Progress("m", Phase.COPYING, processed_bytes=5))
    job = Job(MOVE, NOTE, 0.0, handle=handle)
    assert sample_of(job, handle).processed_bytes == 5
    handle.seen_at -= 60
    assert "slow to tell" in sample_of(job, handle).message
    handle.trouble = HostUnreachable("kvm1", "gone")
    with pytest.raises(HostUnreachable):
        sample_of(job, handle)
    handle.message = "no room"
    handle.over.set()
    end = sample_of(job, handle)
    assert (end.ended, end.message, end.processed_bytes) == (True, "no room", 5)
