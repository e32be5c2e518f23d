# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of a live move that exclude each other, or that one of the two hosts does not know. Asks, and writes nothing."""

from __future__ import annotations

from ...model.migration import Migration
from ...model.reason import Reason, hard
from ...model.request import MoveOptions
from ...model.vm import PowerState
from .capabilities import dotted_version

ZSTD_SINCE = 9_001_000
"""libvirt 9.1.0: https://libvirt.org/news.html."""


def check_options(migration: Migration, options: MoveOptions, power_state: PowerState, libraries: dict[str, int]) -> tuple[Reason, ...]:
    """Reasons against the options. ``libraries``: the version of libvirt on each host, as libvirt numbers it."""
    found = [hard("option_conflict", text, hint) for text, hint in _conflicts(options)]
    if options.post_copy and power_state is PowerState.PAUSED:
        text = f"VM {migration.vm_name} is paused, and post-copy is for running VMs."
        found.append(hard("post_copy_suspended", text, "Leave post_copy away.", ("CAS-39",)))
    if options.compression == "zstd":
        for host, version in libraries.items():
            if version < ZSTD_SINCE:
                text = f"libvirt {dotted_version(version)} on {host} does not compress memory with zstd; it can since {dotted_version(ZSTD_SINCE)}."
                found.append(hard("capability_missing", text, "Take compression: xbzrle or mt."))
    return tuple(found)


def _conflicts(options: MoveOptions) -> list[tuple[str, str]]:
    """What QEMU cannot do together (its migration capabilities multifd, postcopy-ram, compress, xbzrle)."""
    found = []
    if options.connections and options.post_copy:
        found.append(("Several connections and post-copy exclude each other.", "Leave connections or post_copy away."))
    if options.connections and options.compression in ("xbzrle", "mt"):
        found.append((f"Several connections and compression {options.compression} exclude each other.", "Leave connections or compression away."))
    if options.post_copy and options.compression == "mt":
        found.append(("Post-copy and compression mt exclude each other.", "Take compression: xbzrle, or leave it away."))
    if options.compression == "zstd" and not options.connections:
        found.append(("Compression zstd works over several connections only.", "Give connections, for example 2."))
    return found
