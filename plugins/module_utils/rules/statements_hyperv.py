# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of CloudStack's Hyper-V storage motion."""

from __future__ import annotations

from .statement import Statement

HYPERV: tuple[Statement, ...] = (
    Statement("CSH-01", "A volume moves while its VM runs.", waits_for="driver:hyperv"),
    Statement("CSH-02", "A VM moves with its volumes to another host, without downtime.", waits_for="driver:hyperv"),
    Statement("CSH-03", "Rights are checked before a volume is moved.", waits_for="driver:hyperv"),
    Statement("CSH-04", "Rights are checked before a VM is moved with its volumes.", waits_for="driver:hyperv"),
    Statement("CSH-05", "A volume on local storage stays there while its VM stays on its host."),
    Statement("CSH-06", "While the VM stays, shared goes to shared within the cluster."),
    Statement("CSH-07", "The table of classes where the VM stays: shared to shared alone."),
    Statement("CSH-08", "With the host, local storage changes to the destination's local storage, in the cluster or out of it."),
    Statement("CSH-09", "With the host, shared storage changes to a shared pool that is attached to it."),
    Statement("CSH-10", "A VM of both classes needs a pool of each on the destination."),
    Statement("CSH-11", "The table of classes where the VM changes its host: each class to itself."),
    Statement("CSH-12", "Another class than declared is a conflict, unless the declared class is changed too."),
    Statement("CSH-13", "For a live volume the shared pools of its cluster are listed."),
    Statement("CSH-14", "Pools that lack a tag are listed as unsuitable, with the reason."),
    Statement("CSH-15", "After the move the volume is in its pool, and its new path is told.", ("module:volume_migrate",)),
    Statement("CSH-16", "Moving one volume leaves the VM's others where they are.", ("module:volume_migrate",)),
    Statement("CSH-17", "Hosts within the cluster and outside it; each says whether storage has to move."),
    Statement("CSH-18", "A host suits that carries every tag which the VM requires."),
    Statement("CSH-19", "Without a mapping each volume keeps its class."),
    Statement("CSH-20", "A mapping is kept exactly."),
    Statement("CSH-21", "A mapping across classes is refused before anything changes."),
    Statement("CSH-22", "A live volume on local storage is refused."),
    Statement("CSH-23", "If the destination's pool fails, VM and volumes remain at the source.", ("driver:kvm",), waits_for="driver:hyperv"),
    Statement("CSH-24", "The hypervisor's own log is part of a failure.", waits_for="driver:hyperv"),
    Statement("CSH-25", "No more storage moves at once than the host allows; its setting is never changed.", waits_for="driver:hyperv"),
    Statement("CSH-26", "At a timeout the host is asked what became of the job.", ("execution/watch.py",), "driver:hyperv"),
    Statement("CSH-27", "Hyper-V older than 2012 R2 is refused."),
    Statement(
        "CSH-28",
        "Pool down, better storage, host down, balance: each has its module or role.",
        ("module:pool_evacuate", "module:volume_migrate", "module:host_evacuate", "role:storage_retirement"),
    ),
    Statement("CSH-29", "A disk is known by its whole path, never by its file name alone.", waits_for="driver:hyperv"),
    Statement("CSH-30", "The result tells path, pool and state.", ("module:volume_migrate",)),
    Statement("CSH-31", "After a failure no mark or lock remains; a second run is possible.", ("execution/settle.py",)),
    Statement("CSH-32", "Two operations on one VM at once are refused."),
    Statement("CSH-33", "The way of moving is chosen by the driver and told.", waits_for="driver:hyperv"),
    Statement("CSH-34", "The map of volumes is complete: those that stay are in it."),
    Statement("CSH-35", "What was moved in part is never reported as done.", ("execution/settle.py", "driver:kvm"), "driver:hyperv"),
    Statement("CSH-36", "What a hypervisor can do depends on its version.", ("model/capabilities.py",), "driver:hyperv"),
    Statement("CSH-37", "Moving the volume of a running VM has to be asked for.", ("module:volume_migrate",)),
    Statement("CSH-38", "A move of the host alone is refused where storage has to move."),
    Statement("CSH-39", "What is found suitable is accepted by the planner and its checker, and the reverse.", ("planning/targets.py", "planning/checker.py")),
)
