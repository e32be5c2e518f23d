# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that cannot be right are refused when the driver is opened, before any host is asked."""

from __future__ import annotations

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import Scope
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.options import HostOptions, SiteOptions

pytest.importorskip("libvirt", reason="libvirt-python is not installed")

from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver

GOOD = HostOptions(uri="qemu+tcp://127.0.0.1:9/system")


@pytest.mark.parametrize(
    ("hosts", "option"),
    [
        ({}, "site.hosts"),
        ({"kvm1": HostOptions()}, "site.hosts.kvm1.uri"),
        ({"kvm1": GOOD, "kvm2": HostOptions(uri="vbox:///session")}, "site.hosts.kvm2.uri"),
        ({"kvm1": HostOptions(uri=GOOD.uri, peer_uri="qemu:///system")}, "site.hosts.kvm1.peer_uri"),
        ({"a b": GOOD}, "site.hosts.a b.peer_uri"),
    ],
    ids=["no hosts", "no uri", "wrong uri", "wrong peer uri", "a name that makes no default peer uri"],
)
def test_refused_at_once(hosts: dict[str, HostOptions], option: str) -> None:
    with pytest.raises(InputError) as refusal:
        LibvirtDriver(SiteOptions("libvirt", hosts=hosts))
    assert refusal.value.option == option
    assert refusal.value.hint


def test_an_unknown_host_is_refused_by_name() -> None:
    driver = LibvirtDriver(SiteOptions("libvirt", hosts={"kvm1": GOOD}))
    for call in (lambda: driver.stop_requested("kvm9"), lambda: driver.claims("kvm9"), lambda: driver.snapshot(Scope(only_hosts=frozenset({"kvm9"})))):
        with pytest.raises(InputError, match="kvm9") as refusal:
            call()
        assert refusal.value.code == "host_unknown"
    driver.close()
