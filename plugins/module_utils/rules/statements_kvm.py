# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements of CloudStack's live storage migration between NFS pools on KVM."""

from __future__ import annotations

from .statement import Statement

KVM: tuple[Statement, ...] = (
    Statement("CSK-01", "A running VM's disks go from one NFS pool to another.", ("driver:kvm",)),
    Statement("CSK-02", "Every volume's source pool is checked, not only the first: in this profile all are NFS."),
    Statement("CSK-03", "Another host of the same cluster, and an NFS pool that it reaches."),
    Statement("CSK-04", "The same host is no destination; the reason says what else would do."),
    Statement("CSK-05", "Another cluster is no destination of live storage motion on KVM."),
    Statement("CSK-06", "Storage motion has a timeout of its own, 86,400 s; at its end the job is aborted.", ("execution/watch.py", "driver:kvm")),
    Statement("CSK-07", "One module and one type (host_storage) are the entry to it."),
    Statement("CSK-08", "Before the start: the host is up and open, has the room, and its pools are mounted and active."),
    Statement("CSK-09", "Each volume is told apart by its chain of images: linked or full clone.", ("driver:kvm",)),
    Statement("CSK-10", "For a linked clone an overlay of the same size and template is made beforehand.", ("driver:kvm",)),
    Statement("CSK-11", "A template that the destination lacks is copied once, before any volume.", ("driver:kvm",)),
    Statement("CSK-12", "Full clones are copied whole into an image of the same format and size.", ("driver:kvm",)),
    Statement("CSK-13", "The domain is persistent on its destination; incremental copy where a chain is kept.", ("driver:kvm",)),
    Statement("CSK-14", "At the end there is one definition; after a failure the source has it still, persistent as it was.", ("driver:kvm",)),
    Statement("CSK-15", "The lower images of a chain are verified on the destination before the start.", ("driver:kvm",)),
    Statement(
        "CSK-16", "Either an incremental or a whole copy, never both: the chain decides, or flattening is asked for.", ("driver:kvm", "planning/copying.py")
    ),
    Statement("CSK-17", "Source disks are removed only after the move was verified.", ("driver:kvm",)),
    Statement("CSK-18", "No change of the user interface.", not_code="It speaks of a user interface, which this collection does not have."),
)
