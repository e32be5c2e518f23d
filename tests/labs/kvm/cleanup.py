# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removing what tests leave on a host: domains in any state, jobs that still run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import libvirt

from .commands import wait_until

CLEAR_TIMEOUT_S = 20.0
UNDEFINE_FLAGS = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def clear_domains(connection: libvirt.virConnect, host: str) -> None:
    """Destroy and undefine every domain; LabError if one withstands."""

    def none_left() -> bool:
        for domain in connection.listAllDomains():
            # each of them fails where it does not apply, and a domain may vanish between two calls: only the emptiness in the end counts
            _ignoring_errors(domain.abortJob)
            _ignoring_errors(domain.destroy)
            _ignoring_errors(partial(domain.undefineFlags, UNDEFINE_FLAGS))
        return not connection.listAllDomains()

    wait_until(none_left, f"{host} to be rid of its domains", timeout_s=CLEAR_TIMEOUT_S, interval_s=0.1)


def _ignoring_errors(action: Callable[[], object]) -> None:
    try:
        action()
    except libvirt.libvirtError:
        return
