# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live moves with storage to another host: what is made on the destination before libvirt's call, and what the call is told.

Order: the note is with the VM; sharing proven; base images the same on both ends; targets made, each under a mark of this operation; then the move. A kill
at any point leaves the VM at its source with a note that names every file, or a peer-to-peer move that ends by itself.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ...model.errors import MigrationError, MoveFailed, StateConflict
from ...model.migration import DiskCopy, Migration, MigrationType
from ...model.note import NotedVolume, VmNote
from ...model.progress import Phase, Progress
from ...model.reason import Reason, blocking, warning
from ...model.request import MoveOptions
from ..liveness import ClaimWatch
from .base_images import BaseImages, BaseWork
from .connection import READ_SECONDS, Connection
from .copy_plan import CopiedDisk, CopyPlan, base_differs, plan_copies
from .disk_definitions import NewPlace, read_disks, with_places
from .domains import find_domain
from .failures import is_about_connecting
from .host_lock import host_lock
from .image_files import NewImage, delete_file, find_image, make_image
from .library import libvirt
from .made_files import drop_maker, made_usage, put_maker
from .migrate import Ends, Extra, MoveJob
from .move_parameters import copy_parameters, memory_cap_mib_s
from .nics import with_networks
from .pools import PoolMap
from .sharing_proof import UNPROVEN, SharingProofs


def is_copying(migration: Migration) -> bool:
    """True for a live (or suspended) move to another host that copies disks."""
    return migration.type is MigrationType.HOST_STORAGE and any(move.moves for move in migration.volumes)


def completed_note(plan: CopyPlan, note: VmNote) -> VmNote:
    """The note with every file that the move is about to make. Raises StateConflict for a plan with reasons against it."""
    refuse(plan)
    volumes = tuple(
        NotedVolume(disk.device, disk.source_path, disk.target_path, disk.move.source_pool or "", disk.move.target_pool or "", disk.format)
        for disk in plan.disks
    )
    return dataclasses.replace(note, volumes=volumes, created=tuple(base.target_path for base in plan.missing_bases))


def refuse(plan: CopyPlan) -> None:
    """Raise StateConflict with the first reason that forbids, if any does."""
    for reason in blocking(plan.reasons):
        raise StateConflict(reason.message, code=reason.code, hint=reason.hint)


@dataclass(frozen=True, slots=True)
class Keeps:
    """What a driver keeps from one move to the next."""

    images: BaseImages = field(default_factory=BaseImages)
    proofs: SharingProofs = field(default_factory=SharingProofs)
    watch: ClaimWatch = field(default_factory=lambda: ClaimWatch(time.time, time.monotonic))
    warnings: dict[tuple[str, str], Reason] = field(default_factory=dict)

    def told(self, migration: Migration, note: VmNote) -> tuple[Reason, ...]:
        """What a move's preparation has to say at its end; told once."""
        found = self.warnings.pop((note.operation_id, migration.vm), None)
        return () if found is None else (found,)

    def prove_in_place(self, ends: Ends, pools: PoolMap, paths: Iterable[str], migration: Migration, note: VmNote) -> None:
        """Two different pools refuse the move (MigrationError ``pool_not_shared``); hosts that may not write into theirs (NFS with root_squash) only warn."""
        try:
            self.proofs.prove(ends, pools, paths, migration.vm_name)
        except MigrationError as error:
            if error.code != UNPROVEN:
                raise
            self.warnings[note.operation_id, migration.vm] = warning(error.code, error.message, error.hint, ("PCD-14",))


def written_in_place(connection: Connection, migration: Migration) -> tuple[str, ...]:
    """The files that the guest writes to where they are, on whichever host it runs."""
    domain = find_domain(connection, migration.vm)
    disks = read_disks(domain.XMLDesc(0)).values() if domain is not None else ()
    return tuple(disk.path for disk in disks if disk.path.startswith("/") and not disk.is_read_only)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a move does before libvirt's own call; called in the move's own thread. Without storage it only proves that the disks' pools are shared."""

    ends: Ends
    read_pools: Callable[[], PoolMap]
    migration: Migration
    note: VmNote
    options: MoveOptions
    keeps: Keeps

    def __call__(self, job: MoveJob) -> Extra:
        """Make everything, and give what libvirt is to be told. Raises MigrationError; what was made is left to the rollback."""
        pools = self.read_pools()
        if not is_copying(self.migration):
            self._prove_in_place(pools)
            return Extra(0, _definitions(self.ends, self.migration, {})) if self.migration.network_map else Extra()
        plan = plan_copies(self.ends, pools, self.migration)
        refuse(plan)
        if {(disk.device, disk.target_path) for disk in plan.disks} != {(noted.device, noted.target_path) for noted in self.note.volumes}:
            raise StateConflict(f"The disks of {self.migration.vm_name} are not those that its note names any more.", hint="Run the task again.")
        meter = _Meter(job, self.migration, plan)
        in_place = [disk.path for disk in plan.staying if disk.path.startswith("/") and not disk.is_read_only]
        in_place += [base.source_path for base in plan.bases if base.is_shared]
        self.keeps.proofs.prove(self.ends, pools, in_place, self.migration.vm_name)
        work = BaseWork(self.note, self.migration.vm, self.migration.vm_name, self.options, meter)
        for base in plan.bases:
            self.keeps.images.ensure(self.ends, base, work)
        for disk in plan.disks:
            meter(0)
            self._make(disk, work)
        job.memory_cap_mib_s = memory_cap_mib_s(self.note)
        return _extra(self.ends, self.migration, plan, self.options)

    def _prove_in_place(self, pools: PoolMap) -> None:
        paths = self.ends.source.run("reading the disks that stay", lambda link: written_in_place(link, self.migration))
        self.keeps.prove_in_place(self.ends, pools, paths, self.migration, self.note)

    def _make(self, disk: CopiedDisk, work: BaseWork) -> None:
        """Make the target. Under the host's lock where it rests on a base image, so that no rollback takes that away in the same moment."""
        target = self.ends.target
        doing = f"making {disk.target_path}"
        if not disk.bases:
            target.run(doing, lambda link: _make_target(link, disk, work, self.migration), READ_SECONDS, repeat=False)
            return
        with host_lock(target, self.keeps.watch):
            target.run(doing, lambda link: _make_over_base(link, disk, work, self.migration), READ_SECONDS, repeat=False)


