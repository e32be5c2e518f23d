# Copyright: (c) 2026, vmops.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab itself: it comes up and goes away without trace, its guests live through a migration, and its failures are real."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import libvirt
import pytest

from tests.labs.kvm.commands import LabError, run, wait_until
from tests.labs.kvm.config import LabConfig
from tests.labs.kvm.fixtures import require_lab
from tests.labs.kvm.guests import Guest
from tests.labs.kvm.hosts import Host
from tests.labs.kvm.lab import Lab
from tests.labs.kvm.network import Link

pytestmark = pytest.mark.kvm

P2P_LIVE = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE | libvirt.VIR_MIGRATE_PEER2PEER
ROOT = Path(__file__).parents[3]
LIBVIRT_TCP_PORT = 16509
UNSAFE_MIGRATION = libvirt.VIR_ERR_MIGRATE_UNSAFE


def migrate(lab: Lab, guest: Guest, source: str, destination: str, peer_transport: str = "tls") -> float:
    """Move a guest by its source's daemon, over the migration network; returns seconds."""
    start = time.monotonic()
    target = lab.hosts[destination]
    parameters = {libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{target.migration_address}"}
    with lab.hosts[source].connection() as connection:
        connection.lookupByUUIDString(guest.uuid).migrateToURI3(target.peer_uri(peer_transport), parameters, P2P_LIVE)
    return time.monotonic() - start


def _belongs_to(pid: int, lab: Lab) -> bool:
    """Whether a process of that number is there and has to do with the lab: numbers are used again."""
    try:
        return str(lab.folder).encode() in Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def answers_on_tcp(host: Host) -> bool:
    """Whether the host takes a TCP connection within two seconds. libvirt's own attempt lasts as long as the kernel's, over a minute."""
    try:
        socket.create_connection((host.management_address, LIBVIRT_TCP_PORT), timeout=2).close()
    except OSError:
        return False
    return True


def can_open(uri: str) -> bool:
    try:
        libvirt.open(uri).close()
    except libvirt.libvirtError:
        return False
    return True


@pytest.fixture
def two_configs() -> Iterator[tuple[LabConfig, LabConfig]]:
    require_lab()
    configs = LabConfig(name=f"one-p{os.getpid()}", host_count=2), LabConfig(name=f"two-p{os.getpid()}", host_count=2)
    yield configs
    for config in configs:
        Lab.existing(config).down()


def test_up_and_down_twice_leave_nothing(two_configs: tuple[LabConfig, LabConfig]) -> None:
    config = two_configs[0]
    lab = Lab(config)
    lab.up()
    daemons = {name: host.daemon_pids() for name, host in lab.hosts.items()}
    lab.guest("still-here", "kvm1")
    again = Lab(config)
    again.up()
    assert again.is_up()
    assert {name: host.daemon_pids() for name, host in again.hosts.items()} == daemons
    assert again.placements() == {"kvm1": ["still-here"], "kvm2": []}
    prefix = lab.addresses.prefix
    pids = [pid for host in lab.hosts.values() for pid in host.processes()]
    lab.down()
    again.down()
    assert not [name for name in run(["ip", "netns", "list"]).split() if name.startswith(f"{prefix}-")]
    assert subprocess.run(["ip", "link", "show", prefix], capture_output=True, check=False).returncode != 0
    assert not [pid for pid in pids if _belongs_to(pid, lab)]
    assert not lab.folder.exists()
    assert str(lab.folder) not in run(["cat", "/proc/mounts"])


def test_a_lab_cannot_come_up_over_another_kind(two_configs: tuple[LabConfig, LabConfig]) -> None:
    config = two_configs[0]
    Lab(config).up()
    with pytest.raises(LabError, match="take it down first"):
        Lab(LabConfig(name=config.name, host_count=2, authenticated=True)).up()


def test_two_labs_at_once_do_not_meet(two_configs: tuple[LabConfig, LabConfig]) -> None:
    labs = [Lab(config) for config in two_configs]
    with ThreadPoolExecutor() as workers:
        list(workers.map(Lab.up, labs))
    first, second = labs
    guest = first.guest("same-name", "kvm1")
    second.guest("same-name", "kvm2")
    assert first.placements() == {"kvm1": ["same-name"], "kvm2": []}
    assert second.placements() == {"kvm1": [], "kvm2": ["same-name"]}
    assert {host.management_address for host in first.hosts.values()}.isdisjoint(host.management_address for host in second.hosts.values())
    second.down()
    assert guest.is_beating()
    assert migrate(first, guest, "kvm1", "kvm2") > 0


def test_a_guest_lives_on_through_a_migration_over_tls(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1", dirty_mib_s=8)
    before = guest.wait_beating()
    guest.reset_gap()
    seconds = migrate(kvm_lab, guest, "kvm1", "kvm2")
    after = guest.wait_beating()
    print(f"migrated in {seconds:.2f} s, largest gap {guest.largest_gap_ms():.0f} ms")
    assert kvm_lab.where(guest) == {"kvm2": ("running", True)}
    assert after.boot_id == before.boot_id
    assert after.tick > before.tick
    assert (guest.restarts(), guest.faults()) == (0, [])
    wait_until(lambda: guest.disk_count() >= after.disk_writes, "the guest to write on at its new host", timeout_s=20)


def test_a_restarted_and_a_paused_guest_are_told_from_a_live_one(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    with kvm_lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        domain.suspend()
        assert not guest.is_beating()
        domain.resume()
        assert guest.is_beating()
        gap_ms = guest.largest_gap_ms()
        domain.destroy()
        domain.create()
    guest.wait_beating()
    assert gap_ms > 1000
    assert guest.restarts() == 1
    assert "is followed by boot" in guest.faults()[0]


def test_only_the_shared_pool_counts_as_shared(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("local1", "kvm1", pool="local")
    with pytest.raises(libvirt.libvirtError) as error:
        migrate(kvm_lab, guest, "kvm1", "kvm2")
    assert error.value.get_error_code() == UNSAFE_MIGRATION
    assert kvm_lab.where(guest) == {"kvm1": ("running", True)}
    uuids = {}
    for name, host in kvm_lab.hosts.items():
        with host.connection() as connection:
            uuids[name] = {pool.name(): pool.UUIDString() for pool in connection.listAllStoragePools()}
    assert len({found["shared"] for found in uuids.values()}) == 1
    assert len({found["local"] for found in uuids.values()}) == 3


def test_networks_differ_by_host(kvm_lab: Lab) -> None:
    names = {}
    for name, host in kvm_lab.hosts.items():
        with host.connection() as connection:
            names[name] = sorted(network.name() for network in connection.listAllNetworks())
    assert names == {"kvm1": ["guests", "only1"], "kvm2": ["guests"], "kvm3": ["guests"]}
    anywhere, bound = kvm_lab.guest("anywhere", "kvm1", nic="guests"), kvm_lab.guest("bound", "kvm1", nic="only1")
    migrate(kvm_lab, anywhere, "kvm1", "kvm3")
    with pytest.raises(libvirt.libvirtError):
        migrate(kvm_lab, bound, "kvm1", "kvm3")
    assert kvm_lab.placements() == {"kvm1": ["bound"], "kvm2": [], "kvm3": ["anywhere"]}


def test_a_shaped_link_slows_the_copy(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1", "kvm1")
    free_s = migrate(kvm_lab, guest, "kvm1", "kvm2")
    kvm_lab.shape_migration_links(50)
    shaped_s = migrate(kvm_lab, guest, "kvm2", "kvm1")
    assert shaped_s > 1.5 * free_s
    assert kvm_lab.site_options()["hosts"]["kvm1"]["migration_link_mbps"] == 50


def test_a_cut_cable_cuts_the_host_off(kvm_lab: Lab) -> None:
    host = kvm_lab.hosts["kvm2"]
    assert answers_on_tcp(host)
    kvm_lab.cut_link("kvm2", Link.MANAGEMENT)
    assert not answers_on_tcp(host)
    assert answers_on_tcp(kvm_lab.hosts["kvm3"])
    kvm_lab.restore_link("kvm2", Link.MANAGEMENT)
    wait_until(lambda: answers_on_tcp(host), "kvm2 to be reachable again", timeout_s=20)


def test_guests_outlive_their_libvirtd_but_not_their_host(kvm_lab: Lab) -> None:
    host = kvm_lab.hosts["kvm1"]
    kept, started = kvm_lab.guest("kept", "kvm1"), kvm_lab.guest("autostarted", "kvm1", autostart=True)
    host.kill_daemon()
    assert not host.answers()
    assert kept.is_beating()
    host.start_daemon()
    assert kvm_lab.where(kept) == {"kvm1": ("running", True)}
    host.power_off()
    assert not kept.is_beating()
    assert kvm_lab.placements() == {"kvm2": [], "kvm3": []}
    host.power_on()
    started.wait_beating()
    assert kvm_lab.where(kept) == {"kvm1": ("shutoff", True)}
    assert (kept.restarts(), started.restarts()) == (0, 1)


def test_a_host_can_be_made_small(kvm_lab: Lab) -> None:
    host = kvm_lab.hosts["kvm3"]

    def sizes_mib() -> tuple[int, int]:
        with host.connection() as connection:
            return connection.getInfo()[1], connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)["total"] // 1024

    host.limit_memory(256)
    assert sizes_mib() == (256, 256)
    host.power_off()
    host.power_on()
    assert sizes_mib() == (256, 256)
    kvm_lab.reset()
    assert sizes_mib()[0] > 256
    assert sizes_mib()[0] == sizes_mib()[1]


def test_the_state_of_the_world_shows_every_change(kvm_lab: Lab) -> None:
    guest = kvm_lab.guest("web1 <&'\">", "kvm1", dirty_mib_s=1)
    before = kvm_lab.snapshot_state()
    guest.wait_beating()
    assert kvm_lab.snapshot_state() == before
    states = [before]
    with kvm_lab.hosts["kvm1"].connection() as connection:
        domain = connection.lookupByUUIDString(guest.uuid)
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
        for change in (
            lambda: domain.setAutostart(1),
            lambda: domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<note/>", "vmops", "urn:test", flags),
            lambda: connection.secretDefineXML("<secret ephemeral='no' private='no'><description>note</description></secret>"),
            (kvm_lab.hosts["kvm3"].pool_folder("local") / "left-over").touch,
            domain.suspend,
        ):
            change()
            states.append(kvm_lab.snapshot_state())
    assert len(set(states)) == 6
    kvm_lab.reset()
    assert "secret" not in kvm_lab.snapshot_state()


def test_an_authenticated_host_wants_a_certificate_of_the_lab(authenticated_kvm_lab: Lab) -> None:
    host = authenticated_kvm_lab.hosts["kvm1"]
    assert can_open(host.uri("tls"))
    assert not can_open(host.uri("tls", "none"))
    assert not can_open(host.uri("tls", "stranger"))
    assert not can_open(host.uri("tcp"))


def test_peers_without_trust_refuse_and_the_guest_stays(authenticated_kvm_lab: Lab) -> None:
    lab = authenticated_kvm_lab
    guest = lab.guest("web1", "kvm1")
    for distrust in (lab.certificates.remove_client_certificate, lab.certificates.make_client_a_stranger):
        distrust("kvm1")
        with pytest.raises(libvirt.libvirtError):
            migrate(lab, guest, "kvm1", "kvm2")
        lab.hosts["kvm1"].restore_trust()
    lab.certificates.make_server_a_stranger("kvm2")
    lab.hosts["kvm2"].restart_daemon()
    with pytest.raises(libvirt.libvirtError, match="verify peer's certificate"):
        migrate(lab, guest, "kvm1", "kvm2")
    assert lab.where(guest) == {"kvm1": ("running", True)}
    lab.hosts["kvm2"].restore_trust()
    lab.hosts["kvm2"].start_daemon()
    migrate(lab, guest, "kvm1", "kvm2")
    assert lab.where(guest) == {"kvm2": ("running", True)}
    assert guest.restarts() == 0


def test_ssh_reaches_the_right_host_and_only_with_a_known_key(authenticated_kvm_lab: Lab) -> None:
    lab = authenticated_kvm_lab
    for name, host in lab.hosts.items():
        connection = libvirt.open(host.uri("ssh"))
        assert connection.getHostname() == f"{name}.lab"
        connection.close()
    host = lab.hosts["kvm2"]
    with pytest.raises(libvirt.libvirtError, match="Host key verification failed"):
        libvirt.open(host.uri("ssh", "unknown_hosts"))
    lab.ssh.replace_host_key("kvm2")
    host.restart_sshd()
    with pytest.raises(libvirt.libvirtError, match="Host key verification failed"):
        libvirt.open(host.uri("ssh"))
    lab.reset()
    assert can_open(host.uri("ssh"))


def test_a_lab_whose_start_was_killed_comes_up(two_configs: tuple[LabConfig, LabConfig]) -> None:
    config = two_configs[0]
    program = f"from tests.labs.kvm.lab import Lab; from tests.labs.kvm.config import LabConfig; Lab(LabConfig(name={config.name!r}, host_count=2)).up()"
    for delay_s in (0.3, 0.5, 0.7):
        starter = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_s)
        starter.kill()
        starter.wait()
        lab = Lab.existing(config)
        try:
            lab.up()
        except LabError:  # daemons that the killed start left on their way up were in the way; a moment later they are up or gone
            time.sleep(3)
            lab.up()
        guest = lab.guest("web1", "kvm1")
        migrate(lab, guest, "kvm1", "kvm2")
        assert guest.is_beating()
        lab.down()
