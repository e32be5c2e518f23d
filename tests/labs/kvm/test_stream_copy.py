# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes are copied from pool to pool through this process: equal, sparse, capped, cancelled, proven, and with the memory of a few pieces."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.connection import Hosts
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.stream_copy import (
    Copied,
    CopyCancelledError,
    CopyControl,
    VolumeEnd,
    copy_volume,
    read_volume,
)
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.volumes import create_empty, describe, find_volume, remove
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import MigrationError

from tests.labs.kvm.cold_world import MIB, allocated, digest, files_in, random_file
from tests.labs.kvm.driver_world import site_options
from tests.labs.kvm.lab import Lab

pytestmark = pytest.mark.kvm

SPARSE = ((0, MIB), (5 * MIB + 4096, 3 * MIB), (63 * MIB, 512 * 1024))
"""Offsets and lengths of data in a file of 64 MiB and 777 * 512 bytes that ends with a hole."""


@pytest.fixture
def hosts(kvm_lab: Lab) -> Iterator[Hosts]:
    found = Hosts(site_options(kvm_lab))
    yield found
    found.close()


def source_file(lab: Lab, *pieces: tuple[int, int], length: int = 64 * MIB + 777 * 512) -> Path:
    path = lab.hosts["kvm1"].pool_folder("local") / "data.img"
    random_file(path, *pieces, length=length)
    return path


def ends(hosts: Hosts, target: str = "kvm2", path: str = "/srv/local/data.img") -> tuple[VolumeEnd, VolumeEnd]:
    """The source, and an empty volume made for it."""
    source, there = VolumeEnd(hosts.get("kvm1"), "/srv/local/data.img"), VolumeEnd(hosts.get(target), path)
    facts = source.session.run("looking", lambda connection: describe(find_volume(connection, source.path)))
    there.session.run("making", lambda connection: create_empty(connection, path, facts))
    return source, there


@pytest.mark.parametrize(("target", "path"), [("kvm2", "/srv/local/data.img"), ("kvm1", "/srv/shared/data.img")])
def test_a_copy_is_equal_and_as_sparse(kvm_lab: Lab, hosts: Hosts, target: str, path: str) -> None:
    file = source_file(kvm_lab, *SPARSE)
    file.chmod(0o640)
    source, there = ends(hosts, target, path)
    control = CopyControl()
    copied = copy_volume(source, there, control)
    copy = kvm_lab.hosts[target].pool_folder(path.split("/")[2]) / "data.img"
    assert digest(copy) == digest(file)
    assert allocated(copy) <= allocated(file)
    assert copied.length_bytes == control.processed_bytes == file.stat().st_size
    assert copied.data_bytes < 6 * MIB
    assert copy.stat().st_mode & 0o777 == 0o640
    back = read_volume(there, CopyControl())
    assert (back.length_bytes, back.checksum) == (copied.length_bytes, copied.checksum)


def test_zeros_that_are_no_hole_have_the_same_checksum(kvm_lab: Lab, hosts: Hosts) -> None:
    file = source_file(kvm_lab, *SPARSE)
    other = file.with_name("full.img")
    other.write_bytes(file.read_bytes())
    assert allocated(other) > allocated(file)
    session = hosts.get("kvm1")
    sparse, full = (read_volume(VolumeEnd(session, f"/srv/local/{path.name}"), CopyControl()) for path in (file, other))
    assert sparse.checksum == full.checksum
    assert sparse.data_bytes < full.data_bytes


def test_one_changed_byte_changes_the_checksum(kvm_lab: Lab, hosts: Hosts) -> None:
    file = source_file(kvm_lab, *SPARSE)
    end = VolumeEnd(hosts.get("kvm1"), "/srv/local/data.img")
    before = read_volume(end, CopyControl())
    with file.open("r+b") as changed:
        changed.seek(40 * MIB)
        changed.write(b"\x01")
    assert read_volume(end, CopyControl()).checksum != before.checksum


def test_the_cap_of_speed_holds(kvm_lab: Lab, hosts: Hosts) -> None:
    source_file(kvm_lab, (0, 8 * MIB), length=8 * MIB)
    source, there = ends(hosts)
    begun = time.monotonic()
    copy_volume(source, there, CopyControl(speed_mib_s=4))
    assert time.monotonic() - begun > 8 / 4 * 0.9


def test_a_cancelled_copy_ends_at_once_and_its_file_can_be_removed(kvm_lab: Lab, hosts: Hosts) -> None:
    source_file(kvm_lab, (0, 16 * MIB), length=16 * MIB)
    source, there = ends(hosts)
    control = CopyControl(speed_mib_s=2)
    timer = threading.Timer(1.0, control.cancel)
    timer.start()
    with pytest.raises(CopyCancelledError):
        copy_volume(source, there, control)
    assert 0 < control.processed_bytes < 8 * MIB
    there.session.run("removing", lambda connection: remove(connection, there.path))
    assert files_in(kvm_lab) == {"kvm1/local": ["data.img"]}


def test_a_writer_that_fails_ends_the_copy_with_its_reason(kvm_lab: Lab, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    source_file(kvm_lab, (0, 32 * MIB), length=32 * MIB)
    source, there = ends(hosts)
    send = libvirt.virStream.send

    def lose_the_host(stream: libvirt.virStream, data: bytes) -> int:
        kvm_lab.hosts["kvm2"].kill_daemon()
        return int(send(stream, data))

    monkeypatch.setattr(libvirt.virStream, "send", lose_the_host)
    with pytest.raises(MigrationError, match="kvm2"):
        copy_volume(source, there, CopyControl())


def test_a_volume_that_is_missing_is_named(kvm_lab: Lab, hosts: Hosts) -> None:
    assert kvm_lab.hosts
    with pytest.raises(MigrationError, match=r"/srv/local/none\.img"):
        read_volume(VolumeEnd(hosts.get("kvm1"), "/srv/local/none.img"), CopyControl())


def test_memory_does_not_grow_with_the_volume(kvm_lab: Lab, hosts: Hosts) -> None:
    source_file(kvm_lab, (0, 192 * MIB), length=192 * MIB)
    source, there = ends(hosts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    copied = copy_volume(source, there, CopyControl())
    assert isinstance(copied, Copied)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 96 * MIB