class _Meter:
    """Tells what the preparation has read and sent, and ends it when the move is cancelled."""

    def __init__(self, job: MoveJob, migration: Migration, plan: CopyPlan) -> None:
        self._job = job
        self._migration = migration
        self._done = 0
        self._total = sum(2 * base.image.physical_bytes for base in plan.bases if not base.is_shared)

    def __call__(self, count: int) -> None:
        """So many bytes more. Raises MoveFailed where somebody cancelled the move."""
        if self._job.is_cancelled:
            raise MoveFailed("aborted before it began", code="cancelled")
        self._done += count
        total = max(self._total, self._done)
        self._job.last = Progress(
            self._migration.id,
            Phase.PREPARING,
            percent=0.0,
            processed_bytes=self._done,
            remaining_bytes=total - self._done,
            total_bytes=total,
            message="proving and copying base images" if total else "",
            at=time.time(),
        )


def _make_over_base(connection: Connection, disk: CopiedDisk, work: BaseWork, migration: Migration) -> None:
    """The stub of a linked clone, and the proof that it rests on what it should (CSK-10, CSK-15)."""
    _make_target(connection, disk, work, migration)
    for base in disk.bases:
        found = dataclasses.replace(base, there=find_image(connection, base.target_path))
        against = base_differs(found, "the destination", migration.vm_name)
        if against is not None:
            raise StateConflict(against.message, code=against.code, hint=against.hint)
    stub = find_image(connection, disk.target_path)
    if stub is None or (stub.backing, stub.backing_format) != (disk.bases[0].target_path, disk.bases[0].format):
        raise MigrationError(f"{disk.target_path} does not rest on {disk.bases[0].target_path} as it was made to.", code="backing_chain_mismatch")


def _make_target(connection: Connection, disk: CopiedDisk, work: BaseWork, migration: Migration) -> None:
    """An empty image of the same virtual size, made by us so that it stays sparse; it takes over what an earlier try of this VM left there (CSK-12)."""
    usage, maker = made_usage(disk.target_path), work.maker(disk.target_path)
    other = put_maker(connection, usage, maker)
    if other is not None and other.vm == migration.vm:
        delete_file(connection, disk.target_path)
        drop_maker(connection, usage, other.operation_id)
        other = put_maker(connection, usage, maker)
    if other is not None:
        raise StateConflict(f"{disk.target_path} is being made by operation {other.operation_id}.", code="target_name_taken")
    below = disk.bases[0] if disk.bases else None
    image = NewImage(
        disk.target_path.rpartition("/")[2],
        disk.format,
        disk.capacity_bytes,
        below.target_path if below else "",
        below.format if below else "",
        disk.layout if disk.format == "qcow2" else "",
    )
    try:
        make_image(connection, disk.target_pool, image)
    except libvirt.libvirtError as error:
        # Whatever is there is not ours, and a half-made file libvirt has removed itself; unless nobody heard of its end.
        if not is_about_connecting(error):
            drop_maker(connection, usage, maker.operation_id)
        raise


def _extra(ends: Ends, migration: Migration, plan: CopyPlan, options: MoveOptions) -> Extra:
    """What libvirt is told: which disks, the definitions with their new places, and one of the two ways to copy, never both (CSK-13, CSK-16)."""
    places = {disk.device: NewPlace(disk.target_path, disk.format) for disk in plan.disks}
    disks = [disk.device for disk in plan.disks]
    parameters = {**copy_parameters(options), libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS: disks, **_definitions(ends, migration, places)}
    full = migration.disk_copy is DiskCopy.FULL
    return Extra(libvirt.VIR_MIGRATE_NON_SHARED_DISK if full else libvirt.VIR_MIGRATE_NON_SHARED_INC, parameters)


def _definitions(ends: Ends, migration: Migration, places: Mapping[str, NewPlace]) -> dict[str, str]:
    """The VM as it shall be at the destination, now and for good: its disks at their new places, its cards on the networks of that host."""

    def definitions(connection: Connection) -> tuple[str, str]:
        domain = find_domain(connection, migration.vm)
        if domain is None:
            raise StateConflict(f"VM {migration.vm_name} is not on {ends.source.name} any more.", hint="Run the task again.")
        flags = libvirt.VIR_DOMAIN_XML_MIGRATABLE | libvirt.VIR_DOMAIN_XML_SECURE
        return domain.XMLDesc(flags), domain.XMLDesc(flags | libvirt.VIR_DOMAIN_XML_INACTIVE) if domain.isPersistent() else ""

    live, stored = ends.source.run("reading the definition to send", definitions)
    told = {libvirt.VIR_MIGRATE_PARAM_DEST_XML: live, libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: stored}
    return {name: with_networks(with_places(xml, places), migration.network_map) for name, xml in told.items() if xml}
