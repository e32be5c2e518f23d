# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of H3C CAS: types, networks, space, post-copy, options."""

from __future__ import annotations

from .statement import Statement

CAS: tuple[Statement, ...] = (
    Statement("CAS-01", "Three types: host, storage, and both."),
    Statement("CAS-02", "The destination has the memory, less its reserve, counting what is planned."),
    Statement("CAS-03", "A VM that is off moves cold.", ("driver:kvm",)),
    Statement("CAS-04", "Automation of the vendor that moves VMs by itself is detected and warned of.", ("driver:vsphere",)),
    Statement("CAS-05", "After maintenance VMs return to where they were.", ("module:host_evacuate", "role:host_maintenance")),
    Statement("CAS-06", "Host alone: all volumes are in shared pools that the destination mounts."),
    Statement("CAS-07", "Failed, overloaded or idle hosts are emptied; switching them off is the role's.", waits_for="role:host_maintenance (power)"),
    Statement("CAS-08", "A move can be cancelled as long as it has not switched.", ("execution/watch.py", "driver:kvm")),
    Statement("CAS-09", "Storage alone: the pool is mounted on the VM's present host."),
    Statement("CAS-10", "Both: any host, and pools that it mounts."),
    Statement("CAS-11", "Which networks a move uses depends on its state and type: a table of six cells."),
    Statement("CAS-12", "Networks may share one line, which is then counted once."),
    Statement("CAS-13", "The migration network is used if both ends have one, else that of management."),
    Statement("CAS-14", "Volumes on RBD do not change their storage online."),
    Statement("CAS-15", "Room is checked for VMs that are off too."),
    Statement("CAS-16", "A pool's free space exceeds the sum of all that the plan sends there."),
    Statement("CAS-17", "Another format needs twice the volume's space."),
    Statement("CAS-18", "A VM on its way is counted once; afterwards there is exactly one.", ("drivers/libvirt/domains.py", "driver:kvm")),
    Statement("CAS-19", "With snapshots, storage changes only between pools of one kind, or of one RBD system."),
    Statement(
        "CAS-20",
        "Nodes of Kubernetes do not change their cluster; in bulk they are left out and listed.",
        ("module:host_evacuate",),
    ),
    Statement("CAS-21", "Moving storage online is warned of: it slows down the disks."),
    Statement("CAS-22", "What happens at the timeout is chosen: abort, suspend, post-copy or wait.", ("execution/watch.py",)),
    Statement("CAS-23", "A VM stays on its architecture."),
    Statement("CAS-24", "A guest that is switched off on its way leaves exactly one definition.", ("execution/settle.py", "driver:kvm")),
    Statement("CAS-25", "Encrypted disks do not change their storage online.", ("driver:kvm",)),
    Statement("CAS-26", "After a cancel our own remnants are removed, the others listed.", ("driver:kvm",)),
    Statement("CAS-27", "A cancel addresses one move by its id.", ("execution/adoption.py", "driver:kvm")),
    Statement("CAS-28", "Both hosts use the same shared pool, proven."),
    Statement("CAS-29", "Storage alone: the pool is mounted on the VM's host."),
    Statement("CAS-30", "Both: pools are those of the destination host."),
    Statement("CAS-31", "A target host with storage alone is a contradiction; with the others it is given or found."),
    Statement("CAS-32", "Every NIC finds its network, of its type, on the destination."),
    Statement("CAS-33", "Post-copy for a running VM whose host alone changes."),
    Statement("CAS-34", "Post-copy is warned of: a failure may lose the VM."),
    Statement("CAS-35", "No post-copy from or to a host that waits for its restart."),
    Statement("CAS-36", "On ARM no post-copy between different versions."),
    Statement("CAS-37", "No post-copy with DPDK switches or passed-through NICs."),
    Statement("CAS-38", "No post-copy with virtual GPUs."),
    Statement("CAS-39", "No post-copy of a suspended VM."),
    Statement("CAS-40", "Post-copy with huge pages: of one size on both ends."),
    Statement("CAS-41", "Post-copy with huge pages: the link is faster than 1 Gbit/s."),
    Statement("CAS-42", "The duration is estimated from the network that is used.", ("planning/durations.py", "planning/routes.py")),
    Statement("CAS-43", "Above 24 hours post-copy is advised, where it is allowed."),
    Statement("CAS-44", "Slowing the guest down serves live moves; elsewhere it is ignored with a warning."),
    Statement("CAS-45", "Encryption serves live moves that change the host."),
    Statement("CAS-46", "Several disks may go to several pools."),
    Statement("CAS-47", "The format changes only without a base image, and only in pools of files."),
    Statement("CAS-48", "Formats: as it is, qcow2 (intelligent), raw (high speed)."),
    Statement("CAS-49", "A cap of speed serves moves of storage.", ("module:vm_migrate",)),
    Statement("CAS-50", "The cap has no effect on a VM that is off between two RBD pools.", ("module:vm_migrate",)),
    Statement("CAS-51", "The cap has no effect on a running VM with internal snapshots.", ("module:vm_migrate",)),
    Statement("CAS-52", "Suspended is a state of its own, beside running and off."),
)
