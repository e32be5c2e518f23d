# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of Private Cloud Director: cold and live moves, recovery, and versions of the hosts."""

from __future__ import annotations

from .statement import Statement

PCD: tuple[Statement, ...] = (
    Statement("PCD-01", "Running and stopped VMs move within one environment."),
    Statement("PCD-02", "Maintenance sends VMs to compatible hosts of their cluster."),
    Statement("PCD-03", "Positions are read again just before each move, because others may balance meanwhile.", ("execution/attempt.py",)),
    Statement("PCD-04", "Recovering from a dead host is another purpose than emptying a live one."),
    Statement("PCD-05", "Live, cold and recovery are told apart in the plan and in the result."),
    Statement("PCD-06", "Cold moves take VMs that are off or suspended, and leave them so.", waits_for="driver:kvm (saved state)"),
    Statement("PCD-07", "A cold move of a running VM needs the consent to its downtime."),
    Statement("PCD-08", "A cold move goes over the management network, whose speed counts."),
    Statement("PCD-09", "The destination's CPU offers every feature that the VM sees."),
    Statement("PCD-10", "A cold move needs the same release of the operating system."),
    Statement("PCD-11", "The target host is optional: given, or found."),
    Statement("PCD-12", "The downtime is estimated, and measured where the hypervisor tells it."),
    Statement("PCD-13", "No live move between different releases of the operating system."),
    Statement("PCD-14", "A pool is shared where an identity proves it, not where the names agree.", ("driver:kvm",)),
    Statement("PCD-15", "A local root disk is copied whole, and counted."),
    Statement("PCD-16", "After the move the VM has the same volumes in the same order.", ("driver:kvm",)),
    Statement("PCD-17", "Live moves go over the management network where no migration network is at hand."),
    Statement("PCD-18", "VMs on local storage are warned of where hosts are emptied."),
    Statement("PCD-19", "The bandwidth for disks is asked about only where disks are copied."),
    Statement("PCD-20", "A live move has the same CPU prerequisite."),
    Statement("PCD-21", "A live move has the same prerequisite on releases."),
    Statement("PCD-22", "Every planned move names a concrete host.", ("planning/planner.py", "module:vm_migrate")),
    Statement("PCD-23", "The hosts that suit are a part of the list, on request the only one.", ("module:find_migration_targets",)),
    Statement("PCD-24", "Recovery needs proof that the host is down or fenced."),
    Statement("PCD-25", "VMs on local disks cannot be recovered; the others are."),
    Statement("PCD-26", "Recovery has the same CPU prerequisite."),
    Statement("PCD-27", "Recovery has the same prerequisite on releases."),
    Statement("PCD-28", "Recovery is given the failed host, and targets if wished."),
    Statement("PCD-29", "The hypervisor's version is compared as well as the operating system's."),
    Statement("PCD-30", "From 22.04 to 22.04."),
    Statement("PCD-31", "From 24.04 to 24.04."),
    Statement("PCD-32", "Not across releases."),
    Statement("PCD-33", "A move to a newer release is marked as one without return.", ("module:host_evacuate",)),
    Statement("PCD-34", "One way only, from older to newer, and only with consent."),
    Statement("PCD-35", "A cluster of mixed versions is warned of.", waits_for="role:host_maintenance (freeze while versions differ)"),
    Statement("PCD-36", "Never back to an older release, whatever is consented to."),
)
