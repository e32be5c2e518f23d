# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of CloudStack's VMware migration improvements: cross-cluster moves, mapping of volumes, system VMs."""

from __future__ import annotations

from .statement import Statement

VMWARE: tuple[Statement, ...] = (
    Statement("CSV-01", "Live and cold moves, as far as the driver says that it can; a mode that it lacks is refused before anything is touched."),
    Statement(
        "CSV-02",
        "Host, storage, both, and system VMs: the operation follows from what changes; inputs that contradict each other are refused.",
        ("module:vm_migrate",),
    ),
    Statement("CSV-03", "Host and storage change in one move even where no pool is shared; the destination must mount the pools that it is given."),
    Statement("CSV-04", "Each volume is placed by its own class and tags; a single pool that does not suit one volume is refused, naming the volume."),
    Statement("CSV-05", "System VMs move running or stopped, and to other clusters of their pod.", ("module:systemvm_migrate",)),
    Statement("CSV-06", "Candidates of a user's VM are those of the zone, of a system VM those of the pod; no storage motion: those of the cluster."),
    Statement("CSV-07", "Users' VMs may change cluster and pod; without storage motion, disks in a pool of one cluster keep them there."),
    Statement("CSV-08", "Users' volumes may go from a cluster's pool to another cluster's pool in another pod."),
    Statement("CSV-09", "System VMs may go to other clusters of their pod."),
    Statement("CSV-10", "System VMs never leave their pod, neither host nor pool, whatever is consented to; a pool of the whole zone has no pod."),
    Statement("CSV-11", "A running VM goes with all its volumes to another cluster."),
    Statement("CSV-12", "A detached volume is copied from pool to pool without a staging store, by a host that reaches both.", ("module:volume_migrate",)),
    Statement("CSV-13", "A stopped VM's volumes go to several pools, each to its own; that cold move is refused for a running VM."),
    Statement("CSV-14", "All volumes are mapped, or ROOT alone: the rest is completed in the cluster of ROOT's pool, or the volume without one is named."),
    Statement("CSV-15", "Each candidate host comes with its cluster, pod and zone."),
    Statement("CSV-16", "A target pool is a wish for ROOT; all into one pool only if that is asked for strictly."),
    Statement("CSV-17", "A stopped system VM can be given a target pool.", ("module:systemvm_migrate",)),
    Statement("CSV-18", "Present pool and volumes of a system VM are part of the answer.", ("module:systemvm_migrate",)),
    Statement("CSV-19", "A running system VM is given a host; its pool is found.", ("module:systemvm_migrate",)),
    Statement("CSV-20", "For a system VM: a host, a pool or automatic choice, and only one of them.", ("module:systemvm_migrate",)),
    Statement("CSV-21", "The kinds of system VMs are known; each module takes its own kind unless told.", ("module:systemvm_migrate",)),
    Statement("CSV-22", "What vMotion needs is looked up on both ends before the start."),
    Statement("CSV-23", "A VM of a newer hardware version than the destination supports is refused."),
    Statement("CSV-24", "Maintenance empties a host with the VMs running.", ("role:host_maintenance", "module:host_evacuate")),
)
