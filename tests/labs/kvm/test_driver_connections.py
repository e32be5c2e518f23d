# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the libvirt driver reaches hosts, and what it says where it cannot: by every transport, with every kind of missing trust, never with a question."""

from __future__ import annotations

import dataclasses
import subprocess
import time

import pytest
from ansible_collections.vmops.migration.plugins.module_utils.drivers.driver import LIGHT
from ansible_collections.vmops.migration.plugins.module_utils.drivers.libvirt.driver import LibvirtDriver
from ansible_collections.vmops.migration.plugins.module_utils.model.errors import HostUnreachable, InputError
from ansible_collections.vmops.migration.plugins.module_utils.model.host import HostState
from ansible_collections.vmops.migration.plugins.module_utils.model.options import HostOptions, SiteOptions

from tests.labs.kvm.commands import wait_until
from tests.labs.kvm.driver_world import driver_of, python, site_options
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.network import Link

pytestmark = pytest.mark.kvm

# libvirt and the kernel would try for more than a minute; ours is far below that, however busy the machine is.
LIBVIRT_WOULD_TRY_SECONDS = 30.0


def reason_for(uri: str) -> str:
    """Why a host with that URI cannot be reached."""
    options = SiteOptions("libvirt", hosts={"kvm1": HostOptions(uri=uri)}, connect_timeout_seconds=5.0)
    driver = LibvirtDriver(options)
    try:
        (host,) = driver.snapshot(LIGHT).hosts
    finally:
        driver.close()
    assert host.state is HostState.UNREACHABLE
    return host.state_reason


@pytest.mark.parametrize("transport", ["unix", "tcp", "tls"])
def test_a_plain_host_answers_by(kvm_lab: Lab, transport: str) -> None:
    with driver_of(kvm_lab, transport) as driver:
        assert [host.state for host in driver.snapshot(LIGHT).hosts] == [HostState.UP] * 3


@pytest.mark.parametrize("transport", ["tls", "ssh"])
def test_an_authenticated_host_answers_by(authenticated_kvm_lab: Lab, transport: str) -> None:
    with driver_of(authenticated_kvm_lab, transport) as driver:
        assert [host.state for host in driver.snapshot(LIGHT).hosts] == [HostState.UP] * 3


@pytest.mark.parametrize(
    ("transport", "identity", "missing"),
    [
        ("ssh", "unknown_hosts", "the ssh host key of kvm1 is not known to the controller"),
        ("tls", "none", "a client certificate of the controller that kvm1 trusts"),
        ("tls", "stranger", "certificate"),
    ],
)
def test_missing_trust_is_named(authenticated_kvm_lab: Lab, transport: str, identity: str, missing: str) -> None:
    reason = reason_for(authenticated_kvm_lab.hosts["kvm1"].uri(transport, identity))
    assert missing in reason
    assert "kvm1" in reason


def test_a_changed_ssh_host_key_is_refused(authenticated_kvm_lab: Lab) -> None:
    authenticated_kvm_lab.ssh.replace_host_key("kvm1")
    authenticated_kvm_lab.hosts["kvm1"].restart_sshd()
    assert "the ssh host key of kvm1" in reason_for(authenticated_kvm_lab.hosts["kvm1"].uri("ssh"))


def test_a_certificate_of_another_authority_is_refused(authenticated_kvm_lab: Lab) -> None:
    authenticated_kvm_lab.certificates.make_server_a_stranger("kvm1")
    authenticated_kvm_lab.hosts["kvm1"].restart_daemon()
    assert "certificate" in reason_for(authenticated_kvm_lab.hosts["kvm1"].uri("tls"))


def test_nothing_reaches_standard_error(authenticated_kvm_lab: Lab) -> None:
    """libvirt's library logs failed certificates there by itself; a module's output must stay clean."""
    code = "from tests.labs.kvm.test_driver_connections import reason_for; import sys; [print(reason_for(uri)) for uri in sys.argv[1:]]"
    host = authenticated_kvm_lab.hosts["kvm1"]
    child = python(code, host.uri("tls", "stranger"), host.uri("ssh", "unknown_hosts"), stderr=subprocess.PIPE)
    output, errors = child.communicate(timeout=60)
    assert "certificate" in output
    assert "ssh host key" in output
    assert errors == ""


