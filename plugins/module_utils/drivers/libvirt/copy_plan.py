# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a live move copies, disk by disk: from which file into which, in which pool, over which base images; and what speaks against it. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...model.migration import DiskCopy, Migration, VolumeMove
from ...model.reason import Reason, hard
from . import partial
from .connection import READ_SECONDS, Connection
from .disk_definitions import DiskImage, read_disks
from .domains import find_domain
from .image_files import ImageFile, find_image, pool_holding
from .library import libvirt
from .made_files import Maker, made_usage, maker_of
from .migrate import Ends
from .pools import HostPool, PoolMap, read_pools

FORMATS = ("raw", "qcow2")


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image below a disk. ``target_path`` is where it is, or has to be, on the destination; ``below`` the one under it there (empty: none).

    ``is_shared``: both hosts read the same file. ``there`` is what the destination has under that path, None for nothing.
    """

    source_path: str
    format: str
    target_path: str
    target_pool: str
    image: ImageFile
    is_shared: bool = False
    below: str = ""
    there: ImageFile | None = None


@dataclass(frozen=True, slots=True)
class CopiedDisk:
    """A disk and the file that it goes into. ``bases``: the chain that stays below it, nearest first (none: it is copied whole)."""

    device: str
    move: VolumeMove
    source_path: str
    target_path: str
    target_pool: str
    format: str
    capacity_bytes: int
    layout: str = ""
    bases: tuple[BaseImage, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """All copied disks of a move, disks that stay where they are, and the reasons against it."""

    disks: tuple[CopiedDisk, ...] = ()
    staying: tuple[DiskImage, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def bases(self) -> tuple[BaseImage, ...]:
        """Every base image once, the lowest first."""
        found: dict[str, BaseImage] = {}
        for disk in self.disks:
            for base in reversed(disk.bases):
                found.setdefault(base.target_path, base)
        return tuple(found.values())

    @property
    def missing_bases(self) -> tuple[BaseImage, ...]:
        """Those that the destination lacks."""
        return tuple(base for base in self.bases if base.there is None and not base.is_shared)


@dataclass(frozen=True, slots=True)
class _Source:
    """What the source says: disks as they run and as they are defined (None: transient), virtual sizes, and the files of all images by path."""

    live: dict[str, DiskImage]
    defined: dict[str, DiskImage] | None
    sizes: dict[str, int]
    images: dict[str, ImageFile]
    pools: tuple[HostPool, ...]


def plan_copies(ends: Ends, pools: PoolMap, migration: Migration) -> CopyPlan:
    """Plan them from what both ends say now. Raises HostUnreachable."""
    moves = {_device(migration, move): move for move in migration.volumes if move.moves}
    source = ends.source.run("reading the disks to copy", lambda link: _read_source(link, migration, frozenset(moves)), READ_SECONDS)
    if source is None:
        return CopyPlan(reasons=(hard("power_state_changed", f"{migration.vm_name} is not on {migration.source_host} any more.", "Run the task again."),))
    planner = _Planner(ends, pools, migration, source)
    disks = [disk for device, move in moves.items() if (disk := planner.disk(device, move)) is not None]
    there = ends.target.run("looking at the destination's files", lambda link: _look(link, disks), READ_SECONDS)
    disks = [planner.judged(disk, there) for disk in disks]
    planner.reasons += planner.room(disks, there)
    staying = tuple(disk for device, disk in source.live.items() if device not in moves)
    return CopyPlan(tuple(disks), staying, tuple(planner.reasons))


def _device(migration: Migration, move: VolumeMove) -> str:
    return move.device or move.volume.removeprefix(f"{migration.vm}/")


def _read_source(connection: Connection, migration: Migration, devices: frozenset[str]) -> _Source | None:
    domain = find_domain(connection, migration.vm)
    if domain is None:
        return None
    live = read_disks(domain.XMLDesc(0))
    defined = read_disks(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)) if domain.isPersistent() else None
    wanted = [disk for device, disk in live.items() if device in devices and disk.type == "file"]
    paths = dict.fromkeys(path for disk in wanted for path in (disk.path, *(path for path, _format in disk.chain)))
    images = {path: image for path in paths if (image := find_image(connection, path)) is not None}
    return _Source(live, defined, {disk.device: domain.blockInfo(disk.device)[0] for disk in wanted}, images, read_pools(connection))


@dataclass(frozen=True, slots=True)
class _There:
    """What the destination has under the planned paths, who says that he made them, and the free bytes of its pools by name."""

    images: dict[str, ImageFile]
    makers: dict[str, Maker]
    unfinished: frozenset[str]
    free_bytes: dict[str, int]


def _look(connection: Connection, disks: Iterable[CopiedDisk]) -> _There:
    files = {disk.target_path: disk.target_pool for disk in disks} | {base.target_path: base.target_pool for disk in disks for base in disk.bases}
    images = {path: image for path in files if (image := find_image(connection, path)) is not None}
    makers = {path: maker for path in files if (maker := maker_of(connection, made_usage(path))) is not None}
    unfinished = {path for path, pool in files.items() if partial.find(connection, pool, path) is not None}
    free = {pool.name: pool.free_bytes for pool in read_pools(connection) if pool.free_bytes is not None}
    return _There(images, makers, frozenset(unfinished), free)


class _Planner:
    """Plans one move's disks, and gathers what speaks against them."""

    def __init__(self, ends: Ends, pools: PoolMap, migration: Migration, source: _Source) -> None:
        self._ends = ends
        self._pools = pools
        self._migration = migration
        self._source = source
        self._names: set[str] = set()
        self.reasons: list[Reason] = []

    def disk(self, device: str, move: VolumeMove) -> CopiedDisk | None:
        """The copy of one disk, None where a reason says why not."""
        live = self._source.live.get(device)
        pool = self._pools.pool_on(self._ends.target.name, move.target_pool or "")
        against = self._cannot_copy(device, live, move) or self._no_pool(device, move, pool)
        if against is not None or live is None or pool is None:
            self.reasons += [against] if against is not None else []
            return None
        image, wanted = self._source.images.get(live.path), move.format or live.format
        keeps_base = self._migration.disk_copy is DiskCopy.INCREMENTAL and bool(live.chain)
        return CopiedDisk(
            device=device,
            move=move,
            source_path=live.path,
            target_path=f"{pool.path.rstrip('/')}/{self._name(live, wanted)}",
            target_pool=pool.name,
            format=wanted,
            capacity_bytes=self._source.sizes[device],
            layout=image.layout if image is not None and image.format == "qcow2" else "",
            bases=self._bases(live, pool) if keeps_base else (),
        )

    def judged(self, disk: CopiedDisk, there: _There) -> CopiedDisk:
        """The disk with what the destination has of its base images; reasons against what it has."""
        self._judge_name(disk, there)
        bases = tuple(self._judged_base(base, there) for base in disk.bases)
        return CopiedDisk(disk.device, disk.move, disk.source_path, disk.target_path, disk.target_pool, disk.format, disk.capacity_bytes, disk.layout, bases)

    def room(self, disks: list[CopiedDisk], there: _There) -> list[Reason]:
        """More than the disks' full sizes must be free, with the base images that have to be copied (CAS-16, CSK-08)."""
        needed: dict[str, int] = {}
        for disk in disks:
            needed[disk.target_pool] = needed.get(disk.target_pool, 0) + disk.capacity_bytes
        for base in CopyPlan(tuple(disks)).missing_bases:
            needed[base.target_pool] = needed.get(base.target_pool, 0) + base.image.physical_bytes
        return [
            hard(
                "pool_full",
                f"Pool {pool} of {self._ends.target.name} has {there.free_bytes[pool]} bytes free; {self._migration.vm_name} needs more than {size} there.",
                "Free some room, or choose another pool.",
                ("CAS-16", "CSK-08"),
            )
            for pool, size in needed.items()
            if pool in there.free_bytes and there.free_bytes[pool] <= size
        ]

    def _cannot_copy(self, device: str, live: DiskImage | None, move: VolumeMove) -> Reason | None:
        name, vm = f"Disk {device} of {self._migration.vm_name}", self._migration
        if live is None:
            return hard("volume_unknown", f"{vm.vm_name} has no disk {device} on {vm.source_host}.", "Run the task again: its disks have changed.")
        defined = self._source.defined.get(device) if self._source.defined is not None else None
        if live.type != "file" or live.is_read_only:
            return hard("disk_kind_not_copied", f"{name} ({live.path}, {live.type}) is not a file that a guest writes to.", "Move the VM with it in place.")
        if live.is_encrypted:
            return hard("encrypted_not_copied", f"{name} is encrypted; it is not copied live.", "Move the VM by host alone, or stop it first.", ("CAS-25",))
        if live.format not in FORMATS or (move.format or live.format) not in FORMATS:
            wanted = move.format or live.format
            return hard("format_not_copied", f"{name} is {live.format or 'of unknown format'} and would be {wanted}.", "Only raw and qcow2 are copied live.")
        if self._migration.disk_copy is DiskCopy.NONE:
            return hard("disk_copy_undefined", f"{name} is to be copied, but the plan does not say how.", "Plan the move again.", ("CSK-16",))
        if self._migration.disk_copy is DiskCopy.INCREMENTAL and live.chain and (move.format or live.format) != "qcow2":
            text = f"{name} rests on {live.chain[0][0]}; as {move.format or live.format} it cannot."
            return hard("format_change_with_backing", text, "Ask for flatten.", ("CAS-47",))
        if live.has_block_job:
            return hard("operation_in_progress", f"{name} has a block job.", "Wait for its end.")
        if defined is not None and defined.path != live.path:
            text = f"{name} is {live.path}, but its stored definition says {defined.path}."
            return hard("definition_differs", text, "Make both the same (virsh edit), or restart the VM.")
        return None

    def _no_pool(self, device: str, move: VolumeMove, pool: HostPool | None) -> Reason | None:
        target = self._ends.target.name
        if pool is None or not pool.active:
            text = f"{target} has no active pool {move.target_pool} for disk {device} of {self._migration.vm_name}."
            return hard("pool_not_on_host", text, "Start or mount it there, or choose another pool.", ("CSK-08",))
        if not pool.path:
            return hard("pool_kind_unsupported", f"Pool {move.target_pool} ({pool.kind}) holds no files; disks are copied into files only.", "Choose another.")
        return None

    def _name(self, live: DiskImage, wanted: str) -> str:
        """The same name as before; its ending follows the format, and a second disk of one name is told apart by its device."""
        name = live.path.rpartition("/")[2]
        if wanted != live.format and name.endswith(f".{live.format}"):
            name = f"{name.removesuffix(f'.{live.format}')}.{wanted}"
        if name in self._names:
            stem, dot, ending = name.rpartition(".")
            name = f"{stem}-{live.device}.{ending}" if dot else f"{name}-{live.device}"
        self._names.add(name)
        return name

    def _bases(self, live: DiskImage, target: HostPool) -> tuple[BaseImage, ...]:
        """The chain below, as it is on the destination: in the same shared pool, else beside the copy of its disk."""
        found: list[BaseImage] = []
        for path, kind in reversed(live.chain):
            image = self._source.images.get(path)
            if image is None:
                text = f"{path}, on which disk {live.device} of {self._migration.vm_name} rests, is in no active pool of {self._ends.source.name}."
                self.reasons.append(hard("base_not_in_pool", text, "Define a pool for its folder, or copy it into the disk (flatten).", ("CSK-15",)))
                return ()
            pool = pool_holding(self._source.pools, path)
            shared = self._shared(pool)
            place = shared or target
            below = found[-1].target_path if found else ""
            path_there = f"{place.path.rstrip('/')}/{path.rpartition('/')[2]}"
            found.append(BaseImage(path, kind or image.format, path_there, place.name, image, shared is not None, below))
        return tuple(reversed(found))

    def _shared(self, pool: HostPool | None) -> HostPool | None:
        """What the destination has of a pool of the source that both have."""
        return None if pool is None else self._pools.pool_on(self._ends.target.name, self._pools.pool_id(self._ends.source.name, pool))

    def _judge_name(self, disk: CopiedDisk, there: _There) -> None:
        if disk.target_path not in there.images:
            return
        maker = there.makers.get(disk.target_path)
        if maker is not None and maker.vm == self._migration.vm:
            return  # left by an earlier move of this VM, whose claim we hold: it is replaced
        whose = f", made by operation {maker.operation_id}" if maker is not None else ""
        text = f"{self._ends.target.name} has a file {disk.target_path} already{whose}; disk {disk.device} of {self._migration.vm_name} would need that name."
        self.reasons.append(hard("target_name_taken", text, "Find out whose it is, and rename or remove it; or choose another pool.", ("CSK-10",)))

    def _judged_base(self, base: BaseImage, there: _There) -> BaseImage:
        image = None if base.target_path in there.unfinished else there.images.get(base.target_path)
        judged = BaseImage(base.source_path, base.format, base.target_path, base.target_pool, base.image, base.is_shared, base.below, image)
        against = self._against_base(judged)
        self.reasons += [against] if against is not None else []
        return judged

    def _against_base(self, base: BaseImage) -> Reason | None:
        target, vm = self._ends.target.name, self._migration.vm_name
        flatten = "Copy the base into the disk (flatten), or make it the same on both hosts."
        if base.there is None and base.is_shared:
            text = f"{target} does not see {base.target_path}, on which {vm} rests, although its pool is active there."
            return hard("backing_chain_missing", text, "Make sure that both hosts mount the same storage.", ("CSK-15", "PCD-14"))
        if base.there is None:
            # A copy keeps, inside, the path of what it rests on itself.
            if not base.below or (base.source_path == base.target_path and base.image.backing == base.below):
                return None
            text = f"{base.source_path} rests on {base.image.backing}; its copy on {target} would have to rest on {base.below}, which libvirt cannot change."
            return hard("backing_chain_path", text, flatten, ("CSK-15",))
        return base_differs(base, target, vm)


def base_differs(base: BaseImage, target: str, vm_name: str) -> Reason | None:
    """Why what the destination has is not the base image that it should be, as far as sizes and formats tell; None where they are the same."""
    there, image = base.there, base.image
    if there is None:
        return hard("backing_chain_missing", f"{target} has no {base.target_path}, on which {vm_name} rests.", "", ("CSK-15",))
    pairs = (
        ("format", image.format, there.format),
        ("size", image.capacity_bytes, there.capacity_bytes),
        ("length", image.physical_bytes, there.physical_bytes),
    )
    unlike = [f"{word} {mine} and {other}" for word, mine, other in pairs if mine != other]
    if there.backing != base.below:
        unlike.append(f"rests on {there.backing or 'nothing'} instead of {base.below or 'nothing'}")
    if not unlike:
        return None
    text = f"{base.target_path} on {target} is not the {base.source_path} on which {vm_name} rests: {'; '.join(unlike)}."
    return hard("template_mismatch", text, "Copy the base into the disk (flatten), or make it the same on both hosts.", ("CSK-15", "CSK-11"))
