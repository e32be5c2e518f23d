# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator says about hosts and VMs, the same in every world."""

from __future__ import annotations

from typing import Any

from tests.integration.worlds import WorldVm


class Described:
    """Gathers the facts that go into ``site.hosts`` and ``site.vms``."""

    def __init__(self) -> None:
        self.host_facts: dict[str, dict[str, Any]] = {}
        self.vm_facts: dict[str, dict[str, Any]] = {}

    def set_host_memory(self, host: str, memory_mib: int) -> None:
        self.describe_host(host, memory_mib=memory_mib)

    def describe_host(self, host: str, **facts: Any) -> None:
        self.host_facts.setdefault(host, {}).update(facts)

    def describe_vm(self, vm: WorldVm, **facts: Any) -> None:
        self.vm_facts.setdefault(vm.id, {}).update(facts)
