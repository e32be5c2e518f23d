# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about options that need certain moves to have an effect: encryption, speed, slowing the guest down; and what a move costs its guest."""

from __future__ import annotations

from ..model.migration import MigrationType, VolumeMove
from ..model.site import Site
from .option_case import OptionCase
from .rule import NOTHING, Finding, Findings

_RBD = "rbd"


def encrypted_between_hosts(case: OptionCase) -> Findings:
    """Encryption covers what goes from host to host (CAS-45); who asks for it must not be left without it in silence."""
    if not case.intent.encrypt or case.moves_host:
        return NOTHING
    text = f"Encryption covers what goes from host to host, and VM {case.vm.name} changes its storage alone."
    return (Finding(text, "Leave encrypt away, or give type host_storage."),)


def encrypted_in_memory(case: OptionCase) -> Findings:
    """Encryption is for VMs that run or are suspended while they move: it covers their memory (CAS-45, CAS-52)."""
    if not case.intent.encrypt or case.in_memory:
        return NOTHING
    text = f"VM {case.vm.name} is {case.vm.power_state.value}, to be moved in mode {case.intent.mode.value}; encryption is for VMs that stay in memory."
    return (Finding(text, "Leave encrypt away, or give mode live or suspended for a VM that runs."),)


def slowing_helps(case: OptionCase) -> Findings:
    """To slow the guest's CPUs down helps where a running guest's host changes live, with or without its storage (CAS-44)."""
    if not case.intent.auto_converge or (case.is_live and case.is_running and case.moves_host):
        return NOTHING
    asked = f"VM {case.vm.name} is {case.vm.power_state.value}, to be moved by {case.intent.type.value} in mode {case.intent.mode.value}"
    return (Finding(f"auto_converge has no effect: it is for live moves of running VMs to another host; {asked}.", "Leave auto_converge away."),)


def speed_of_storage(case: OptionCase) -> Findings:
    """The speed is that of storage (CAS-49)."""
    if not case.intent.speed_mib_s or case.moves_storage:
        return NOTHING
    text = f"speed caps the copying of volumes, and VM {case.vm.name} changes its host alone."
    return (Finding(text, "Cap the move of memory with bandwidth_mib_s."),)


def speed_between_rbd(case: OptionCase) -> Findings:
    """Between two RBD pools the storage copies by itself, at its own speed, while the VM is off (CAS-50)."""
    if not case.intent.speed_mib_s or not case.moves_storage or case.in_memory:
        return NOTHING
    pairs = [move for move in case.volumes if between_rbd(case.site, move)]
    if not pairs:
        return NOTHING
    named = ", ".join(f"{move.device or move.volume} from {move.source_pool} to {move.target_pool}" for move in pairs)
    return (Finding(f"The speed has no effect between RBD pools while VM {case.vm.name} is off: {named}.", "Reckon with the full speed of the storage."),)


def speed_with_snapshots(case: OptionCase) -> Findings:
    """The volumes of a running VM with internal snapshots are copied at full speed (CAS-51)."""
    if not case.intent.speed_mib_s or not case.moves_storage or not (case.is_running and case.in_memory) or case.vm.snapshots <= 0:
        return NOTHING
    return (Finding(f"The speed has no effect: VM {case.vm.name} runs and has snapshots.", "Delete the snapshots, or reckon with full speed."),)


def snapshots_stay_behind(case: OptionCase) -> Findings:
    """A live copy mirrors what a disk holds now; what its snapshots hold is not copied (libvirt: both ways to copy disks)."""
    if not case.moves_storage or not case.in_memory or case.vm.snapshots <= 0:
        return NOTHING
    text = f"VM {case.vm.name} has {case.vm.snapshots} snapshots, whose contents a live copy of its disks leaves behind."
    return (Finding(text, "Move the host alone, move it cold, or delete the snapshots."),)


def guest_input_output(case: OptionCase) -> Findings:
    """While volumes are copied under a running guest, its own input and output suffer (CAS-21)."""
    if not case.moves_storage or not case.is_live or not case.is_running:
        return NOTHING
    what = "its storage" if case.intent.type is MigrationType.STORAGE else "host and storage"
    return (Finding(f"VM {case.vm.name} runs while {what} move: its disks will be slower meanwhile.", "Do it at a quiet hour, or cap the speed."),)


def between_rbd(site: Site, move: VolumeMove) -> bool:
    """True for a volume that moves from one RBD pool to another."""
    ends = [site.pool_by_id.get(pool) for pool in (move.source_pool, move.target_pool) if pool]
    return move.moves and len(ends) == 2 and all(end is not None and end.kind == _RBD for end in ends)