def test_a_daemon_that_does_not_run_is_named_at_once(kvm_lab: Lab) -> None:
    kvm_lab.hosts["kvm1"].kill_daemon()
    assert "socket" in reason_for(kvm_lab.hosts["kvm1"].uri("unix"))
    assert "refuses the connection" in reason_for(kvm_lab.hosts["kvm1"].uri("tcp"))


def test_a_name_that_nobody_knows_is_named(kvm_lab: Lab) -> None:
    assert "cannot resolve" in reason_for("qemu+tcp://no-such-host.invalid/system")


@pytest.mark.parametrize("trouble", ["frozen", "cut"])
def test_a_host_that_hangs_is_left_out_within_the_time_to_connect(kvm_lab: Lab, trouble: str) -> None:
    if trouble == "frozen":
        kvm_lab.hosts["kvm2"].freeze_daemon()
    else:
        kvm_lab.cut_link("kvm2", Link.MANAGEMENT)
    with driver_of(kvm_lab, "tcp", connect_timeout_seconds=2.0) as driver:
        begin = time.monotonic()
        site = driver.snapshot(LIGHT)
        took = time.monotonic() - begin
    assert {host.name: host.state for host in site.hosts} == {"kvm1": HostState.UP, "kvm2": HostState.UNREACHABLE, "kvm3": HostState.UP}
    assert "kvm2" in site.host_by_name["kvm2"].state_reason
    assert took < LIBVIRT_WOULD_TRY_SECONDS


def test_a_silent_host_is_waited_for_once(kvm_lab: Lab) -> None:
    """A run looks at its hosts again and again; each look would else cost the whole time to connect."""
    kvm_lab.hosts["kvm2"].freeze_daemon()
    with driver_of(kvm_lab, "tcp", connect_timeout_seconds=4.0) as driver:
        took = []
        for _turn in range(2):
            begin = time.monotonic()
            assert driver.snapshot(LIGHT).host_by_name["kvm2"].state is HostState.UNREACHABLE
            took.append(time.monotonic() - begin)
            time.sleep(0.6)
        assert took[1] < took[0] / 2
        kvm_lab.hosts["kvm2"].thaw_daemon()
        wait_until(lambda: driver.snapshot(LIGHT).host_by_name["kvm2"].state is HostState.UP, "kvm2 to be found again", timeout_s=20)


def test_a_host_that_freezes_later_is_noticed_and_comes_back(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab, "tcp", connect_timeout_seconds=2.0) as driver:
        assert driver.snapshot(LIGHT).host_by_name["kvm2"].state is HostState.UP
        kvm_lab.hosts["kvm2"].freeze_daemon()
        assert driver.snapshot(LIGHT).host_by_name["kvm2"].state is HostState.UNREACHABLE
        kvm_lab.hosts["kvm2"].thaw_daemon()
        assert driver.snapshot(LIGHT).host_by_name["kvm2"].state is HostState.UP


def test_a_restarted_daemon_is_reconnected_without_a_word(kvm_lab: Lab) -> None:
    with driver_of(kvm_lab) as driver:
        driver.snapshot(LIGHT)
        kvm_lab.hosts["kvm2"].restart_daemon()
        assert driver.stop_requested("kvm2") is None
        assert driver.snapshot(LIGHT).host_by_name["kvm2"].state is HostState.UP


@pytest.mark.slow
def test_keep_alive_ends_a_call_that_hangs(kvm_lab: Lab) -> None:
    """Without it the kernel would try for many minutes."""
    with driver_of(kvm_lab, "tcp") as driver:
        driver.snapshot(LIGHT)
        session = driver._hosts.get("kvm2")
        kvm_lab.hosts["kvm2"].freeze_daemon()
        with pytest.raises(HostUnreachable):
            session.run("waiting", lambda connection: connection.raw.getLibVersion(), None, repeat=False)
        kvm_lab.hosts["kvm2"].thaw_daemon()


def test_one_machine_under_two_names_is_refused(kvm_lab: Lab) -> None:
    options = site_options(kvm_lab, "unix")
    twice = dataclasses.replace(options, hosts={**options.hosts, "again": HostOptions(uri=kvm_lab.hosts["kvm1"].uri("tcp"))})
    driver = LibvirtDriver(twice)
    with pytest.raises(InputError, match="same machine") as refusal:
        driver.snapshot(LIGHT)
    driver.close()
    assert refusal.value.code == "host_twice"
