# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the modules that move VMs: how moves are made and waited for, and which targets come into question."""

from __future__ import annotations


class ModuleDocFragment:
    """``move``: how to move. ``move.targets``: where to."""

    TARGETS = r"""
options:
  scope:
    description: How far from its host a VM may go. V(site) means anywhere that the rules allow.
    type: str
    choices: [cluster, pod, zone, site]
    default: zone
  consents:
    description:
      - Names of soft refusals that are consented to; each then only warns.
      - A reason that can be consented to names its consent in C(overridable).
    type: list
    elements: str
    default: []
"""

    DOCUMENTATION = r"""
options:
  parallel:
    description: The most moves at once over the whole run. Without it, only the limits of O(site) apply.
    type: int
  bandwidth_mib_s:
    description: The most that one move may use, memory and disks alike, in MiB per second. Without it there is no cap.
    type: int
  speed:
    description:
      - The most that the copying of one move's disks may use. V(medium) is 20 MiB/s, V(fast) 30 MiB/s, V(unlimited) no cap; a whole number is MiB/s.
      - It says nothing of memory; where a move copies no disk it has no effect, which is a warning, and an error with the profile C(cas).
      - Beside O(bandwidth_mib_s) the smaller of the two holds for the disks.
    type: str
  max_downtime_ms:
    description: The longest pause at the switch, in milliseconds. Without it, the hypervisor's own figure applies.
    type: int
  auto_converge:
    description: Whether the hypervisor may slow a VM down that writes its memory faster than it can be copied.
    type: bool
    default: false
  post_copy:
    description:
      - Whether a running VM may go on at the destination before all its memory is there. Only for live moves that leave the disks where they are.
      - The switch comes after the first whole pass over its memory, or at the timeout with O(on_timeout=post_copy). There is no way back after it.
      - If the way between the two hosts breaks after the switch, the VM waits, and the rest is taken up again when the way is free.
    type: bool
    default: false
  encrypt:
    description:
      - Whether what goes from host to host is encrypted by the hypervisor (TLS).
      - On libvirt every host needs QEMU's own certificates (C(/etc/pki/qemu) by default). A move that cannot be encrypted does not start.
    type: bool
    default: false
  compression:
    description:
      - How memory is compressed on its way. V(xbzrle) sends differences of pages that are sent again, V(mt) compresses every page, V(zstd) needs
        O(connections) and libvirt 9.1 or newer on both hosts.
    type: str
    choices: [none, xbzrle, mt, zstd]
    default: none
  connections:
    description:
      - How many streams carry the memory of one move. Without it there is one.
      - Not together with O(post_copy), nor with O(compression=xbzrle) or O(compression=mt).
    type: int
  transport:
    description:
      - With V(p2p) the source host opens the target host itself, and a move outlives a crash of the controller.
      - With V(managed) the controller carries the move between the two, and its crash aborts the move; there is a warning each time.
    type: str
    choices: [p2p, managed]
    default: p2p
  timeout_seconds:
    description: The longest that one move may take that leaves the disks where they are.
    type: float
    default: 3600.0
  storage_timeout_seconds:
    description: The longest that one move may take that copies disks.
    type: float
    default: 86400.0
  stall_seconds:
    description: How long a move may transfer nothing before it counts as stalled.
    type: float
    default: 30.0
  on_timeout:
    description:
      - What happens to a move that exceeds its time.
      - V(abort) leaves the VM running on its source.
      - V(suspend) pauses the VM until its copy is whole, and lets it run on at the destination, or on its source if the move fails. It needs the consent
        V(allow_downtime) in O(consents).
      - V(post_copy) lets it run at the destination while the rest of its memory follows; it needs O(post_copy=true).
      - V(continue) waits on.
      - A move that stalls is aborted, whatever is chosen here.
    type: str
    choices: [abort, suspend, post_copy, continue]
    default: abort
  shutdown_seconds:
    description: How long a VM may take to shut down for a cold move. One that does not is then ended, as the consent to its downtime allows.
    type: float
    default: 120.0
  verify_copy:
    description:
      - How a copy that no hypervisor mirrors is proven before its source is removed.
      - V(readback) reads it from its destination again. V(stream) trusts the checksum of what was written, which takes half the time.
    type: str
    choices: [readback, stream]
    default: readback
  eject_media:
    description:
      - Whether CDs and floppies that the target host does not have are taken out for the move. They are put back if it fails.
      - Without it, such a medium is a reason against the target.
    type: bool
    default: false
  retries:
    description: How many further targets are tried when a move fails.
    type: int
    default: 2
  deadline:
    description:
      - A point in time as in RFC 3339, such as V(2026-10-05T23:30:00+02:00). No move starts after it.
      - The offset from UTC is required.
    type: str
  on_deadline:
    description: What happens at the deadline to moves that are running. V(finish_running) waits for them; V(cancel_running) leaves the VMs on their source.
    type: str
    choices: [finish_running, cancel_running]
    default: finish_running
  claim_wait_seconds:
    description: How long to wait for another run that is at work on the same host or VM.
    type: float
    default: 60.0
  why:
    description: The reason, for people. It is kept with the host and shown to whoever meets it.
    type: str
    default: ""
  result_file:
    description:
      - A JSON file that gets the whole result, with all reasons per candidate. The result itself is shortened for large sites.
      - Not written in check mode.
    type: path
"""
