# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way from a VMkernel adapter to the speed of the machine's own ones, over both kinds of switch."""

from __future__ import annotations

from types import SimpleNamespace as Told
from typing import Any

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.host_links import limits_of, link_mbps
from ansible_collections.vmops.migration.plugins.module_utils.drivers.vsphere.properties import Entry
from ansible_collections.vmops.migration.plugins.module_utils.model.host import Host


def adapter(key: str, portgroup: str = "", switch: str = "") -> Any:
    port = Told(switchUuid=switch) if switch else None
    return Told(key=key, portgroup=portgroup, spec=Told(distributedVirtualPort=port, portgroup=portgroup))


def a_host(*configs: Any) -> Entry:
    values = {
        "config.virtualNicManagerInfo.netConfig": configs,
        "config.network.pnic": [
            Told(key="p0", linkSpeed=Told(speedMb=1000)),
            Told(key="p1", linkSpeed=Told(speedMb=25000)),
            Told(key="p2", linkSpeed=None),
        ],
        "config.network.vswitch": [Told(key="v0", pnic=["p0", "p2"])],
        "config.network.proxySwitch": [Told(dvsUuid="50 1e", pnic=["p0", "p1"])],
        "config.network.portgroup": [Told(vswitch="v0", spec=Told(name="vMotion"))],
    }
    return Entry("host-1", "HostSystem", None, values)


def config(kind: str, chosen: list[str], *adapters: Any) -> Any:
    return Told(nicType=kind, selectedVnic=chosen, candidateVnic=list(adapters))


@pytest.mark.parametrize(
    ("configs", "speed"),
    [
        ([config("vmotion", ["k1"], adapter("k1", portgroup="vMotion"))], 1000),
        ([config("vmotion", ["k2"], adapter("k1", portgroup="vMotion"), adapter("k2", switch="50 1e"))], 25000),
        ([config("vmotion", [], adapter("k1", portgroup="vMotion"))], None),
        ([config("vmotion", ["k1"], adapter("k1", portgroup="elsewhere"))], None),
        ([config("management", ["k1"], adapter("k1", portgroup="vMotion"))], None),
        ([], None),
    ],
)
def test_the_fastest_adapter_behind_the_one_that_is_chosen(configs: list[Any], speed: int | None) -> None:
    assert link_mbps(a_host(*configs), "migration") == speed


def test_nothing_is_known_of_a_host_that_tells_nothing() -> None:
    assert link_mbps(Entry("host-1", "HostSystem", None, {}), "migration") is None


def test_hosts_with_a_slow_network_make_fewer_moves_at_once() -> None:
    limits = limits_of([Host("slow", migration_link_mbps=1000), Host("fast", migration_link_mbps=25000), Host("unknown")])
    assert [limits.of("host", name) for name in ("slow", "fast", "unknown")] == [4, 8, 8]
    assert [limits.cost("host", name, copies_disks=True) for name in ("slow", "fast")] == [4, 4]
