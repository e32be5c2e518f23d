# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody else at work in a simulated world: migrations that this collection did not start, for tests and rehearsals."""

from __future__ import annotations

from ...model.errors import InputError
from ...model.options import SiteOptions
from .engine import Engine
from .moves import begin, check_order
from .order import Order


def start_foreign_migration(options: SiteOptions, vm: str, target: str, bandwidth_mib_s: float = 0.0) -> str:
    """Migrate a VM (id or name) as a colleague's ``virsh migrate`` would: without note or claim. Gives the hypervisor's id of the move.

    ``bandwidth_mib_s`` caps it (0: only the links do). Raises InputError for what the world does not have, OperationInProgress, HostUnreachable.
    """
    engine = Engine(options.simulator)
    vm_id = engine.world.vm_id(vm)
    if not vm_id:
        raise InputError("vm", f"VM {vm!r} is not in this world.", code="vm_unknown")
    with engine.changing() as draft:
        order = Order(vm_id, draft.moment.host_of(vm_id), target, cap_mib_s=bandwidth_mib_s)
        check_order(draft.moment, order)
        return begin(draft, order).id
